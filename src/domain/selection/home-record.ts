import { type DurationMs, durationMs, type EpochMs } from "../../kernel/time.ts";
import type { AccountId } from "../account/account.ts";
import type { Home } from "../affinity/home-book.ts";
import { isCacheAlive } from "../affinity/move.ts";
import type { Usage } from "../usage/usage.ts";

const FIVE_MINUTES = durationMs(300_000);
const ONE_HOUR = durationMs(3_600_000);

/** A home from the moment a request leaves for it. Nothing is in its cache before the answer begins (protocol P25). */
export function firstHome(accountId: AccountId, nowMs: EpochMs): Home {
  return { accountId, lastUsedMs: nowMs, cacheMs: FIVE_MINUTES, prefixTokens: 0 };
}

/** The home after an answer. `startedMs`: upstream reads the cache, and so prolongs it, when it begins. */
export function usedHome(home: Home, usage: Usage | null, startedMs: EpochMs): Home {
  const lastUsedMs = startedMs > home.lastUsedMs ? startedMs : home.lastUsedMs;
  return {
    accountId: home.accountId,
    lastUsedMs,
    cacheMs: cacheMsAfter(home, usage),
    prefixTokens: prefixAfter(home, usage, startedMs),
  };
}

export function isSameHome(left: Home, right: Home): boolean {
  return (
    left.accountId === right.accountId &&
    left.lastUsedMs === right.lastUsedMs &&
    left.prefixTokens === right.prefixTokens &&
    left.cacheMs === right.cacheMs
  );
}

/** One hour as soon as something was written for an hour; what was only read lives as long as it did. */
function cacheMsAfter(home: Home, usage: Usage | null): DurationMs {
  if (isAbove0(usage?.cacheWrite1hTokens)) {
    return ONE_HOUR;
  }
  return isAbove0(usage?.cacheWrite5mTokens) && !isAbove0(usage?.cacheReadTokens) ? FIVE_MINUTES : home.cacheMs;
}

/**
 * What was read from the cache and written to it. A smaller prefix counts by half: the short one of a subagent must
 * not hide the main conversation's, and after a compaction the long one is forgotten in a few requests.
 */
function prefixAfter(home: Home, usage: Usage | null, atMs: EpochMs): number {
  if (usage === null || (usage.cacheReadTokens === null && !isAnyWriteKnown(usage))) {
    return home.prefixTokens;
  }
  const { cacheReadTokens, cacheWrite5mTokens, cacheWrite1hTokens } = usage;
  const seen = (cacheReadTokens ?? 0) + (cacheWrite5mTokens ?? 0) + (cacheWrite1hTokens ?? 0);
  const isLonger = seen >= home.prefixTokens || !isCacheAlive(home, atMs);
  return isLonger ? seen : Math.round((seen + home.prefixTokens) / 2);
}

function isAnyWriteKnown({ cacheWrite5mTokens, cacheWrite1hTokens }: Usage): boolean {
  return cacheWrite5mTokens !== null || cacheWrite1hTokens !== null;
}

function isAbove0(count: number | null | undefined): boolean {
  return count !== null && count !== undefined && count > 0;
}
