/** Capacity of each token bucket, which is also what flows in per minute. Absent: no such limit. */
export type Limits = {
  readonly requests?: number;
  readonly inputTokens?: number;
  readonly outputTokens?: number;
};

/** The windows of a claude.ai plan, sent as `anthropic-ratelimit-unified-*`. Resets are epoch seconds. */
export type UnifiedWindows = {
  readonly status?: string;
  readonly resetSeconds?: number;
  readonly representativeClaim?: string;
  readonly fiveHour?: UnifiedWindow;
  readonly sevenDay?: UnifiedWindow;
  readonly overageStatus?: string;
};
export type UnifiedWindow = {
  readonly status?: string;
  /** 0..1 and above. */
  readonly utilizationRatio: number;
  readonly resetSeconds: number;
};

export type Demand = {
  readonly model: string;
  /** Without cache reads, which do not count (protocol.md, P27). */
  readonly inputTokens: number;
  /** The request's max_tokens; corrected when the answer ends. */
  readonly outputTokens: number;
};

export type Grant =
  | { readonly granted: true; settle(outputTokens: number): void }
  | { readonly granted: false; readonly retryAfterSeconds: number; readonly exhausted: string };

export interface RateLimiter {
  take(demand: Demand): Grant;
  /** `anthropic-ratelimit-*` as they stand now. */
  headers(model: string): readonly (readonly [string, string])[];
}

type Bucket = { readonly capacity: number; level: number; filledAtMs: number };
type Dimension = keyof Limits;

const WIRE_NAME: Readonly<Record<Dimension, string>> = {
  requests: "requests",
  inputTokens: "input-tokens",
  outputTokens: "output-tokens",
};
const DIMENSIONS: readonly Dimension[] = ["requests", "inputTokens", "outputTokens"];
const MINUTE_MS = 60_000;
const MAX_MODEL_CLASSES = 1_000;

/** Token buckets of one organization, one set per model class: more keys of it add no capacity (P27). */
export function createRateLimiter(limits: Limits, nowMs: () => number): RateLimiter {
  const classes = new Map<string, ReadonlyMap<Dimension, Bucket>>();

  function bucketsOf(model: string): ReadonlyMap<Dimension, Bucket> {
    const name = modelClass(model);
    let buckets = classes.get(name);
    if (buckets === undefined) {
      if (classes.size >= MAX_MODEL_CLASSES) classes.clear();
      buckets = newBuckets(limits, nowMs());
      classes.set(name, buckets);
    }
    for (const bucket of buckets.values()) refill(bucket, nowMs());
    return buckets;
  }

  return {
    take(demand) {
      const buckets = bucketsOf(demand.model);
      const needs: Readonly<Record<Dimension, number>> = { requests: 1, ...tokensOf(demand) };
      for (const [dimension, bucket] of buckets) {
        const missing = Math.min(needs[dimension], bucket.capacity) - bucket.level;
        if (missing <= 0) continue;
        const waitMs = (missing / bucket.capacity) * MINUTE_MS;
        return {
          granted: false,
          retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1000)),
          exhausted: `${bucket.capacity} ${WIRE_NAME[dimension].replace("-", " ")} per minute`,
        };
      }
      for (const [dimension, bucket] of buckets) bucket.level -= needs[dimension];
      return {
        granted: true,
        settle(outputTokens) {
          const bucket = buckets.get("outputTokens");
          if (bucket === undefined) return;
          refill(bucket, nowMs());
          bucket.level = Math.min(bucket.capacity, bucket.level + demand.outputTokens - outputTokens);
        },
      };
    },
    headers(model) {
      return limitHeaders(bucketsOf(model), nowMs());
    },
  };
}

function tokensOf(demand: Demand): { readonly inputTokens: number; readonly outputTokens: number } {
  return { inputTokens: demand.inputTokens, outputTokens: demand.outputTokens };
}

function newBuckets(limits: Limits, nowMs: number): ReadonlyMap<Dimension, Bucket> {
  const buckets = new Map<Dimension, Bucket>();
  for (const dimension of DIMENSIONS) {
    const capacity = limits[dimension];
    if (capacity !== undefined) buckets.set(dimension, { capacity, level: capacity, filledAtMs: nowMs });
  }
  return buckets;
}

function refill(bucket: Bucket, nowMs: number): void {
  const flowed = (Math.max(0, nowMs - bucket.filledAtMs) / MINUTE_MS) * bucket.capacity;
  bucket.level = Math.min(bucket.capacity, bucket.level + flowed);
  bucket.filledAtMs = nowMs;
}

/** "claude-opus-4-5-20251101" and "claude-3-opus-20240229" are both "opus"; an unknown id is its own class. */
export function modelClass(model: string): string {
  return /^claude-(?:[0-9.-]+)?([a-z]+)/.exec(model)?.[1] ?? model;
}

function limitHeaders(buckets: ReadonlyMap<Dimension, Bucket>, nowMs: number): readonly (readonly [string, string])[] {
  const headers: (readonly [string, string])[] = [];
  for (const [dimension, bucket] of buckets) {
    headers.push(...bucketHeaders(WIRE_NAME[dimension], bucket, { nowMs, isRounded: dimension !== "requests" }));
  }
  const tightest = [...buckets]
    .filter(([dimension]) => dimension !== "requests")
    .map(([, bucket]) => bucket)
    .sort((a, b) => a.level / a.capacity - b.level / b.capacity)[0];
  if (tightest !== undefined) headers.push(...bucketHeaders("tokens", tightest, { nowMs, isRounded: true }));
  return headers;
}

/** Tokens are told in thousands; the reset is when the bucket is full again, in whole seconds (P30). */
function bucketHeaders(
  name: string,
  bucket: Bucket,
  options: { readonly nowMs: number; readonly isRounded: boolean },
): readonly (readonly [string, string])[] {
  const level = Math.max(0, Math.floor(bucket.level));
  const remaining = options.isRounded ? Math.round(level / 1000) * 1000 : level;
  const fullAtMs = options.nowMs + ((bucket.capacity - bucket.level) / bucket.capacity) * MINUTE_MS;
  const reset = `${new Date(Math.ceil(fullAtMs / 1000) * 1000).toISOString().slice(0, 19)}Z`;
  const prefix = `anthropic-ratelimit-${name}`;
  return [
    [`${prefix}-limit`, String(bucket.capacity)],
    [`${prefix}-remaining`, String(remaining)],
    [`${prefix}-reset`, reset],
  ];
}

/** Undocumented; shape as seen in recordings of third parties (protocol.md, P31). */
export function unifiedHeaders(windows: UnifiedWindows): readonly (readonly [string, string])[] {
  const prefix = "anthropic-ratelimit-unified";
  const headers: (readonly [string, string])[] = [];
  function add(name: string, value: string | number | undefined): void {
    if (value !== undefined) headers.push([`${prefix}-${name}`, String(value)]);
  }
  const { fiveHour, sevenDay } = windows;
  add("status", windows.status ?? "allowed");
  add("reset", windows.resetSeconds ?? fiveHour?.resetSeconds ?? sevenDay?.resetSeconds);
  for (const [name, window] of [
    ["5h", fiveHour],
    ["7d", sevenDay],
  ] as const) {
    if (window === undefined) continue;
    add(`${name}-status`, window.status ?? "allowed");
    add(`${name}-utilization`, window.utilizationRatio);
    add(`${name}-reset`, window.resetSeconds);
  }
  add("representative-claim", windows.representativeClaim);
  add("overage-status", windows.overageStatus);
  return headers;
}
