import { after, durationMs, type EpochMs } from "../../kernel/time.ts";
import type { LimitFacts, LimitWindowFact } from "./limit-facts.ts";

/** Undocumented upstream; the words are from published captures of 2026-08 and design.md section 6. */
const HARD_STATUSES: ReadonlySet<string> = new Set([
  "rejected",
  "rate_limited",
  "blocked",
  "queueing_hard",
  "payment_required",
]);
const SOFT_STATUSES: ReadonlySet<string> = new Set(["allowed_warning", "queueing_soft"]);

/** At or below this share of its limit a window is low. */
const LOW_REMAINING_RATIO = 0.1;
/** How long a warning that names no reset ranks an account behind. */
const WARNING_WITHOUT_RESET_MS = durationMs(60_000);

export function isHardStatus(status: string | null | undefined): boolean {
  return typeof status === "string" && HARD_STATUSES.has(status);
}

/** The reset that goes with a hard unified status: the summary's, else the last of the windows that are hard. */
export function hardReset(limits: LimitFacts, nowMs: EpochMs): EpochMs | null {
  if (!isHardStatus(limits.unified?.status)) {
    return null;
  }
  const stated = future(limits.unified?.resetAtMs ?? null, nowMs);
  if (stated !== null) {
    return stated;
  }
  return latest(
    limits.windows.filter((window) => isHardStatus(window.status)).map((window) => window.resetAtMs),
    nowMs,
  );
}

/**
 * Until when a 429 says that the account is limited; null when no header says so.
 *
 * A hard plan status counts first, then retry-after, then the reset of the window nearest to exhaustion: resets of
 * token buckets name full replenishment, which is later than the first moment that a request fits in (P27, P30).
 */
export function limitedUntil(limits: LimitFacts, nowMs: EpochMs): EpochMs | null {
  return hardReset(limits, nowMs) ?? limits.retryAtMs ?? planReset(limits, nowMs) ?? scarcestReset(limits, nowMs);
}

/** A plan that still says "allowed" answers 429 for a burst: its window's reset, hours away, is not the one to wait for. */
function planReset(limits: LimitFacts, nowMs: EpochMs): EpochMs | null {
  const { unified } = limits;
  return unified === null || unified.status !== null ? null : future(unified.resetAtMs, nowMs);
}

function scarcestReset(limits: LimitFacts, nowMs: EpochMs): EpochMs | null {
  let chosen: { ratio: number; resetAtMs: EpochMs } | null = null;
  for (const window of limits.windows) {
    const resetAtMs = future(window.resetAtMs, nowMs);
    // An empty Priority Tier falls back to the ordinary pool, so it is never what limits a request.
    if (resetAtMs === null || window.isPlan || window.name.startsWith("priority-")) {
      continue;
    }
    const ratio = remainingRatio(window) ?? 0;
    if (chosen === null || ratio < chosen.ratio || (ratio === chosen.ratio && resetAtMs > chosen.resetAtMs)) {
      chosen = { ratio, resetAtMs };
    }
  }
  return chosen?.resetAtMs ?? null;
}

/**
 * Until when the account should be ranked behind others, because the provider warns or an ordinary window runs low;
 * null when there is no sign of that. Nothing is benched for it.
 */
export function softUntil(limits: LimitFacts, nowMs: EpochMs): EpochMs | null {
  let untilMs = warnedUntil(limits, nowMs);
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

function warnedUntil(limits: LimitFacts, nowMs: EpochMs): EpochMs | null {
  const { unified } = limits;
  if (unified === null || unified.status === null || !SOFT_STATUSES.has(unified.status)) {
    return null;
  }
  return future(unified.resetAtMs, nowMs) ?? after(nowMs, WARNING_WITHOUT_RESET_MS);
}

function remainingRatio(window: LimitWindowFact): number | null {
  const { limit, remaining } = window;
  return remaining === null || limit === null || limit === 0 ? null : remaining / limit;
}

function future(instant: EpochMs | null, nowMs: EpochMs): EpochMs | null {
  return instant !== null && instant > nowMs ? instant : null;
}

function latest(instants: readonly (EpochMs | null)[], nowMs: EpochMs): EpochMs | null {
  return instants.reduce<EpochMs | null>((found, instant) => {
    const candidate = future(instant, nowMs);
    return candidate !== null && (found === null || candidate > found) ? candidate : found;
  }, null);
}
