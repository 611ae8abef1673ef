import { type EpochMs, epochMs } from "../../kernel/time.ts";

/** Starts in the slot of time that runs and in the one before it. */
export type StartRamp = { slot: number; current: number; previous: number };

const SLOT_MS = 5_000;
/** So many may always start in one slot. */
const FLOOR = 20;
const GROWTH = 2;
/** How long a class ramps up after one of its groups was benched: upstream answers 429 to sudden growth (protocol). */
export const RAMP_MS = 60_000;

export function createStartRamp(): StartRamp {
  return { slot: 0, current: 0, previous: 0 };
}

// hot path
export function countStart(ramp: StartRamp, nowMs: EpochMs): void {
  const slot = Math.floor(nowMs / SLOT_MS);
  if (slot > ramp.slot) {
    ramp.previous = slot === ramp.slot + 1 ? ramp.current : 0;
    ramp.current = 0;
    ramp.slot = slot;
  }
  ramp.current++;
}

/** When the next start may follow; null when it may now: in each slot at most twice as many as in the one before. */
// hot path
export function rampOpensAt(ramp: StartRamp, nowMs: EpochMs): EpochMs | null {
  const slot = Math.floor(nowMs / SLOT_MS);
  if (slot !== ramp.slot) return null;
  const most = Math.max(FLOOR, GROWTH * ramp.previous);
  return ramp.current < most ? null : epochMs((slot + 1) * SLOT_MS);
}
