import { type DurationMs, durationMs, type EpochMs, epochMs } from "../../kernel/time.ts";

/** One window as `account list` shows it. Null: the provider did not say. */
export type PacedWindow = {
  /** "5h" and "7d", alone or before "_", say how long the window is. */
  readonly name: string;
  readonly limit: number | null;
  readonly remaining: number | null;
  /** 0..1 */
  readonly usedRatio: number | null;
  readonly resetAtMs: EpochMs | null;
  readonly seenAtMs: EpochMs;
};

export type Pace = {
  /** 0..1, above 1 when overage was allowed. Null when nothing tells. */
  readonly usedRatio: number | null;
  /** 0..1 */
  readonly leftRatio: number | null;
  /** ahead: used faster than time passes. Null for a window of unknown length. */
  readonly pace: "ahead" | "on" | "behind" | null;
  /** When it is used up at the pace so far; null when it resets before that, or when nothing tells. */
  readonly exhaustsAtMs: EpochMs | null;
};

const LENGTH = /^(\d{1,3})([hd])(?:_|$)/;
const MS_PER_HOUR = 3_600_000;
const FIVE_HOURS = durationMs(5 * MS_PER_HOUR);
const SEVEN_DAYS = durationMs(7 * 24 * MS_PER_HOUR);
/** Closer to the share of time that has passed than this is on pace. */
const ON_PACE_RATIO = 0.05;
/** Earlier in the window a projection is a guess. */
const MIN_ELAPSED_RATIO = 0.02;

const UNKNOWN: Pace = { usedRatio: null, leftRatio: null, pace: null, exhaustsAtMs: null };
/** A window whose reset has passed is full again, as far as anybody knows. */
const FRESH: Pace = { usedRatio: 0, leftRatio: 1, pace: null, exhaustsAtMs: null };

/** How a window is being used up, from the last time that it was seen. */
export function paceOf(window: PacedWindow, nowMs: EpochMs): Pace {
  const { resetAtMs } = window;
  const usedRatio = usedRatioOf(window);
  if (usedRatio === null) {
    return UNKNOWN;
  }
  if (resetAtMs !== null && resetAtMs <= nowMs) {
    return FRESH;
  }
  const known = { usedRatio, leftRatio: Math.max(0, 1 - usedRatio) };
  const lengthMs = lengthOf(window.name);
  if (resetAtMs === null || lengthMs === null) {
    return { ...known, pace: null, exhaustsAtMs: null };
  }
  const startMs = resetAtMs - lengthMs;
  const elapsedMs = Math.min(lengthMs, Math.max(0, window.seenAtMs - startMs));
  const aheadRatio = usedRatio - elapsedMs / lengthMs;
  const pace = Math.abs(aheadRatio) <= ON_PACE_RATIO ? "on" : aheadRatio > 0 ? "ahead" : "behind";
  const exhaustsMs = exhaustsAt({ startMs, elapsedMs, lengthMs, usedRatio });
  const isInTime = exhaustsMs !== null && exhaustsMs < resetAtMs;
  return { ...known, pace, exhaustsAtMs: isInTime ? epochMs(Math.max(nowMs, exhaustsMs)) : null };
}

function usedRatioOf({ usedRatio, limit, remaining }: PacedWindow): number | null {
  if (usedRatio !== null || limit === null || remaining === null || limit <= 0) {
    return usedRatio;
  }
  return Math.max(0, 1 - remaining / limit);
}

/** Null when it is too early to tell, or when nothing was used. */
function exhaustsAt(use: {
  readonly startMs: number;
  readonly elapsedMs: number;
  readonly lengthMs: number;
  readonly usedRatio: number;
}): number | null {
  const { startMs, elapsedMs, lengthMs, usedRatio } = use;
  if (usedRatio >= 1) {
    return startMs + elapsedMs;
  }
  return usedRatio === 0 || elapsedMs < lengthMs * MIN_ELAPSED_RATIO
    ? null
    : Math.round(startMs + elapsedMs / usedRatio);
}

/** Null for a window whose name says no length. */
// hot path: the names of today come first, before a pattern is asked.
export function windowLengthMs(name: string): DurationMs | null {
  switch (name) {
    case "5h":
      return FIVE_HOURS;
    case "7d":
      return SEVEN_DAYS;
    default:
      return lengthOf(name);
  }
}

function lengthOf(name: string): DurationMs | null {
  const match = LENGTH.exec(name);
  const count = Number(match?.[1] ?? 0);
  return count === 0 ? null : durationMs(count * (match?.[2] === "d" ? 24 : 1) * MS_PER_HOUR);
}
