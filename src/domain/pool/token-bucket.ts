import { after, durationMs, type EpochMs } from "../../kernel/time.ts";
import type { LimitWindowFact } from "../ratelimit/limit-facts.ts";

export type TokenAmount = { readonly inputTokens: number; readonly outputTokens: number };

/** What was started. */
export type StartedAmount = TokenAmount & { readonly requests: number };

/** One limit as a bucket that is refilled all the time (protocol P27). */
export type TokenBucket = {
  readonly name: string;
  readonly limit: number;
  readonly ratePerMs: number;
  readonly resetAtMs: EpochMs | null;
  /** What it held at `atMs`; below zero when more was started than there was. */
  level: number;
  atMs: EpochMs;
};

/** The published limits are per minute (https://platform.claude.com/docs/en/api/rate-limits, 2026-10). */
const PER_MS = 1 / 60_000;
/** Below this used share the reset is too coarse (whole seconds, whole thousands of tokens) to reckon a rate from it. */
const MEASURABLE_RATIO = 0.1;

/** Null for a window that is no bucket of ordinary requests: of a plan, of another pool, or without figures. */
export function bucketOf(window: LimitWindowFact, seenAtMs: EpochMs): TokenBucket | null {
  const { name, limit, remaining, resetAtMs } = window;
  const isOther = window.isPlan || name.startsWith("priority-") || name.startsWith("fast-");
  if (isOther || limit === null || remaining === null) return null;
  const used = Math.max(0, limit - remaining);
  const refillMs = resetAtMs === null ? 0 : resetAtMs - seenAtMs;
  const isMeasurable = refillMs > 0 && used >= limit * MEASURABLE_RATIO && used > 0;
  const ratePerMs = isMeasurable ? used / refillMs : limit * PER_MS;
  return { name, limit, ratePerMs, resetAtMs, level: limit - used, atMs: seenAtMs };
}

// hot path
export function levelAt(bucket: TokenBucket, nowMs: EpochMs): number {
  const refilled = bucket.level + bucket.ratePerMs * Math.max(0, nowMs - bucket.atMs);
  return Math.min(bucket.limit, refilled);
}

/** At most one whole limit below empty: what upstream refused was never taken, and must not be waited for for hours. */
// hot path
export function draw(bucket: TokenBucket, amount: StartedAmount, atMs: EpochMs): void {
  const level = levelAt(bucket, atMs) - drawn(bucket.name, amount);
  bucket.level = Math.max(-bucket.limit, level);
  bucket.atMs = atMs > bucket.atMs ? atMs : bucket.atMs;
}

/**
 * When it holds what the demand needs; null when it does now. At the latest at the stated reset, or one whole refill
 * from now when that has passed. More than the bucket can ever hold needs it to be full, no more.
 */
// hot path
export function roomAt(bucket: TokenBucket, demand: TokenAmount, nowMs: EpochMs): EpochMs | null {
  const { name, limit, ratePerMs, resetAtMs } = bucket;
  const need = Math.min(limit, needed(name, demand));
  const missing = need - levelAt(bucket, nowMs);
  // Sums of fractions: a full bucket may be short of its limit by less than anyone counts.
  if (missing <= limit * 1e-9) return null;
  const untilMs = after(nowMs, durationMs(Math.ceil(Math.min(missing, limit) / ratePerMs)));
  return resetAtMs !== null && resetAtMs > nowMs && resetAtMs < untilMs ? resetAtMs : untilMs;
}

function needed(name: string, demand: TokenAmount): number {
  switch (name) {
    case "requests":
      return 1;
    case "tokens":
      return demand.inputTokens + demand.outputTokens;
    case "input-tokens":
      return demand.inputTokens;
    case "output-tokens":
      return demand.outputTokens;
    default:
      return 0;
  }
}

function drawn(name: string, amount: StartedAmount): number {
  return name === "requests" ? amount.requests : needed(name, amount);
}
