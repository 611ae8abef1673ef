import type { PoolEvent } from "../domain/pool/pool-event.ts";
import { applyPoolEvents, emptyPool, type PoolState } from "../domain/pool/pool-state.ts";
import type { Accounts, PoolCoordination } from "./ports.ts";

/** The one owner of what the process knows about limits and health: requests, CLI and metrics read this value. */
export interface PoolOwner {
  readonly state: PoolState;
  /** Tells the coordination; what comes back from it, here or from another process, becomes the state. */
  learn(events: readonly PoolEvent[]): void;
  /** What an earlier process saved; before the first request. */
  restore(saved: PoolState): void;
}

export type PoolOwnerOptions = {
  readonly coordination: PoolCoordination;
  readonly accounts: Pick<Accounts, "learnOrganization">;
  /** Only what changed the state. */
  onLearned(events: readonly PoolEvent[]): void;
};

export function createPoolOwner({ coordination, accounts, onLearned }: PoolOwnerOptions): PoolOwner {
  let state = emptyPool;
  // hot path: once for each answer
  const apply = (events: readonly PoolEvent[]) => {
    const next = applyPoolEvents(state, events);
    for (const event of events) {
      if (event.type === "organization_learned") {
        accounts.learnOrganization(event.accountId, event.organization);
      }
    }
    if (next !== state) {
      state = next;
      onLearned(events);
    }
  };
  coordination.onEvents(apply);
  return {
    get state() {
      return state;
    },
    learn(events) {
      if (events.length > 0) {
        coordination.publish(events);
      }
    },
    restore(saved) {
      state = saved;
    },
  };
}
