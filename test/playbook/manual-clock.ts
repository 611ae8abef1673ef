import type { Clock } from "../../src/gateway/ports.ts";
import { type DurationMs, type EpochMs, epochMs } from "../../src/kernel/time.ts";

/** A clock that stands still until the test moves it. */
export interface ManualClock extends Clock {
  /** Moves on, running what falls due in order; continuations run once the caller awaits. */
  advance(ms: number): void;
  /** Sleeps and intervals that nobody disposed of yet. */
  readonly timers: number;
  /** Sleepers alone. */
  readonly sleeping: number;
}

export const START_MS: EpochMs = epochMs(Date.UTC(2026, 10, 23, 20, 0, 0));

type Timer = { dueMs: number; readonly everyMs: DurationMs | null; fire(): void };

export function createManualClock(): ManualClock {
  let nowMs: number = START_MS;
  const timers = new Set<Timer>();
  const nextDue = (untilMs: number): Timer | null => {
    let next: Timer | null = null;
    for (const timer of timers) {
      if (timer.dueMs <= untilMs && (next === null || timer.dueMs < next.dueMs)) next = timer;
    }
    return next;
  };
  return {
    now: () => epochMs(nowMs),
    sleep(span, signal) {
      if (signal.aborted) return Promise.resolve();
      const { promise, resolve } = Promise.withResolvers<void>();
      const wake = () => {
        timers.delete(timer);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      const timer: Timer = { dueMs: nowMs + span, everyMs: null, fire: wake };
      timers.add(timer);
      signal.addEventListener("abort", wake);
      return promise;
    },
    every(span, callback) {
      const timer: Timer = { dueMs: nowMs + span, everyMs: span, fire: callback };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    advance(ms) {
      const untilMs = nowMs + ms;
      for (let timer = nextDue(untilMs); timer !== null; timer = nextDue(untilMs)) {
        nowMs = Math.max(nowMs, timer.dueMs);
        timer.dueMs += timer.everyMs ?? 0;
        timer.fire();
      }
      nowMs = untilMs;
    },
    get timers() {
      return timers.size;
    },
    get sleeping() {
      return [...timers].filter(({ everyMs }) => everyMs === null).length;
    },
  };
}

/** Lets every continuation run that is ready now, the threads of zlib included. */
export async function turns(count = 1): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) {
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

/** Waits for a fact that other threads or continuations bring about. Fails after two seconds. */
export async function until(isSo: () => boolean, what: string): Promise<void> {
  const giveUpAtMs = performance.now() + 2_000;
  while (!isSo()) {
    if (performance.now() > giveUpAtMs) throw new Error(`Cannot go on with the script: waited 2 s for ${what}`);
    await turns();
  }
}
