import type { ModelClass } from "../../src/domain/account/account.ts";
import { fiveHours, sevenDays } from "./organization-limits.ts";
import { createCreditWindow, createFixedWindow, type PlanWindow } from "./plan-window.ts";
import { stormAt } from "./provider.ts";
import { createTokenBucket, type TokenBucket } from "./token-bucket.ts";
import type { BucketLimits, Organization, Trace } from "./trace.ts";

/** Which of a plan's two windows counts; the other is left out, so that either alone can only allow more. */
export type CountedWindow = "5h" | "7d";

export type Work = {
  readonly modelClass: ModelClass;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly planMicroUsd: number;
};

/** All organizations of a trace as one: a request may be split between them as finely as it likes. */
export interface PooledLimits {
  /** 0: taken. Else how long until it may fit; look again then. */
  take(work: Work, nowMs: number): number;
}

type Source = {
  readonly organization: Organization;
  readonly window: PlanWindow | null;
  readonly buckets: ReadonlyMap<string, Buckets>;
  /** The last of its credentials dies then. */
  readonly diesAtMs: number;
};
type Buckets = readonly [requests: TokenBucket, input: TokenBucket, output: TokenBucket];

/** While buckets refill. */
const LOOK_AGAIN_MS = 250;
/** While upstreams are out. */
const LOOK_FOR_LIFE_MS = 1_000;

export function createPooledLimits(trace: Trace, counted: CountedWindow): PooledLimits {
  const sources = sourcesOf(trace, counted);
  return {
    take(work, nowMs) {
      const alive = sources.filter((source) => isAlive(trace, source, nowMs));
      const parts = splitted(alive, work, nowMs);
      if (parts === null) return lookAgainMs(alive, work, nowMs);
      for (const take of parts) take();
      return 0;
    },
  };
}

function lookAgainMs(alive: readonly Source[], { modelClass }: Work, nowMs: number): number {
  if (alive.length === 0) return LOOK_FOR_LIFE_MS;
  if (alive.some(({ buckets }) => buckets.has(modelClass))) return LOOK_AGAIN_MS;
  return Math.max(1, Math.min(...alive.map((source) => lostAtMs(source, nowMs))) - nowMs);
}

function sourcesOf(trace: Trace, counted: CountedWindow): readonly Source[] {
  const sources = new Map<string, Source>();
  for (const { organization, diesAtMs } of trace.credentials) {
    const known = sources.get(organization.id);
    const diesMs = Math.max(known?.diesAtMs ?? 0, diesAtMs ?? Number.POSITIVE_INFINITY);
    const fresh = {
      organization,
      window: windowOf(organization, counted, trace.startMs),
      buckets: bucketsOf(organization),
    };
    sources.set(organization.id, { ...(known ?? fresh), diesAtMs: diesMs });
  }
  return [...sources.values()];
}

function windowOf({ plan }: Organization, counted: CountedWindow, startMs: number): PlanWindow | null {
  if (plan === null) return null;
  return counted === "5h" ? createCreditWindow(fiveHours(plan)) : createFixedWindow(sevenDays(plan), startMs);
}

function bucketsOf({ buckets }: Organization): ReadonlyMap<string, Buckets> {
  return new Map(Object.entries(buckets).map(([modelClass, limits]) => [modelClass, newBuckets(limits)]));
}

function newBuckets(limits: BucketLimits): Buckets {
  return [
    createTokenBucket(limits.requestsPerMinute),
    createTokenBucket(limits.inputTokensPerMinute),
    createTokenBucket(limits.outputTokensPerMinute),
  ];
}

/** A partial storm stops nobody who knows which attempts succeed. */
function isAlive(trace: Trace, { organization, diesAtMs }: Source, nowMs: number): boolean {
  return nowMs < diesAtMs && (stormAt(trace.storms, organization.baseUrl, nowMs)?.failRatio ?? 0) < 1;
}

/** What is lost soonest is used first. Null: together they have too little. */
function splitted(sources: readonly Source[], work: Work, nowMs: number): readonly (() => void)[] | null {
  const inOrder = [...sources].sort((left, right) => lostAtMs(left, nowMs) - lostAtMs(right, nowMs));
  let missing = 1;
  const parts: (() => void)[] = [];
  for (const source of inOrder) {
    const share = Math.min(missing, shareOf(source, work, nowMs));
    missing -= share;
    parts.push(() => takeFrom(source, work, { share, nowMs }));
    if (missing < 1e-9) return parts;
  }
  return null;
}

/** How much of the request this organization could take, 0 and more. */
function shareOf({ window, buckets }: Source, work: Work, nowMs: number): number {
  const [requests, input, output] = buckets.get(work.modelClass) ?? [];
  return Math.min(
    window === null ? Number.POSITIVE_INFINITY : part(window.left(nowMs), work.planMicroUsd),
    requests === undefined ? Number.POSITIVE_INFINITY : part(requests.level(nowMs), 1),
    input === undefined ? Number.POSITIVE_INFINITY : part(input.level(nowMs), work.inputTokens),
    output === undefined ? Number.POSITIVE_INFINITY : part(output.level(nowMs), work.outputTokens),
  );
}

function part(free: number, wanted: number): number {
  return wanted <= 0 ? Number.POSITIVE_INFINITY : Math.max(0, free) / wanted;
}

function takeFrom({ window, buckets }: Source, work: Work, { share, nowMs }: { share: number; nowMs: number }): void {
  const [requests, input, output] = buckets.get(work.modelClass) ?? [];
  window?.take(share * work.planMicroUsd, nowMs);
  requests?.take(share, nowMs);
  input?.take(share * work.inputTokens, nowMs);
  output?.take(share * work.outputTokens, nowMs);
}

/** A window's rest is lost at its reset or with its credential; a bucket refills at once, so it goes first. */
function lostAtMs({ window, diesAtMs }: Source, nowMs: number): number {
  return Math.min(diesAtMs, window === null ? nowMs : window.resetAtMs(nowMs));
}
