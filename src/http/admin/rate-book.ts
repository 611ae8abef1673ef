import { type DurationMs, durationMs, type EpochMs } from "../../kernel/time.ts";

export type RateBook = {
  /** 0: taken. Else nothing was taken, and how long until the next may be. */
  take(subject: string, nowMs: EpochMs): DurationMs;
  /** As `take`, without taking. */
  waitMs(subject: string, nowMs: EpochMs): DurationMs;
  readonly size: number;
};

const MINUTE_MS = 60_000;
const NONE = durationMs(0);

/**
 * So many a minute for each subject, all at once or spread (GCRA). At most `maxSubjects` are remembered: who came first is
 * forgotten first, and starts anew.
 */
export function createRateBook({ perMinute, maxSubjects }: { perMinute: number; maxSubjects: number }): RateBook {
  const intervalMs = MINUTE_MS / perMinute;
  /** When each would have used up what it took, in order of the last use. */
  const paidUntil = new Map<string, number>();
  const dueOf = (subject: string, nowMs: EpochMs) => {
    // A clock that was set back must not shut anybody out for longer than a minute.
    const untilMs = Math.min(paidUntil.get(subject) ?? nowMs, nowMs + MINUTE_MS);
    return Math.max(untilMs, nowMs);
  };
  const waitMs = (subject: string, nowMs: EpochMs): DurationMs => {
    const overMs = dueOf(subject, nowMs) + intervalMs - (nowMs + MINUTE_MS);
    return overMs > 0 ? durationMs(Math.ceil(overMs)) : NONE;
  };
  return {
    waitMs,
    take(subject, nowMs) {
      const wait = waitMs(subject, nowMs);
      if (wait > 0) return wait;
      const untilMs = dueOf(subject, nowMs) + intervalMs;
      paidUntil.delete(subject);
      paidUntil.set(subject, untilMs);
      if (paidUntil.size > maxSubjects) {
        const [first] = paidUntil.keys();
        if (first !== undefined) paidUntil.delete(first);
      }
      return NONE;
    },
    get size() {
      return paidUntil.size;
    },
  };
}
