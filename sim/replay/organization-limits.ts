import type { ModelClass } from "../../src/domain/account/account.ts";
import { type LimitFacts, type LimitWindowFact, noLimitFacts } from "../../src/domain/ratelimit/limit-facts.ts";
import { type EpochMs, epochMs } from "../../src/kernel/time.ts";
import { createFixedWindow, createWindowFromUse, type PlanWindow, type WindowShape } from "./plan-window.ts";
import { createTokenBucket, type TokenBucket } from "./token-bucket.ts";
import type { BucketLimits, Organization, PlanLimits } from "./trace.ts";

/** What a request asks of its organization. */
export type Need = {
  readonly modelClass: ModelClass;
  /** Without cache reads. */
  readonly inputTokens: number;
  readonly maxTokens: number;
  readonly outputTokens: number;
  /** What a plan counts, see `planMicroUsdOf`. */
  readonly planMicroUsd: number;
};

export type Grant =
  | { readonly kind: "granted" }
  /** `waitMs`: until the same request would be granted. */
  | { readonly kind: "bucket" | "acceleration"; readonly waitMs: number }
  | { readonly kind: "plan"; readonly waitMs: number; readonly full: readonly PlanWindow[] };

/** The limits of one organization, and what its headers say about them. */
export interface OrganizationLimits {
  take(need: Need, nowMs: number): Grant;
  /** The answer ended: what `max_tokens` held back is free again. */
  finish(need: Need, nowMs: number): void;
  facts(modelClass: ModelClass, refused: Grant | null, nowMs: EpochMs): LimitFacts;
}

type Buckets = { readonly requests: TokenBucket; readonly input: TokenBucket; readonly output: TokenBucket };

const HOUR_MS = 3_600_000;
/** A plan warns from here on. */
const WARNING_RATIO = 0.9;

export function createOrganizationLimits(organization: Organization, startMs: number): OrganizationLimits {
  const buckets = new Map(Object.entries(organization.buckets).map(([name, limits]) => [name, newBuckets(limits)]));
  const windows = plansOf(organization, startMs);
  const ramps = new Map<ModelClass, Ramp>();

  function rampOf(modelClass: ModelClass): Ramp {
    const known = ramps.get(modelClass) ?? createRamp();
    ramps.set(modelClass, known);
    return known;
  }

  return {
    take(need, nowMs) {
      const full = windows.filter((window) => need.planMicroUsd > window.left(nowMs));
      if (full.length > 0) {
        return { kind: "plan", waitMs: Math.max(...full.map((window) => window.resetAtMs(nowMs))) - nowMs, full };
      }
      const ramp = rampOf(need.modelClass);
      const bucket = buckets.get(need.modelClass);
      const waitMs = bucket === undefined ? 0 : bucketWait(bucket, need, nowMs);
      if (waitMs > 0) return { kind: "bucket", waitMs };
      const rampWaitMs = ramp.waitMs(nowMs);
      if (rampWaitMs > 0) return { kind: "acceleration", waitMs: rampWaitMs };
      ramp.start(nowMs);
      bucket?.requests.take(1, nowMs);
      bucket?.input.take(need.inputTokens, nowMs);
      bucket?.output.take(need.maxTokens, nowMs);
      for (const window of windows) window.take(need.planMicroUsd, nowMs);
      return { kind: "granted" };
    },
    finish(need, nowMs) {
      buckets.get(need.modelClass)?.output.take(need.outputTokens - need.maxTokens, nowMs);
    },
    facts(modelClass, refused, nowMs) {
      const bucket = buckets.get(modelClass);
      return {
        ...noLimitFacts,
        retryAtMs: refused === null || refused.kind === "granted" ? null : retryAt(refused.waitMs, nowMs),
        windows: [...(bucket === undefined ? [] : bucketFacts(bucket, nowMs)), ...planFacts(windows, refused, nowMs)],
        unified: unifiedFacts(windows, refused, nowMs),
        organizationId: organization.id,
      };
    },
  };
}

function newBuckets(limits: BucketLimits): Buckets {
  return {
    requests: createTokenBucket(limits.requestsPerMinute),
    input: createTokenBucket(limits.inputTokensPerMinute),
    output: createTokenBucket(limits.outputTokensPerMinute),
  };
}

function plansOf({ plan }: Organization, startMs: number): readonly PlanWindow[] {
  return plan === null ? [] : [createWindowFromUse(fiveHours(plan)), createFixedWindow(sevenDays(plan), startMs)];
}

export function fiveHours(plan: PlanLimits): WindowShape {
  return { name: "5h", limit: plan.fiveHourMicroUsd, spanMs: 5 * HOUR_MS, firstResetMs: plan.fiveHourResetMs };
}

export function sevenDays(plan: PlanLimits): WindowShape {
  return { name: "7d", limit: plan.sevenDayMicroUsd, spanMs: 168 * HOUR_MS, firstResetMs: plan.sevenDayResetMs };
}

function bucketWait({ requests, input, output }: Buckets, need: Need, nowMs: number): number {
  return Math.max(
    requests.waitMs(1, nowMs),
    // A prompt larger than the bucket goes when the bucket is full: nothing else is possible.
    input.waitMs(Math.min(need.inputTokens, input.capacity), nowMs),
    output.waitMs(Math.min(need.maxTokens, output.capacity), nowMs),
  );
}

/** `retry-after` is a whole number of seconds; "earlier retries fail" (protocol.md, P30). */
function retryAt(waitMs: number, nowMs: number): EpochMs {
  return epochMs(nowMs + Math.max(1, Math.ceil(waitMs / 1000)) * 1000);
}

function bucketFacts(buckets: Buckets, nowMs: EpochMs): readonly LimitWindowFact[] {
  const named = [
    ["requests", buckets.requests, 1],
    ["input-tokens", buckets.input, 1000],
    ["output-tokens", buckets.output, 1000],
  ] as const;
  return named.map(([name, bucket, step]) => ({
    name,
    isPlan: false,
    limit: bucket.capacity,
    // Rounded to the thousand where tokens are counted (P30).
    remaining: Math.max(0, Math.round(bucket.level(nowMs) / step) * step),
    usedRatio: null,
    status: null,
    resetAtMs: epochMs(Math.ceil((nowMs + bucket.waitMs(bucket.capacity, nowMs)) / 1000) * 1000),
  }));
}

function planFacts(windows: readonly PlanWindow[], refused: Grant | null, nowMs: EpochMs): readonly LimitWindowFact[] {
  return windows.map((window) => {
    const usedRatio = usedRatioOf(window, nowMs);
    const isFull = refused?.kind === "plan" && refused.full.includes(window);
    return {
      name: window.name,
      isPlan: true,
      limit: null,
      remaining: null,
      usedRatio: Math.round(usedRatio * 10_000) / 10_000,
      status: isFull ? "rejected" : usedRatio >= WARNING_RATIO ? "allowed_warning" : "allowed",
      resetAtMs: epochMs(window.resetAtMs(nowMs)),
    };
  });
}

function usedRatioOf(window: PlanWindow, nowMs: number): number {
  return 1 - window.left(nowMs) / window.limit;
}

function unifiedFacts(windows: readonly PlanWindow[], refused: Grant | null, nowMs: EpochMs): LimitFacts["unified"] {
  if (windows.length === 0) return null;
  const fullest = windows.reduce((most, window) =>
    usedRatioOf(window, nowMs) > usedRatioOf(most, nowMs) ? window : most,
  );
  const isRejected = refused?.kind === "plan";
  const isLow = usedRatioOf(fullest, nowMs) >= WARNING_RATIO;
  return {
    status: isRejected ? "rejected" : isLow ? "allowed_warning" : "allowed",
    resetAtMs: epochMs(isRejected ? nowMs + refused.waitMs : fullest.resetAtMs(nowMs)),
    representativeClaim: fullest.name === "5h" ? "five_hour" : "seven_day",
    fallback: null,
    fallbackRatio: null,
    overageStatus: null,
    overageResetAtMs: null,
    overageDisabledReason: null,
    isOverageInUse: null,
  };
}

/**
 * The limit on sudden growth (protocol.md, P45); its figures are not published. Here: in 5 s at most 40 starts, or
 * three times as many as in the fullest 5 s of the last minute.
 */
interface Ramp {
  waitMs(nowMs: number): number;
  start(nowMs: number): void;
}

const RAMP_SLOT_MS = 5_000;
const RAMP_SLOTS = 12;
const RAMP_FLOOR = 40;
const RAMP_FACTOR = 3;

function createRamp(): Ramp {
  const counts = new Map<number, number>();
  function limit(slot: number): number {
    let most = 0;
    for (const [index, count] of counts) {
      if (index < slot - RAMP_SLOTS) counts.delete(index);
      else if (index < slot) most = Math.max(most, count);
    }
    return Math.max(RAMP_FLOOR, RAMP_FACTOR * most);
  }
  return {
    waitMs(nowMs) {
      const slot = Math.floor(nowMs / RAMP_SLOT_MS);
      return (counts.get(slot) ?? 0) < limit(slot) ? 0 : (slot + 1) * RAMP_SLOT_MS - nowMs;
    },
    start(nowMs) {
      const slot = Math.floor(nowMs / RAMP_SLOT_MS);
      counts.set(slot, (counts.get(slot) ?? 0) + 1);
    },
  };
}
