import type { Usage } from "../usage/usage.ts";
import { type ListPrice, type ModelFamily, PRICE_LIST } from "./price-list.ts";

export type Price = ListPrice & {
  /** False: the price that decisions assume of a model that the list does not have. Nothing is billed with it. */
  readonly isKnown: boolean;
};

/** Shares of the input price, the same for every model (protocol P26). */
const CACHE_WRITE_5M_FACTOR = 1.25;
const CACHE_WRITE_1H_FACTOR = 2;

/** $10 per 1,000 searches. Fetches cost nothing but their tokens. */
const WEB_SEARCH_MICRO_USD = 10_000;

const FIVE_MINUTES_MS = 300_000;

const ASSUMED: Price = {
  inputMicroUsdPerToken: 5,
  outputMicroUsdPerToken: 25,
  cacheReadFactor: 0.1,
  longPrompt: null,
  isKnown: false,
};

/** "claude-opus-4-5-20251101", "claude-sonnet-4@20250514": the version follows; a date is no version. */
const FAMILY_FIRST = /(?:^|[^a-z])(fable|opus|sonnet|haiku)-(\d)(?!\d)(?:[-.](\d)(?!\d))?/;
/** "claude-3-5-haiku-20241022", "claude-3-opus-latest": the version stands before. */
const VERSION_FIRST = /(?:^|[^\d])(\d)(?:[-.](\d))?-(opus|sonnet|haiku)(?![a-z])/;

/** Model ids come from clients. */
const MAX_MODEL_CHARACTERS = 128;

/**
 * What decisions reckon with: of an unknown model $5 and $25 per million tokens, and `isKnown` false. A version that is
 * newer than the newest of its family is unknown: each of the last ones had another price than the one before.
 */
export function priceOf(model: string | null): Price {
  const id = model === null ? "" : model.slice(0, MAX_MODEL_CHARACTERS).toLowerCase();
  const familyFirst = FAMILY_FIRST.exec(id);
  if (familyFirst !== null) return listedPrice(familyFirst[1], familyFirst[2], familyFirst[3]);
  const versionFirst = VERSION_FIRST.exec(id);
  return versionFirst === null ? ASSUMED : listedPrice(versionFirst[3], versionFirst[1], versionFirst[2]);
}

/**
 * What the request cost at list price, in whole micro-dollars, rounded once. What upstream did not say counts as
 * nothing; null when it said nothing at all, or when the model's price is unknown.
 */
export function costMicroUsd(usage: Usage, model: string | null): number | null {
  const price = priceOf(model);
  if (!price.isKnown || saysNothing(usage)) return null;
  const input = usage.inputTokens ?? 0;
  const write5m = usage.cacheWrite5mTokens ?? 0;
  const write1h = usage.cacheWrite1hTokens ?? 0;
  const read = usage.cacheReadTokens ?? 0;
  const inputs =
    input + write5m * CACHE_WRITE_5M_FACTOR + write1h * CACHE_WRITE_1H_FACTOR + read * price.cacheReadFactor;
  const tokensMicroUsd =
    inputs * price.inputMicroUsdPerToken + (usage.outputTokens ?? 0) * price.outputMicroUsdPerToken;
  const factor = promptFactor(price, input + write5m + write1h + read);
  return Math.round(tokensMicroUsd * factor + (usage.webSearchRequests ?? 0) * WEB_SEARCH_MICRO_USD);
}

/** What it costs more to write so many tokens to a cache that lives for `cacheMs` than to read them. Not rounded. */
export function cacheRewriteMicroUsd(price: Price, tokens: number, cacheMs: number): number {
  const writeFactor = cacheMs > FIVE_MINUTES_MS ? CACHE_WRITE_1H_FACTOR : CACHE_WRITE_5M_FACTOR;
  const perTokenMicroUsd = price.inputMicroUsdPerToken * promptFactor(price, tokens);
  return tokens * perTokenMicroUsd * (writeFactor - price.cacheReadFactor);
}

function promptFactor(price: Price, promptTokens: number): number {
  const { longPrompt } = price;
  return longPrompt !== null && promptTokens > longPrompt.overTokens ? longPrompt.factor : 1;
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

function listedPrice(family: string | undefined, major: string | undefined, minor: string | undefined): Price {
  const rows = isFamily(family) ? PRICE_LIST[family] : [];
  const version = Number(major) * 10 + Number(minor ?? 0);
  const row = version > (rows[0]?.since ?? 0) ? undefined : rows.find((listed) => listed.since <= version);
  return row === undefined ? ASSUMED : { ...row.price, isKnown: true };
}

function isFamily(family: string | undefined): family is ModelFamily {
  return family !== undefined && Object.hasOwn(PRICE_LIST, family);
}
