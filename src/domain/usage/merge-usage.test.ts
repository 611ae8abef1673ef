import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { emptyUsage, isCount, mergeUsage, partialUsage } from "./merge-usage.ts";
import type { Usage } from "./usage.ts";

function usage(known: Partial<Usage>): Usage {
  return { ...emptyUsage, ...known };
}

test("reads every field of upstream's usage", () => {
  const wire = {
    input_tokens: 1,
    cache_creation_input_tokens: 50,
    cache_read_input_tokens: 3,
    cache_creation: { ephemeral_5m_input_tokens: 20, ephemeral_1h_input_tokens: 30 },
    output_tokens: 4,
    server_tool_use: { web_search_requests: 5, web_fetch_requests: 6 },
    service_tier: "priority",
    inference_geo: "us",
  };
  expect(mergeUsage(emptyUsage, wire)).toEqual({
    inputTokens: 1,
    cacheWrite5mTokens: 20,
    cacheWrite1hTokens: 30,
    cacheReadTokens: 3,
    outputTokens: 4,
    webSearchRequests: 5,
    webFetchRequests: 6,
    serviceTier: "priority",
    isPartial: false,
  });
});

test.each([
  {
    name: "a later figure wins",
    known: { inputTokens: 2679 },
    wire: { input_tokens: 10_682 },
    expected: { inputTokens: 10_682 },
  },
  { name: "a lower one too", known: { outputTokens: 9 }, wire: { output_tokens: 5 }, expected: { outputTokens: 5 } },
  { name: "a first zero counts", known: {}, wire: { cache_read_input_tokens: 0 }, expected: { cacheReadTokens: 0 } },
  { name: "a later zero is empty", known: { inputTokens: 7 }, wire: { input_tokens: 0 }, expected: { inputTokens: 7 } },
  { name: "-0 is 0", known: {}, wire: JSON.parse('{"input_tokens":-0}'), expected: { inputTokens: 0 } },
  {
    name: "an absent tier stays",
    known: { serviceTier: "batch" },
    wire: { service_tier: null },
    expected: { serviceTier: "batch" },
  },
  {
    name: "an empty tier stays",
    known: { serviceTier: "batch" },
    wire: { service_tier: "" },
    expected: { serviceTier: "batch" },
  },
  { name: "a long tier is none", known: {}, wire: { service_tier: "x".repeat(65) }, expected: {} },
  {
    name: "partial stays partial",
    known: { isPartial: true },
    wire: { output_tokens: 1 },
    expected: { isPartial: true, outputTokens: 1 },
  },
])("$name", ({ known, wire, expected }) => {
  expect(mergeUsage(usage(known), wire)).toEqual(usage({ ...known, ...expected }));
});

test.each([
  { value: -1 },
  { value: 1.5 },
  { value: 1e308 },
  { value: Number.NaN },
  { value: Number.POSITIVE_INFINITY },
  { value: "12" },
  { value: null },
  { value: {} },
  { value: true },
])("takes $value for no figure", ({ value }) => {
  const known = usage({ inputTokens: 5, outputTokens: 6, cacheWrite5mTokens: 7, webSearchRequests: 8 });
  const wire = {
    input_tokens: value,
    output_tokens: value,
    cache_creation_input_tokens: value,
    cache_creation: { ephemeral_5m_input_tokens: value, ephemeral_1h_input_tokens: value },
    server_tool_use: { web_search_requests: value },
  };
  expect(mergeUsage(known, wire)).toEqual(known);
  expect(isCount(value)).toBe(false);
});

describe("cache writes", () => {
  test.each([
    { name: "a total alone is 5 minutes", known: {}, wire: { cache_creation_input_tokens: 9 }, expected: [9, null] },
    {
      name: "a later total does not undo the split",
      known: { cacheWrite5mTokens: 0, cacheWrite1hTokens: 9 },
      wire: { cache_creation_input_tokens: 9 },
      expected: [0, 9],
    },
    {
      name: "what the split leaves open is 5 minutes",
      known: {},
      wire: { cache_creation_input_tokens: 9, cache_creation: { ephemeral_1h_input_tokens: 4 } },
      expected: [5, 4],
    },
    {
      name: "a split of zeros does not hide the total",
      known: {},
      wire: {
        cache_creation_input_tokens: 9,
        cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
      },
      expected: [9, 0],
    },
    {
      name: "a split needs no total",
      known: {},
      wire: { cache_creation: { ephemeral_5m_input_tokens: 2, ephemeral_1h_input_tokens: 3 } },
      expected: [2, 3],
    },
    {
      name: "a total below the split stays below",
      known: {},
      wire: { cache_creation_input_tokens: 1, cache_creation: { ephemeral_1h_input_tokens: 4 } },
      expected: [0, 4],
    },
  ])("$name", ({ known, wire, expected }) => {
    const merged = mergeUsage(usage(known), wire);
    expect<unknown>([merged.cacheWrite5mTokens, merged.cacheWrite1hTokens]).toEqual(expected);
  });
});

test.each([{ wire: null }, { wire: undefined }, { wire: "usage" }, { wire: 5 }])(
  "keeps what is known over $wire",
  ({ wire }) => {
    const known = usage({ inputTokens: 5 });
    expect(mergeUsage(known, wire)).toBe(known);
  },
);

test("gives counts or nulls for any JSON, and takes the same usage twice without change", () => {
  const field = fc.constantFrom(
    "input_tokens",
    "output_tokens",
    "cache_creation",
    "server_tool_use",
    "service_tier",
    "x",
  );
  fc.assert(
    fc.property(fc.dictionary(field, fc.jsonValue()), (wire) => {
      const once = mergeUsage(emptyUsage, wire);
      for (const [name, value] of Object.entries(once)) {
        if (name.endsWith("Tokens") || name.endsWith("Requests")) expect(value === null || isCount(value)).toBe(true);
      }
      expect(mergeUsage(once, wire)).toEqual(once);
    }),
  );
});

test.each([
  { known: {}, streamedBytes: 0, outputTokens: null },
  { known: {}, streamedBytes: 1, outputTokens: 1 },
  { known: { outputTokens: 1 }, streamedBytes: 400, outputTokens: 100 },
  { known: { outputTokens: 120 }, streamedBytes: 400, outputTokens: 120 },
  { known: { outputTokens: 5 }, streamedBytes: 0, outputTokens: 5 },
])("estimates output $outputTokens from $streamedBytes bytes over $known", ({ known, streamedBytes, outputTokens }) => {
  const start = usage({ inputTokens: 10, cacheReadTokens: 20, ...known });
  expect(partialUsage(start, streamedBytes)).toEqual({ ...start, outputTokens, isPartial: true });
});
