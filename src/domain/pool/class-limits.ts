import { after, durationMs, type EpochMs } from "../../kernel/time.ts";
import type { ReasonCode } from "../failover/reason.ts";
import type { LimitFacts, LimitWindowFact } from "../ratelimit/limit-facts.ts";
import { softUntil } from "../ratelimit/limit-meaning.ts";
import { type Block, laterBlock } from "./block.ts";

/** What is known of one model class in one limit group. */
export type ClassLimits = {
  readonly bench: { readonly untilMs: EpochMs; readonly reason: ReasonCode } | null;
  readonly probe: Probe | null;
  readonly softUntilMs: EpochMs | null;
  readonly windows: readonly LimitWindowFact[];
  /** When `windows` was said; at most one second behind the newest answer. */
  readonly seenAtMs: EpochMs;
};

/** Limited, and the provider did not say until when: rest, then let one request test it. */
type Probe = {
  readonly failures: number;
  readonly untilMs: EpochMs;
  /** While it lasts one request is testing; a test whose outcome is lost ends here. */
  readonly leaseUntilMs: EpochMs | null;
};

const FIRST_BACK_OFF_MS = 2_000;
const MAX_BACK_OFF_MS = 60_000;
/** A 429 this long after the last one is a new story, not a failed probe. */
const BACK_OFF_MEMORY_MS = durationMs(600_000);
const PROBE_LEASE_MS = durationMs(60_000);
/** Windows change with each answer; keeping every change would cost more than it tells. */
const WINDOW_REFRESH_MS = 1_000;

const nothing: ClassLimits = { bench: null, probe: null, softUntilMs: null, windows: [], seenAtMs: 0 as EpochMs };

/** A successful answer: the probe passed. A bench stays: an answer that was under way proves nothing about it. */
export function afterServed(
  before: ClassLimits | undefined,
  limits: LimitFacts,
  nowMs: EpochMs,
): ClassLimits | undefined {
  const passed = before !== undefined && before.probe !== null ? { ...before, probe: null } : before;
  return afterSeen(passed, limits, nowMs);
}

/** Any other answer: the probe is over without a verdict, the next request may test again. */
export function afterRefused(
  before: ClassLimits | undefined,
  limits: LimitFacts,
  nowMs: EpochMs,
): ClassLimits | undefined {
  return afterSeen(afterProbeLost(before), limits, nowMs);
}

export function afterProbeLost(before: ClassLimits | undefined): ClassLimits | undefined {
  const probe = before?.probe ?? null;
  if (before === undefined || probe === null || probe.leaseUntilMs === null) {
    return before;
  }
  return { ...before, probe: { ...probe, leaseUntilMs: null } };
}

/** Until exactly then. Of two benches the later end counts: both limits must be over. */
export function afterBenched(
  before: ClassLimits | undefined,
  bench: { untilMs: EpochMs; reason: ReasonCode },
): ClassLimits {
  const known = before ?? nothing;
  const isCovered = known.bench !== null && known.bench.untilMs >= bench.untilMs;
  if (isCovered && known.probe === null) {
    return known;
  }
  return { ...known, bench: isCovered ? known.bench : bench, probe: null };
}

/** 2 s, 4 s ... 60 s, each a quarter more or less by chance. Grows only when a probe fails, not per straggler. */
export function afterThrottled(before: ClassLimits | undefined, random: number, nowMs: EpochMs): ClassLimits {
  const known = before ?? nothing;
  const { probe } = known;
  if (probe !== null && nowMs < probe.untilMs) {
    return known;
  }
  const isFresh = probe === null || nowMs > after(probe.untilMs, BACK_OFF_MEMORY_MS);
  const failures = isFresh ? 1 : probe.failures + 1;
  const backOffMs = Math.min(MAX_BACK_OFF_MS, FIRST_BACK_OFF_MS * 2 ** Math.min(failures - 1, 10));
  const jitteredMs = Math.min(MAX_BACK_OFF_MS, Math.round(backOffMs * (0.75 + random / 2)));
  return { ...known, probe: { failures, untilMs: after(nowMs, durationMs(jitteredMs)), leaseUntilMs: null } };
}

/** The request that leaves now is the one probe, if one is due. */
export function afterProbeStarted(before: ClassLimits | undefined, nowMs: EpochMs): ClassLimits | undefined {
  if (before === undefined || !isProbeDue(before, nowMs)) {
    return before;
  }
  const { probe } = before;
  return probe === null ? before : { ...before, probe: { ...probe, leaseUntilMs: after(nowMs, PROBE_LEASE_MS) } };
}

export function isProbeDue(limits: ClassLimits, nowMs: EpochMs): boolean {
  const { probe } = limits;
  return probe !== null && nowMs >= probe.untilMs && (probe.leaseUntilMs === null || nowMs >= probe.leaseUntilMs);
}

/** What keeps this class from use now; null when nothing does. */
export function classBlock(limits: ClassLimits, nowMs: EpochMs): Block | null {
  const { bench, probe } = limits;
  const benched = bench !== null && nowMs < bench.untilMs ? bench : null;
  if (probe === null) {
    return benched;
  }
  if (nowMs < probe.untilMs) {
    return laterBlock(benched, { untilMs: probe.untilMs, reason: "throttled" });
  }
  const isLeased = probe.leaseUntilMs !== null && nowMs < probe.leaseUntilMs;
  return isLeased ? laterBlock(benched, { untilMs: probe.leaseUntilMs, reason: "probing" }) : benched;
}

/** Until when this state matters: what ends first is forgotten first. */
export function classWorth(limits: ClassLimits): number {
  return Math.max(limits.bench?.untilMs ?? 0, limits.probe?.untilMs ?? 0, limits.softUntilMs ?? 0, limits.seenAtMs);
}

function afterSeen(before: ClassLimits | undefined, limits: LimitFacts, nowMs: EpochMs): ClassLimits | undefined {
  const softUntilMs = softUntil(limits, nowMs);
  const known = before ?? nothing;
  const wasSoft = known.softUntilMs !== null && nowMs < known.softUntilMs;
  const isSoft = softUntilMs !== null;
  const isStale = limits.windows.length > 0 && Math.abs(nowMs - known.seenAtMs) >= WINDOW_REFRESH_MS;
  if (wasSoft === isSoft && !isStale) {
    return before;
  }
  const hasWindows = limits.windows.length > 0;
  return {
    ...known,
    softUntilMs,
    windows: hasWindows ? limits.windows : known.windows,
    seenAtMs: hasWindows ? nowMs : known.seenAtMs,
  };
}
