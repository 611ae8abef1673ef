import type { EpochMs } from "../../kernel/time.ts";
import type { LimitWindowFact } from "../ratelimit/limit-facts.ts";
import { isHardStatus } from "../ratelimit/limit-meaning.ts";
import { levelAt, roomAt, type TokenAmount, type TokenBucket } from "./token-bucket.ts";

export type Headroom = {
  /** Of the tightest window, 0..1, with what was started since it was seen. */
  readonly usedRatio: number;
  /** When there is room for the demand; null when there is now. */
  readonly fullUntilMs: EpochMs | null;
  /** The window that is full, else the tightest one, or "ramp"; null when nothing is known. */
  readonly cause: string | null;
};

/** What the windows add up to so far. */
export type Sum = {
  usedRatio: number;
  tightest: string | null;
  fullUntilMs: EpochMs | null;
  full: string | null;
  readonly nowMs: EpochMs;
};

export function newSum(nowMs: EpochMs): Sum {
  return { usedRatio: 0, tightest: null, fullUntilMs: null, full: null, nowMs };
}

export function headroomOf({ usedRatio, fullUntilMs, full, tightest }: Sum): Headroom {
  return { usedRatio: Math.min(1, usedRatio), fullUntilMs, cause: full ?? tightest };
}

export function addPlan(sum: Sum, windows: readonly LimitWindowFact[], uncountedRatio: number): void {
  for (const window of windows) {
    if (!window.isPlan || (window.usedRatio === null && window.status === null)) continue;
    const isOver = window.resetAtMs !== null && window.resetAtMs <= sum.nowMs;
    const saidRatio = isHardStatus(window.status) ? 1 : (window.usedRatio ?? 0);
    addRatio(sum, window.name, (isOver ? 0 : saidRatio) + uncountedRatio);
  }
}

export function addBuckets(sum: Sum, buckets: readonly TokenBucket[], demand: TokenAmount): void {
  for (const bucket of buckets) {
    const { name, limit } = bucket;
    addRatio(sum, name, limit === 0 ? 1 : 1 - levelAt(bucket, sum.nowMs) / limit);
    addFull(sum, name, roomAt(bucket, demand, sum.nowMs));
  }
}

function addRatio(sum: Sum, name: string, usedRatio: number): void {
  if (sum.tightest !== null && usedRatio <= sum.usedRatio) return;
  sum.usedRatio = usedRatio;
  sum.tightest = name;
}

/** All of them must have room. */
export function addFull(sum: Sum, name: string, untilMs: EpochMs | null): void {
  if (untilMs === null || (sum.fullUntilMs !== null && untilMs <= sum.fullUntilMs)) return;
  sum.fullUntilMs = untilMs;
  sum.full = name;
}
