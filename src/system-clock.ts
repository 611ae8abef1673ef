import type { Clock } from "./gateway/ports.ts";
import { epochMs } from "./kernel/time.ts";

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
