import { after, durationMs, type EpochMs } from "../../kernel/time.ts";
import type { LimitFacts, LimitWindowFact } from "../ratelimit/limit-facts.ts";
import { planSoftUntil, softUntil } from "../ratelimit/limit-meaning.ts";
import { type Block, laterBlock } from "./block.ts";

/** What is known of one model class in one limit group, or of the plan that covers all of them. */
export type ClassLimits = {
  readonly bench: Block | null;
  readonly probe: Probe | null;
  readonly softUntilMs: EpochMs | null;
  /** All windows of one answer, a plan's among them. */
  readonly windows: readonly LimitWindowFact[];
  /** Headers of that answer that we do not know, as in `LimitFacts`. */
  readonly others: LimitFacts["others"];
  /** When `windows` was said; at most one second behind the newest answer. */
  readonly seenAtMs: EpochMs;
};

/** Limited, and the provider did not say until when: rest, then let one request test it. */
export type Probe = {
  readonly failures: number;
  readonly untilMs: EpochMs;
  readonly cause: string;
  /** While it lasts one request is testing; a test whose outcome is lost ends here. */
  readonly leaseUntilMs: EpochMs | null;
};

const FIRST_BACK_OFF_MS = 2_000;
const MAX_BACK_OFF_MS = 60_000;
/** A 429 this long after the last one is a new story, not a failed probe; and without one the story is over. */
const BACK_OFF_MEMORY_MS = durationMs(600_000);
const PROBE_LEASE_MS = durationMs(60_000);
/** A window that names no reset is worth remembering for so long. */
const WINDOW_WITHOUT_RESET_MS = durationMs(3_600_000);
/** Windows change with each answer; keeping every change would cost more than it tells. */
const WINDOW_REFRESH_MS = 1_000;

/** Nothing speaks against it. */
export const noLimits: ClassLimits = {
  bench: null,
  probe: null,
  softUntilMs: null,
  windows: [],
  others: [],
  seenAtMs: 0 as EpochMs,
};

/** A successful answer: the probe passed. A bench stays: an answer that was under way proves nothing about it. */
export function afterServed(
  before: ClassLimits | undefined,
  limits: LimitFacts,
  nowMs: EpochMs,
): ClassLimits | undefined {
  const passed = before !== undefined && before.probe !== null ? { ...before, probe: null } : before;
  return afterSeen(passed, limits, { softUntilMs: softUntil(limits, nowMs), nowMs });
}

/** Any other answer: the probe is over without a verdict, the next request may test again. */
export function afterRefused(
  before: ClassLimits | undefined,
  limits: LimitFacts,
  nowMs: EpochMs,
): ClassLimits | undefined {
  return afterSeen(afterProbeLost(before), limits, { softUntilMs: softUntil(limits, nowMs), nowMs });
}

/** Any answer, for the plan that covers every model class. */
export function afterPlanSeen(before: ClassLimits | null, limits: LimitFacts, nowMs: EpochMs): ClassLimits | null {
  if (limits.unified === null) {
    return before;
  }
  return afterSeen(before ?? undefined, limits, { softUntilMs: planSoftUntil(limits, nowMs), nowMs }) ?? null;
}

export function afterProbeLost(before: ClassLimits | undefined): ClassLimits | undefined {
  const probe = before?.probe ?? null;
  if (before === undefined || probe === null || probe.leaseUntilMs === null) {
    return before;
  }
  return { ...before, probe: { ...probe, leaseUntilMs: null } };
}

/** Until exactly then. Of two benches the later end counts: both limits must be over. */
export function afterBenched(before: ClassLimits | null | undefined, bench: Block): ClassLimits {
  const known = before ?? noLimits;
  const isCovered = known.bench !== null && known.bench.untilMs >= bench.untilMs;
  if (isCovered && known.probe === null) {
    return known;
  }
  const { untilMs, reason, cause } = bench;
  return { ...known, bench: isCovered ? known.bench : { untilMs, reason, cause }, probe: null };
}

/** 2 s, 4 s ... 60 s, each a quarter more or less by chance. Grows only when a probe fails, not per straggler. */
export function afterThrottled(
  before: ClassLimits | undefined,
  said: { readonly random: number; readonly cause: string },
  nowMs: EpochMs,
): ClassLimits {
  const known = before ?? noLimits;
  const { random, cause } = said;
  const { probe } = known;
  if (probe !== null && nowMs < probe.untilMs) {
    return known;
  }
  const isFresh = probe === null || nowMs > after(probe.untilMs, BACK_OFF_MEMORY_MS);
  const failures = isFresh ? 1 : probe.failures + 1;
  const backOffMs = Math.min(MAX_BACK_OFF_MS, FIRST_BACK_OFF_MS * 2 ** Math.min(failures - 1, 10));
  const jitteredMs = Math.min(MAX_BACK_OFF_MS, Math.round(backOffMs * (0.75 + random / 2)));
  return { ...known, probe: { failures, untilMs: after(nowMs, durationMs(jitteredMs)), cause, leaseUntilMs: null } };
}

/** The request that leaves now is the one probe, if one is due. */
export function afterProbeStarted(before: ClassLimits | undefined, nowMs: EpochMs): ClassLimits | undefined {
  if (before === undefined || probeDueSince(before, nowMs) === null) {
    return before;
  }
  const { probe } = before;
  return probe === null ? before : { ...before, probe: { ...probe, leaseUntilMs: after(nowMs, PROBE_LEASE_MS) } };
}

/** Since when a test is due; null when none is, also because nobody made one for so long that the limit is history. */
export function probeDueSince(limits: ClassLimits, nowMs: EpochMs): EpochMs | null {
  const { probe, bench } = limits;
  if (probe === null) {
    return null;
  }
  const sinceMs = laterOf(laterOf(probe.untilMs, probe.leaseUntilMs), bench?.untilMs);
  return nowMs >= sinceMs && nowMs <= after(sinceMs, BACK_OFF_MEMORY_MS) ? sinceMs : null;
}

/** What keeps this class from use now; null when nothing does. */
export function classBlock(limits: ClassLimits, nowMs: EpochMs): Block | null {
  const { bench, probe } = limits;
  const benched = bench !== null && nowMs < bench.untilMs ? bench : null;
  if (probe === null) {
    return benched;
  }
  if (nowMs < probe.untilMs) {
    return laterBlock(benched, { untilMs: probe.untilMs, reason: "throttled", cause: probe.cause });
  }
  const isLeased = probe.leaseUntilMs !== null && nowMs < probe.leaseUntilMs;
  return isLeased
    ? laterBlock(benched, { untilMs: probe.leaseUntilMs, reason: "probing", cause: probe.cause })
    : benched;
}

/**
 * What is worth writing down at this instant; null when nothing is. A test that is under way ends with the process, and
 * headers that we do not know are only shown.
 */
export function lastingLimits(limits: ClassLimits, nowMs: EpochMs): ClassLimits | null {
  const { bench, softUntilMs } = limits;
  const probe = limits.probe === null ? null : { ...limits.probe, leaseUntilMs: null };
  const windows = limits.windows.filter(
    ({ resetAtMs }) => nowMs < (resetAtMs ?? after(limits.seenAtMs, WINDOW_WITHOUT_RESET_MS)),
  );
  const lasting: ClassLimits = {
    bench: bench !== null && nowMs < bench.untilMs ? bench : null,
    probe: probe !== null && nowMs <= after(laterOf(probe.untilMs, bench?.untilMs), BACK_OFF_MEMORY_MS) ? probe : null,
    softUntilMs: softUntilMs !== null && nowMs < softUntilMs ? softUntilMs : null,
    windows,
    others: [],
    seenAtMs: windows.length === 0 ? noLimits.seenAtMs : limits.seenAtMs,
  };
  const isEmpty = lasting.bench === null && lasting.probe === null && lasting.softUntilMs === null;
  return isEmpty && windows.length === 0 ? null : lasting;
}

/** Until when this state matters: what ends first is forgotten first. */
export function classWorth(limits: ClassLimits): number {
  return Math.max(limits.bench?.untilMs ?? 0, limits.probe?.untilMs ?? 0, limits.softUntilMs ?? 0, limits.seenAtMs);
}

type Seen = { readonly softUntilMs: EpochMs | null; readonly nowMs: EpochMs };

function afterSeen(before: ClassLimits | undefined, limits: LimitFacts, seen: Seen): ClassLimits | undefined {
  const { softUntilMs, nowMs } = seen;
  const known = before ?? noLimits;
  const wasSoft = known.softUntilMs !== null && nowMs < known.softUntilMs;
  const isSoft = softUntilMs !== null;
  const hasWindows = limits.windows.length > 0 || limits.others.length > 0;
  const isStale = hasWindows && Math.abs(nowMs - known.seenAtMs) >= WINDOW_REFRESH_MS;
  if (wasSoft === isSoft && !isStale) {
    return before;
  }
  return {
    ...known,
    softUntilMs,
    windows: hasWindows ? limits.windows : known.windows,
    others: hasWindows ? limits.others : known.others,
    seenAtMs: hasWindows ? nowMs : known.seenAtMs,
  };
}

/** Of one class under two names: whatever blocks longer, and the newer windows. No bench and no back-off gets shorter. */
export function mergedLimits(left: ClassLimits, right: ClassLimits): ClassLimits {
  const newer = right.seenAtMs >= left.seenAtMs ? right : left;
  return {
    bench: laterBlock(left.bench, right.bench),
    probe: laterProbe(left.probe, right.probe),
    softUntilMs: laterInstant(left.softUntilMs, right.softUntilMs),
    windows: newer.windows,
    others: newer.others,
    seenAtMs: newer.seenAtMs,
  };
}

function laterProbe(left: Probe | null, right: Probe | null): Probe | null {
  if (left === null || right === null) {
    return left ?? right;
  }
  const later = right.untilMs > left.untilMs ? right : left;
  const failures = Math.max(left.failures, right.failures);
  return { ...later, failures, leaseUntilMs: laterInstant(left.leaseUntilMs, right.leaseUntilMs) };
}

function laterOf(instant: EpochMs, other: EpochMs | null | undefined): EpochMs {
  return typeof other === "number" && other > instant ? other : instant;
}

function laterInstant(left: EpochMs | null, right: EpochMs | null): EpochMs | null {
  return left === null || right === null ? (left ?? right) : laterOf(left, right);
}
