import { after, durationMs, type EpochMs } from "../../kernel/time.ts";
import type { ModelClass } from "../account/account.ts";
import type { LimitFacts, LimitWindowFact } from "./limit-facts.ts";
import { classOfPlanWindow, isOfWholePlan, type LimitScope, planScope } from "./limit-scope.ts";

/** Undocumented upstream; the words are from published captures of 2026-08 and design.md section 6. */
const HARD_STATUSES: ReadonlySet<string> = new Set([
  "rejected",
  "rate_limited",
  "blocked",
  "queueing_hard",
  "payment_required",
]);
const SOFT_STATUSES: ReadonlySet<string> = new Set(["allowed_warning", "queueing_soft"]);

const UNIFIED_RESET = "anthropic-ratelimit-unified-reset";
/** At or below this share of its limit a window is low. */
const LOW_REMAINING_RATIO = 0.1;
/** How long a warning that names no reset ranks an account behind. */
const WARNING_WITHOUT_RESET_MS = durationMs(60_000);

export function isHardStatus(status: string | null | undefined): boolean {
  return typeof status === "string" && HARD_STATUSES.has(status);
}

/** An instant that a response named. `by` is the header that did, or the place in the message. */
export type Stated = { readonly untilMs: EpochMs; readonly by: string };

/**
 * The reset that goes with a hard unified status: the summary's, else the last of the hard windows of the same scope, else
 * the last of all hard ones.
 */
export function hardReset(limits: LimitFacts, nowMs: EpochMs): Stated | null {
  if (!isHardStatus(limits.unified?.status)) {
    return null;
  }
  const stated = future(limits.unified?.resetAtMs ?? null, nowMs);
  if (stated !== null) {
    return { untilMs: stated, by: UNIFIED_RESET };
  }
  const isGroup = hardScope(limits) === "group";
  const hard = limits.windows.filter((window) => isHardStatus(window.status));
  const ofScope = hard.filter((window) => isOfWholePlan(window.name) === isGroup);
  return lastReset(ofScope, nowMs) ?? lastReset(hard, nowMs);
}

/** Whom a hard unified status benches. */
export function hardScope(limits: LimitFacts): LimitScope {
  return planScope(limits, isHardStatus);
}

/**
 * The reset of the windows that are used up as well, of the scope that the summary does not name: a plan's 5 hours beside
 * one class's 7 days. Null when there is none. Only hard windows of the whole plan, or of this class, are looked at.
 */
export function otherHardReset(limits: LimitFacts, modelClass: ModelClass, nowMs: EpochMs): Stated | null {
  const isGroup = hardScope(limits) === "group";
  const others = limits.windows.filter((window) => {
    const named = classOfPlanWindow(window.name);
    return (
      window.isPlan && isHardStatus(window.status) && (isGroup ? named === modelClass : isOfWholePlan(window.name))
    );
  });
  return lastReset(others, nowMs);
}

/**
 * Until when a 429 says that the account is limited; null when no header says so.
 *
 * A hard plan status counts first, then retry-after, then the reset of the window nearest to exhaustion: resets of
 * token buckets name full replenishment, which is later than the first moment that a request fits in (P27, P30).
 */
export function limitedUntil(limits: LimitFacts, nowMs: EpochMs): Stated | null {
  return hardReset(limits, nowMs) ?? retryAfter(limits) ?? planReset(limits, nowMs) ?? scarcestReset(limits, nowMs);
}

export function retryAfter({ retryAtMs }: LimitFacts): Stated | null {
  return retryAtMs === null ? null : { untilMs: retryAtMs, by: "retry-after" };
}

/** A plan that still says "allowed" answers 429 for a burst: its window's reset, hours away, is not the one to wait for. */
function planReset(limits: LimitFacts, nowMs: EpochMs): Stated | null {
  const { unified } = limits;
  const untilMs = unified === null || unified.status !== null ? null : future(unified.resetAtMs, nowMs);
  return untilMs === null ? null : { untilMs, by: UNIFIED_RESET };
}

function scarcestReset(limits: LimitFacts, nowMs: EpochMs): Stated | null {
  let chosen: { ratio: number; resetAtMs: EpochMs; window: LimitWindowFact } | null = null;
  for (const window of limits.windows) {
    const resetAtMs = future(window.resetAtMs, nowMs);
    // An empty Priority Tier falls back to the ordinary pool, so it is never what limits a request.
    if (resetAtMs === null || window.isPlan || window.name.startsWith("priority-")) {
      continue;
    }
    const ratio = remainingRatio(window) ?? 0;
    if (chosen === null || ratio < chosen.ratio || (ratio === chosen.ratio && resetAtMs > chosen.resetAtMs)) {
      chosen = { ratio, resetAtMs, window };
    }
  }
  return chosen === null ? null : { untilMs: chosen.resetAtMs, by: resetHeader(chosen.window) };
}

/**
 * Until when this model class should be ranked behind others, because the provider warns of a limit of the class or an
 * ordinary window runs low; null when there is no sign of that. Nothing is benched for it.
 */
export function softUntil(limits: LimitFacts, nowMs: EpochMs): EpochMs | null {
  let untilMs = warnedUntil(limits, "class", nowMs);
  for (const window of limits.windows) {
    const isOrdinary = !window.isPlan && !window.name.startsWith("priority-") && !window.name.startsWith("fast-");
    const ratio = remainingRatio(window);
    if (isOrdinary && ratio !== null && ratio <= LOW_REMAINING_RATIO) {
      const lowUntilMs = future(window.resetAtMs, nowMs) ?? after(nowMs, WARNING_WITHOUT_RESET_MS);
      untilMs = untilMs === null || lowUntilMs > untilMs ? lowUntilMs : untilMs;
    }
  }
  return untilMs;
}

/** The same for every class of the group, because the provider warns of a window of the whole plan. */
export function planSoftUntil(limits: LimitFacts, nowMs: EpochMs): EpochMs | null {
  return warnedUntil(limits, "group", nowMs);
}

function warnedUntil(limits: LimitFacts, scope: LimitScope, nowMs: EpochMs): EpochMs | null {
  const { unified } = limits;
  if (unified === null || !isSoftStatus(unified.status) || planScope(limits, isSoftStatus) !== scope) {
    return null;
  }
  return future(unified.resetAtMs, nowMs) ?? after(nowMs, WARNING_WITHOUT_RESET_MS);
}

function isSoftStatus(status: string | null): boolean {
  return status !== null && SOFT_STATUSES.has(status);
}

function remainingRatio(window: LimitWindowFact): number | null {
  const { limit, remaining } = window;
  return remaining === null || limit === null || limit === 0 ? null : remaining / limit;
}

function future(instant: EpochMs | null, nowMs: EpochMs): EpochMs | null {
  return instant !== null && instant > nowMs ? instant : null;
}

function lastReset(windows: readonly LimitWindowFact[], nowMs: EpochMs): Stated | null {
  let found: Stated | null = null;
  for (const window of windows) {
    const untilMs = future(window.resetAtMs, nowMs);
    if (untilMs !== null && (found === null || untilMs > found.untilMs)) {
      found = { untilMs, by: resetHeader(window) };
    }
  }
  return found;
}

function resetHeader({ name, isPlan }: LimitWindowFact): string {
  if (isPlan) {
    return `anthropic-ratelimit-unified-${name}-reset`;
  }
  return name.startsWith("priority-") || name.startsWith("fast-")
    ? `anthropic-${name}-reset`
    : `anthropic-ratelimit-${name}-reset`;
}
