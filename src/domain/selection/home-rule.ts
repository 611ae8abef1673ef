import { type DurationMs, type EpochMs, elapsed } from "../../kernel/time.ts";
import type { Home } from "../affinity/home-book.ts";
import { isCacheAlive, patienceMs } from "../affinity/move.ts";
import type { SelectionRule } from "./choice.ts";

/** Why a home cannot serve this request now. */
export type Away = {
  /** When it can again; null when that takes an operator, or when waiting would change nothing for this request. */
  readonly untilMs: EpochMs | null;
  /** It serves others meanwhile: this request has tried it, or it may only be sent a probe. */
  readonly servesOthers: boolean;
};

export type Clock = { readonly nowMs: EpochMs; readonly waitedMs: DurationMs };

/** Is waiting for the home cheaper than the cheapest move that is possible now? Nobody waits to save nothing. */
export function isWorthWaiting(
  { away, priceMicroUsd }: { readonly away: Away; readonly priceMicroUsd: number },
  rule: SelectionRule,
  clock: Clock,
): boolean {
  const { untilMs } = away;
  if (untilMs === null) {
    return false;
  }
  const patience = patienceMs(priceMicroUsd, rule.waitPriceUsdPerHour);
  return elapsed(clock.nowMs, untilMs) <= patience && isWithinWait(untilMs, rule, clock);
}

/** May this request wait until then, with what it has waited already? */
export function isWithinWait(untilMs: EpochMs, rule: SelectionRule, { nowMs, waitedMs }: Clock): boolean {
  return waitedMs + elapsed(nowMs, untilMs) <= rule.maxWaitMs;
}

/**
 * Does the home stay the home while this request is served elsewhere? Only when its cache is still there when it is
 * back. A home that never answered holds nothing to come back for.
 */
export function isSpill(home: Home, away: Away, nowMs: EpochMs): boolean {
  const backAtMs = away.untilMs ?? (away.servesOthers ? nowMs : null);
  return backAtMs !== null && home.prefixTokens > 0 && isCacheAlive(home, backAtMs);
}
