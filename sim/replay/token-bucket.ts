const MINUTE_MS = 60_000;

/** Refilled continuously (protocol.md, P27). Time is given and never goes back. */
export interface TokenBucket {
  readonly capacity: number;
  level(nowMs: number): number;
  /** May go below zero: what ran past the limit is owed. A negative amount gives back. */
  take(amount: number, nowMs: number): void;
  /** How long until the amount fits; 0 now, infinite when it never does. */
  waitMs(amount: number, nowMs: number): number;
}

/** Full at first; `perMinute` is both its capacity and what flows in per minute. */
export function createTokenBucket(perMinute: number): TokenBucket {
  const perMs = perMinute / MINUTE_MS;
  let held = perMinute;
  let filledAtMs = 0;
  function level(nowMs: number): number {
    held = Math.min(perMinute, held + Math.max(0, nowMs - filledAtMs) * perMs);
    filledAtMs = Math.max(filledAtMs, nowMs);
    return held;
  }
  return {
    capacity: perMinute,
    level,
    take(amount, nowMs) {
      held = Math.min(perMinute, level(nowMs) - amount);
    },
    waitMs(amount, nowMs) {
      const missing = amount - level(nowMs);
      if (missing <= 0) return 0;
      return amount > perMinute ? Number.POSITIVE_INFINITY : missing / perMs;
    },
  };
}
