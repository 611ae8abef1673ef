import type { Brand } from "./brand.ts";

/** An instant: milliseconds since 1970-01-01T00:00:00Z. */
export type EpochMs = Brand<number, "EpochMs">;

/** A span of time in milliseconds. Never negative. */
export type DurationMs = Brand<number, "DurationMs">;

export function epochMs(value: number): EpochMs {
  return value as EpochMs;
}

/** @throws RangeError for a negative or non-finite span: that is a bug of the caller. */
export function durationMs(value: number): DurationMs {
  if (!(value >= 0 && value < Number.POSITIVE_INFINITY)) {
    throw new RangeError(`Cannot make a duration of ${value} ms: it must be finite and not negative`);
  }
  return value as DurationMs;
}

export function after(instant: EpochMs, span: DurationMs): EpochMs {
  return (instant + span) as EpochMs;
}

/** The span from `start` to `end`; zero when the clock went backwards. */
export function elapsed(start: EpochMs, end: EpochMs): DurationMs {
  return Math.max(0, end - start) as DurationMs;
}

/** RFC 3339 in UTC with milliseconds, as every answer and log line prints an instant. */
export function toRfc3339(instant: EpochMs): string {
  return new Date(instant).toISOString();
}
