import type { DurationMs, EpochMs } from "../kernel/time.ts";
import { durationMs, elapsed } from "../kernel/time.ts";
import type { Clock, GoneSignal } from "./ports.ts";

/** Where requests wait while every account rests. Bounded in number and in time. */
export interface Queue {
  readonly waiting: number;
  /**
   * Waits until `untilMs`. "full" and "too_far" refuse at once; "gone" when the client left. `waitedMs`: what this
   * request has waited before; it counts towards the limit. The span in the outcome is what this call waited.
   */
  wait(untilMs: EpochMs, waitedMs: DurationMs, signal: GoneSignal): Promise<QueueOutcome>;
}

export type QueueOutcome = { readonly kind: "ready" | "full" | "too_far" | "gone"; readonly waitedMs: DurationMs };

export type QueueOptions = {
  readonly clock: Clock;
  /** Of all waits of one request together. A longer one is refused, so that the client can decide for itself. */
  readonly maxWaitMs: DurationMs;
  readonly maxWaiting: number;
};

export function createQueue({ clock, maxWaitMs, maxWaiting }: QueueOptions): Queue {
  let waiting = 0;
  return {
    get waiting() {
      return waiting;
    },
    async wait(untilMs, waitedMs, signal) {
      const startMs = clock.now();
      const spanMs = elapsed(startMs, untilMs);
      if (waitedMs + spanMs > maxWaitMs) {
        return { kind: "too_far", waitedMs: durationMs(0) };
      }
      if (waiting >= maxWaiting) {
        return { kind: "full", waitedMs: durationMs(0) };
      }
      waiting += 1;
      await clock.sleep(spanMs, signal);
      waiting -= 1;
      return { kind: signal.aborted ? "gone" : "ready", waitedMs: elapsed(startMs, clock.now()) };
    },
  };
}
