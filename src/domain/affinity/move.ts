import { type DurationMs, durationMs, type EpochMs } from "../../kernel/time.ts";
import { type Account, cacheGroupOf, limitGroupOf } from "../account/account.ts";
import { cacheRewriteMicroUsd, priceOf } from "../pricing/price.ts";
import type { Home } from "./home-book.ts";

/**
 * What a conversation loses on its way, in this order: nothing; its prompt cache; its thinking too, which is bound to
 * the organization (protocol P22, P24); and perhaps what the other platform does not offer.
 */
export type MoveKind = "same_cache" | "same_organization" | "other_organization" | "other_platform";

const MS_PER_HOUR = 3_600_000;
const MICRO_USD_PER_USD = 1_000_000;
/** Longer than any wait: for who pays nothing to wait. */
const FOR_EVER_MS = durationMs(Number.MAX_SAFE_INTEGER);
const NO_PATIENCE_MS = durationMs(0);

/** A platform is a provider at a host. Unknown organizations count as different ones. */
export function moveKind(from: Account, to: Account): MoveKind {
  if (from.id === to.id) return "same_cache";
  if (from.provider !== to.provider || hostOf(from.baseUrl) !== hostOf(to.baseUrl)) return "other_platform";
  if (cacheGroupOf(from) === cacheGroupOf(to)) return "same_cache";
  return limitGroupOf(from) === limitGroupOf(to) ? "same_organization" : "other_organization";
}

/**
 * What the move costs more than staying: the prefix is written to a cache again instead of read from one (protocol P26).
 * Nothing when the cache goes along, or is dead already. Whole micro-dollars.
 */
export function movePriceMicroUsd(
  home: Home,
  move: { readonly model: string | null; readonly kind: MoveKind },
  nowMs: EpochMs,
): number {
  if (move.kind === "same_cache" || !isCacheAlive(home, nowMs)) return 0;
  return Math.round(cacheRewriteMicroUsd(priceOf(move.model), home.prefixTokens, home.cacheMs));
}

/** A last use that is further ahead than the cache lives is a clock's mistake and proves nothing. */
export function isCacheAlive(home: Home, nowMs: EpochMs): boolean {
  return Math.abs(nowMs - home.lastUsedMs) <= home.cacheMs;
}

/** How long waiting is cheaper than moving. `waitPriceUsdPerHour`: what an hour of waiting is worth to the operator. */
export function patienceMs(priceMicroUsd: number, waitPriceUsdPerHour: number): DurationMs {
  if (!(priceMicroUsd > 0)) return NO_PATIENCE_MS;
  if (!(waitPriceUsdPerHour > 0)) return FOR_EVER_MS;
  const hours = priceMicroUsd / (waitPriceUsdPerHour * MICRO_USD_PER_USD);
  return durationMs(Math.min(FOR_EVER_MS, Math.floor(hours * MS_PER_HOUR)));
}

/** Host and port of a normalised base URL. */
function hostOf(baseUrl: string): string {
  const start = baseUrl.indexOf("://") + 3;
  const end = baseUrl.indexOf("/", start);
  return end === -1 ? baseUrl.slice(start) : baseUrl.slice(start, end);
}
