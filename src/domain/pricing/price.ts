import type { Usage } from "../usage/usage.ts";

/** List price of one model. A dollar per million tokens is a micro-dollar per token, so the figures are those of the page. */
export type Price = {
  readonly inputMicroUsdPerToken: number;
  readonly outputMicroUsdPerToken: number;
  /** False: the price that decisions assume of a model that the list does not have. Nothing is billed with it. */
  readonly isKnown: boolean;
};

/** Factors on the input price (docs/upstream, prompt caching): the same for every model. */
export const CACHE_WRITE_5M_FACTOR = 1.25;
export const CACHE_WRITE_1H_FACTOR = 2;
export const CACHE_READ_FACTOR = 0.1;

/** $10 per 1,000 searches. Fetches cost nothing but their tokens. */
const WEB_SEARCH_MICRO_USD = 10_000;

type Family = "opus" | "sonnet" | "haiku";
type ListPrice = { readonly since: number; readonly price: Price };

/**
 * List prices by family, newest version first: a version has the price of the first row that is not newer.
 * Without the discounts of contracts and batches.
 * Source: https://platform.claude.com/docs/en/about-claude/pricing, read 2026-11-23.
 */
const LIST: Readonly<Record<Family, readonly ListPrice[]>> = {
  opus: [
    { since: 4.5, price: { inputMicroUsdPerToken: 5, outputMicroUsdPerToken: 25, isKnown: true } },
    { since: 3, price: { inputMicroUsdPerToken: 15, outputMicroUsdPerToken: 75, isKnown: true } },
  ],
  sonnet: [{ since: 3, price: { inputMicroUsdPerToken: 3, outputMicroUsdPerToken: 15, isKnown: true } }],
  haiku: [
    { since: 4.5, price: { inputMicroUsdPerToken: 1, outputMicroUsdPerToken: 5, isKnown: true } },
    { since: 3.5, price: { inputMicroUsdPerToken: 0.8, outputMicroUsdPerToken: 4, isKnown: true } },
    { since: 3, price: { inputMicroUsdPerToken: 0.25, outputMicroUsdPerToken: 1.25, isKnown: true } },
  ],
};

const ASSUMED: Price = { inputMicroUsdPerToken: 5, outputMicroUsdPerToken: 25, isKnown: false };

/** "claude-opus-4-5-20251101", "claude-sonnet-4@20250514": the version follows; a date is no version. */
const FAMILY_FIRST = /(?:^|[^a-z])(opus|sonnet|haiku)-(\d{1,2})(?![\d])(?:[-.](\d)(?!\d))?/;
/** "claude-3-5-haiku-20241022", "claude-3-opus-latest": the version stands before. */
const VERSION_FIRST = /(?:^|[^\d])(\d)(?:[-.](\d))?-(opus|sonnet|haiku)(?![a-z])/;

/** Model ids come from clients. */
const MAX_MODEL_CHARACTERS = 128;

/** What decisions reckon with: of an unknown model $5 and $25 per million tokens, and `isKnown` false. */
export function priceOf(model: string | null): Price {
  const id = model === null ? "" : model.slice(0, MAX_MODEL_CHARACTERS).toLowerCase();
  const familyFirst = FAMILY_FIRST.exec(id);
  if (familyFirst !== null) return listPrice(familyFirst[1], familyFirst[2], familyFirst[3]);
  const versionFirst = VERSION_FIRST.exec(id);
  return versionFirst === null ? ASSUMED : listPrice(versionFirst[3], versionFirst[1], versionFirst[2]);
}

/**
 * What the request cost at list price, in whole micro-dollars, rounded once. What upstream did not say counts as
 * nothing; null when it said nothing at all, or when the model's price is unknown.
 */
export function costMicroUsd(usage: Usage, model: string | null): number | null {
  const price = priceOf(model);
  if (!price.isKnown || saysNothing(usage)) return null;
  const inputs =
    (usage.inputTokens ?? 0) +
    (usage.cacheWrite5mTokens ?? 0) * CACHE_WRITE_5M_FACTOR +
    (usage.cacheWrite1hTokens ?? 0) * CACHE_WRITE_1H_FACTOR +
    (usage.cacheReadTokens ?? 0) * CACHE_READ_FACTOR;
  const tokensMicroUsd =
    inputs * price.inputMicroUsdPerToken + (usage.outputTokens ?? 0) * price.outputMicroUsdPerToken;
  return Math.round(tokensMicroUsd + (usage.webSearchRequests ?? 0) * WEB_SEARCH_MICRO_USD);
}

function saysNothing(usage: Usage): boolean {
  return (
    usage.inputTokens === null &&
    usage.cacheWrite5mTokens === null &&
    usage.cacheWrite1hTokens === null &&
    usage.cacheReadTokens === null &&
    usage.outputTokens === null &&
    usage.webSearchRequests === null
  );
}

function listPrice(family: string | undefined, major: string | undefined, minor: string | undefined): Price {
  if (family !== "opus" && family !== "sonnet" && family !== "haiku") return ASSUMED;
  const version = Number(major) + Number(minor ?? 0) / 10;
  return LIST[family].find((row) => row.since <= version)?.price ?? ASSUMED;
}
