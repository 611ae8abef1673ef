import { describe, expect, test } from "bun:test";
import type { Usage } from "../usage/usage.ts";
import { costMicroUsd, priceOf } from "./price.ts";

const silent: Usage = {
  inputTokens: null,
  cacheWrite5mTokens: null,
  cacheWrite1hTokens: null,
  cacheReadTokens: null,
  outputTokens: null,
  webSearchRequests: null,
  webFetchRequests: null,
  serviceTier: null,
  isPartial: false,
};

function usage(known: Partial<Usage>): Usage {
  return { ...silent, ...known };
}

// https://platform.claude.com/docs/en/about-claude/pricing, 2026-10: [model, dollars per million in, out, cache read].
test.each([
  ["claude-fable-5-1", 10, 50, 0.25],
  ["claude-fable-5", 10, 50, 1],
  ["claude-opus-5-5", 4, 20, 0.2],
  ["claude-opus-5", 5, 25, 0.5],
  ["claude-opus-4-8", 5, 25, 0.5],
  ["claude-opus-4-5-20251101", 5, 25, 0.5],
  ["claude-opus-4-5@20251101", 5, 25, 0.5],
  ["us.anthropic.claude-opus-4-5-20251101-v1:0", 5, 25, 0.5],
  ["claude-opus-4-1-20250805", 15, 75, 1.5],
  ["claude-opus-4-20250514", 15, 75, 1.5],
  ["claude-opus-4-0", 15, 75, 1.5],
  ["claude-3-opus-20240229", 15, 75, 1.5],
  ["claude-sonnet-5-5[1m]", 2, 10, 0.1],
  ["claude-sonnet-5", 2, 10, 0.2],
  ["claude-sonnet-4-6", 3, 15, 0.3],
  ["claude-sonnet-4-5-20250929", 3, 15, 0.3],
  ["claude-sonnet-4-20250514", 3, 15, 0.3],
  ["claude-3-7-sonnet-latest", 3, 15, 0.3],
  ["claude-3-5-sonnet-20241022", 3, 15, 0.3],
  ["CLAUDE-3-SONNET-20240229", 3, 15, 0.3],
  ["claude-haiku-5-5", 0.1, 0.5, 0.01],
  ["claude-haiku-4-5-20251001", 1, 5, 0.1],
  ["claude-haiku-4.5", 1, 5, 0.1],
  ["claude-3-5-haiku-20241022", 0.8, 4, 0.08],
  ["claude-3-haiku-20240307", 0.25, 1.25, 0.025],
])("lists %s at $%d in and $%d out", (model, input, output, cacheRead) => {
  const price = priceOf(model);
  expect(price.isKnown).toBe(true);
  expect(price.inputMicroUsdPerToken).toBe(input);
  expect(price.outputMicroUsdPerToken).toBe(output);
  expect(price.inputMicroUsdPerToken * price.cacheReadFactor).toBeCloseTo(cacheRead, 12);
});

test.each([
  null,
  "",
  "gpt-5",
  "claude-2.1",
  "claude-instant-1.2",
  "opus",
  "claude-opus-latest",
  "claude-opus-6",
  "claude-opus-5-6",
  "claude-opus-20250514",
  "claude-opus-45",
  "claude-2-haiku",
  "magnum-opuscule-4-5",
  "toString-4",
  `${"x".repeat(200)}-claude-opus-4-5`,
])("does not know the price of %p, and assumes $5 and $25", (model) => {
  expect(priceOf(model)).toMatchObject({ inputMicroUsdPerToken: 5, outputMicroUsdPerToken: 25, isKnown: false });
  expect(costMicroUsd(usage({ inputTokens: 1 }), model)).toBeNull();
});

describe("cost", () => {
  test("adds up all that has a price", () => {
    const all = usage({
      inputTokens: 1_000,
      cacheWrite5mTokens: 10_000,
      cacheWrite1hTokens: 100_000,
      cacheReadTokens: 1_000_000,
      outputTokens: 2_000,
      webSearchRequests: 3,
      webFetchRequests: 7,
    });
    // $3 and $15: 3,000 + 37,500 + 600,000 + 300,000 + 30,000, and three searches of one cent each.
    expect(costMicroUsd(all, "claude-sonnet-4-5")).toBe(1_000_500);
  });

  test.each([
    [usage({ inputTokens: 7 }), 35],
    [usage({ outputTokens: 7 }), 175],
    [usage({ cacheWrite5mTokens: 100 }), 625],
    [usage({ cacheWrite1hTokens: 100 }), 1_000],
    [usage({ cacheReadTokens: 100 }), 50],
    [usage({ webSearchRequests: 1 }), 10_000],
    [usage({ inputTokens: 0 }), 0],
  ])("counts what is known of a partial usage", (partial, expected) => {
    expect(costMicroUsd(partial, "claude-opus-4-5")).toBe(expected);
  });

  test("is unknown when nothing is said, whatever the model", () => {
    expect(costMicroUsd(silent, "claude-opus-4-5")).toBeNull();
    expect(costMicroUsd(usage({ webFetchRequests: 2, serviceTier: "standard" }), "claude-opus-4-5")).toBeNull();
  });

  test("rounds once, at the end", () => {
    // 3 x 0.25 + 1 x 0.0325: each rounded by itself would be 1 + 0.
    const odd = usage({ inputTokens: 3, cacheReadTokens: 30 });
    expect(costMicroUsd(odd, "claude-3-haiku-20240307")).toBe(2);
    expect(costMicroUsd(usage({ inputTokens: 1 }), "claude-3-haiku-20240307")).toBe(0);
  });

  test("prices every token of a long prompt higher where the list does", () => {
    const atLimit = usage({ inputTokens: 10_000, cacheReadTokens: 90_000, outputTokens: 1_000 });
    expect(costMicroUsd(atLimit, "claude-haiku-5-5")).toBe(1_000 + 900 + 500);
    const over = usage({ inputTokens: 10_001, cacheReadTokens: 90_000, outputTokens: 1_000 });
    expect(costMicroUsd(over, "claude-haiku-5-5")).toBe(Math.round(5 * (1_000.1 + 900 + 500)));
    // Searches are no tokens.
    expect(costMicroUsd({ ...over, webSearchRequests: 1 }, "claude-haiku-5-5")).toBe(22_001);
  });
});
