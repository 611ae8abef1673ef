/** A dollar per million tokens is a micro-dollar per token, so the figures are those of the published page. */
export type ListPrice = {
  readonly inputMicroUsdPerToken: number;
  readonly outputMicroUsdPerToken: number;
  /** Share of the input price that a token read from the cache costs. */
  readonly cacheReadFactor: number;
  /** A prompt of more tokens, those of the cache included, makes every token of its request dearer; null: none does. */
  readonly longPrompt: { readonly overTokens: number; readonly factor: number } | null;
};

export type ModelFamily = "fable" | "opus" | "sonnet" | "haiku";

/** The price of a version and of those that follow, up to the next row. Versions are ten times: 4.5 is 45. */
export type PriceRow = { readonly since: number; readonly price: ListPrice };

const NO_LONG_PROMPT = { cacheReadFactor: 0.1, longPrompt: null } as const;

/**
 * List prices, newest first, without the discounts of contracts and batches and without the surcharges of fast mode and
 * of one region.
 * Source: https://platform.claude.com/docs/en/about-claude/pricing and the overview page of each model, 2026-10; Haiku 3
 * and Opus 3 as they were last listed.
 */
export const PRICE_LIST: Readonly<Record<ModelFamily, readonly PriceRow[]>> = {
  fable: [
    {
      since: 51,
      price: { inputMicroUsdPerToken: 10, outputMicroUsdPerToken: 50, cacheReadFactor: 0.025, longPrompt: null },
    },
    { since: 50, price: { inputMicroUsdPerToken: 10, outputMicroUsdPerToken: 50, ...NO_LONG_PROMPT } },
  ],
  opus: [
    {
      since: 55,
      price: { inputMicroUsdPerToken: 4, outputMicroUsdPerToken: 20, cacheReadFactor: 0.05, longPrompt: null },
    },
    { since: 45, price: { inputMicroUsdPerToken: 5, outputMicroUsdPerToken: 25, ...NO_LONG_PROMPT } },
    { since: 30, price: { inputMicroUsdPerToken: 15, outputMicroUsdPerToken: 75, ...NO_LONG_PROMPT } },
  ],
  sonnet: [
    {
      since: 55,
      // 0.1 until 2026-10-07.
      price: { inputMicroUsdPerToken: 2, outputMicroUsdPerToken: 10, cacheReadFactor: 0.05, longPrompt: null },
    },
    { since: 50, price: { inputMicroUsdPerToken: 2, outputMicroUsdPerToken: 10, ...NO_LONG_PROMPT } },
    { since: 30, price: { inputMicroUsdPerToken: 3, outputMicroUsdPerToken: 15, ...NO_LONG_PROMPT } },
  ],
  haiku: [
    {
      since: 55,
      price: {
        inputMicroUsdPerToken: 0.1,
        outputMicroUsdPerToken: 0.5,
        cacheReadFactor: 0.1,
        longPrompt: { overTokens: 100_000, factor: 5 },
      },
    },
    { since: 45, price: { inputMicroUsdPerToken: 1, outputMicroUsdPerToken: 5, ...NO_LONG_PROMPT } },
    { since: 35, price: { inputMicroUsdPerToken: 0.8, outputMicroUsdPerToken: 4, ...NO_LONG_PROMPT } },
    { since: 30, price: { inputMicroUsdPerToken: 0.25, outputMicroUsdPerToken: 1.25, ...NO_LONG_PROMPT } },
  ],
};
