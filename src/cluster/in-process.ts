import type { PoolEvent } from "../domain/pool/pool-event.ts";
import type { PoolCoordination } from "../gateway/ports.ts";

/**
 * The coordination of a single process: what is published comes back at once, before `publish` returns. One that is
 * published while another is being told waits its turn, so that every listener hears all of them in one order.
 */
export function createInProcessCoordination(): PoolCoordination {
  const listeners: ((events: readonly PoolEvent[]) => void)[] = [];
  const waiting: (readonly PoolEvent[])[] = [];
  let isTelling = false;
  // hot path: once for each answer
  const tell = (events: readonly PoolEvent[]) => {
    for (const listener of listeners) {
      listener(events);
    }
  };
  return {
    publish(events) {
      if (isTelling) {
        waiting.push(events);
        return;
      }
      isTelling = true;
      try {
        tell(events);
        for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
          tell(next);
        }
      } finally {
        isTelling = false;
      }
    },
    onEvents(listener) {
      listeners.push(listener);
    },
  };
}
