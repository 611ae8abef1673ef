import type { PoolEvent } from "../domain/pool/pool-event.ts";
import { applyPoolEvents, emptyPool, type PoolState } from "../domain/pool/pool-state.ts";

/** The one owner of what the process knows about limits and health: requests, CLI and metrics read this value. */
export interface PoolOwner {
  readonly state: PoolState;
  learn(events: readonly PoolEvent[]): void;
}

export function createPoolOwner(onLearned: (events: readonly PoolEvent[]) => void): PoolOwner {
  let state = emptyPool;
  return {
    get state() {
      return state;
    },
    learn(events) {
      if (events.length === 0) {
        return;
      }
      const next = applyPoolEvents(state, events);
      if (next !== state) {
        state = next;
        onLearned(events);
      }
    },
  };
}
