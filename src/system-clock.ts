import type { Clock } from "./gateway/ports.ts";
import { type EpochMs, epochMs } from "./kernel/time.ts";

/** The machine's own clock and timers. */
export const systemClock: Clock = {
  now: () => epochMs(Date.now()),
  sleep(span, signal) {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (signal.aborted) {
      return Promise.resolve();
    }
    const wake = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", wake);
      resolve();
    };
    const timer = setTimeout(wake, span);
    signal.addEventListener("abort", wake);
    return promise;
  },
  every(span, callback) {
    const timer = setInterval(callback, span);
    timer.unref();
    return () => clearInterval(timer);
  },
};

/** Both in milliseconds: what the wall clock says, and what has passed. */
export type TimeSources = { readonly wallMs: () => number; readonly passedMs: () => number };

const MACHINE: TimeSources = { wallMs: Date.now, passedMs: () => performance.now() };

/**
 * The wall clock, but never behind what has passed since the start: what has expired stays expired when somebody sets the
 * clock back.
 */
export function createForwardClock({ wallMs, passedMs }: TimeSources = MACHINE): () => EpochMs {
  const startMs = wallMs() - passedMs();
  return () => epochMs(Math.floor(Math.max(wallMs(), startMs + passedMs())));
}
