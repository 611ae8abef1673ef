import { constants, setPriority } from "node:os";

/**
 * Lets the relay go first when cores are scarce: called in a worker, it lowers that thread alone (Linux sets the priority of the
 * calling thread; seen on Bun 1.4.5, 2026-11-23). At this level a busy machine still gives the thread about a tenth of a core.
 */
export function yieldToRelay(): void {
  try {
    setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // A sandbox may forbid it: the thread then competes as before, and nothing else changes.
  }
}
