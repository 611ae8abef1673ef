import type { EpochMs } from "../../kernel/time.ts";

/** What a client key may take. Null: no such limit. */
export type KeyLimits = {
  readonly requestsPerMinute: number | null;
  /** Input and cache writes; what is read from a cache does not count, as at the provider. */
  readonly inputTokensPerMinute: number | null;
  readonly outputTokensPerMinute: number | null;
  /** Requests that run or wait at one time. */
  readonly concurrency: number | null;
};

export type LimitName = keyof KeyLimits;

export const NO_LIMITS: KeyLimits = {
  requestsPerMinute: null,
  inputTokensPerMinute: null,
  outputTokensPerMinute: null,
  concurrency: null,
};

/** Of a key that a user makes without saying any, and the most that somebody may take who makes keys for themselves alone. */
export const DEFAULT_LIMITS: KeyLimits = { ...NO_LIMITS, requestsPerMinute: 600, concurrency: 50 };

/** What one key has taken and not got back yet: three buckets that drain evenly, and a count. Numbers alone. */
export type KeyMeter = {
  requests: number;
  inputTokens: number;
  outputTokens: number;
  running: number;
  /** To when the buckets were drained. */
  atMs: EpochMs;
};

/** Tokens taken before they are known; given back against what it came to. */
export type TokenHold = { readonly inputTokens: number; readonly outputTokens: number };

const MINUTE_MS = 60_000;
/** Claude Code stops retrying above it (protocol P32). */
const MAX_RETRY_SECONDS = 60;

export type LimitReached = { readonly limit: LimitName; readonly retryAfterSeconds: number };

export function newKeyMeter(nowMs: EpochMs): KeyMeter {
  return { requests: 0, inputTokens: 0, outputTokens: 0, running: 0, atMs: nowMs };
}

/** Is it as good as new at `nowMs`, so that it may be forgotten? */
export function isRested(meter: KeyMeter, limits: KeyLimits, nowMs: EpochMs): boolean {
  drain(meter, limits, nowMs);
  return meter.running === 0 && meter.requests === 0 && meter.inputTokens === 0 && meter.outputTokens === 0;
}

/**
 * Counts one request, or says which limit it would break. A minute's worth may be taken at once and comes back evenly
 * (a token bucket, the same as GCRA with a tolerance of one minute). Whoever is let in must `leave` once.
 */
// hot path
export function enter(meter: KeyMeter, limits: KeyLimits, nowMs: EpochMs): LimitReached | null {
  const { requestsPerMinute, concurrency } = limits;
  if (concurrency !== null && meter.running >= concurrency) return { limit: "concurrency", retryAfterSeconds: 1 };
  if (requestsPerMinute !== null) {
    drain(meter, limits, nowMs);
    if (meter.requests + 1 > requestsPerMinute) {
      return reached("requestsPerMinute", meter.requests + 1 - requestsPerMinute, requestsPerMinute);
    }
    meter.requests += 1;
  }
  meter.running += 1;
  return null;
}

// hot path
export function leave(meter: KeyMeter): void {
  meter.running -= 1;
}

/** Is there any limit of tokens? Without one nothing needs to be reckoned. */
// hot path
export function limitsTokens({ inputTokensPerMinute, outputTokensPerMinute }: KeyLimits): boolean {
  return inputTokensPerMinute !== null || outputTokensPerMinute !== null;
}

/** Takes both or none. What is more than a whole minute's worth passes only when nothing was taken before it. */
export function hold(
  meter: KeyMeter,
  limits: KeyLimits,
  request: { readonly tokens: TokenHold; readonly nowMs: EpochMs },
): LimitReached | null {
  const { tokens, nowMs } = request;
  drain(meter, limits, nowMs);
  const { inputTokensPerMinute, outputTokensPerMinute } = limits;
  const reachedLimit =
    missing("inputTokensPerMinute", {
      taken: meter.inputTokens,
      more: tokens.inputTokens,
      limit: inputTokensPerMinute,
    }) ??
    missing("outputTokensPerMinute", {
      taken: meter.outputTokens,
      more: tokens.outputTokens,
      limit: outputTokensPerMinute,
    });
  if (reachedLimit !== null) return reachedLimit;
  if (inputTokensPerMinute !== null) meter.inputTokens += tokens.inputTokens;
  if (outputTokensPerMinute !== null) meter.outputTokens += tokens.outputTokens;
  return null;
}

/** What was held is replaced by what it came to. */
export function settle(
  meter: KeyMeter,
  limits: KeyLimits,
  request: { readonly held: TokenHold; readonly took: TokenHold; readonly nowMs: EpochMs },
): void {
  const { held, took, nowMs } = request;
  drain(meter, limits, nowMs);
  if (limits.inputTokensPerMinute !== null) {
    meter.inputTokens = Math.max(0, meter.inputTokens + took.inputTokens - held.inputTokens);
  }
  if (limits.outputTokensPerMinute !== null) {
    meter.outputTokens = Math.max(0, meter.outputTokens + took.outputTokens - held.outputTokens);
  }
}

/** A clock that goes back gives nothing back, and takes nothing either. */
// hot path
function drain(meter: KeyMeter, limits: KeyLimits, nowMs: EpochMs): void {
  const minutes = (nowMs - meter.atMs) / MINUTE_MS;
  meter.atMs = nowMs;
  if (minutes <= 0) return;
  meter.requests = Math.max(0, meter.requests - minutes * (limits.requestsPerMinute ?? 0));
  meter.inputTokens = Math.max(0, meter.inputTokens - minutes * (limits.inputTokensPerMinute ?? 0));
  meter.outputTokens = Math.max(0, meter.outputTokens - minutes * (limits.outputTokensPerMinute ?? 0));
}

type Asked = { readonly taken: number; readonly more: number; readonly limit: number | null };

function missing(name: LimitName, { taken, more, limit }: Asked): LimitReached | null {
  if (limit === null || taken === 0 || taken + more <= limit) return null;
  return reached(name, Math.min(taken, taken + more - limit), limit);
}

function reached(limit: LimitName, excess: number, perMinute: number): LimitReached {
  const seconds = Math.ceil((excess * MINUTE_MS) / perMinute / 1_000);
  return { limit, retryAfterSeconds: Math.min(MAX_RETRY_SECONDS, Math.max(1, seconds)) };
}
