import { describe, expect, test } from "bun:test";
import { durationMs, epochMs } from "../../kernel/time.ts";
import { type Account, accountId } from "../account/account.ts";
import type { Home } from "./home-book.ts";
import { isCacheAlive, moveKind, movePriceMicroUsd, patienceMs } from "./move.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

function account(id: string, known: Partial<Account> = {}): Account {
  return {
    id: accountId(id),
    name: id,
    provider: "anthropic",
    baseUrl: "https://api.anthropic.com",
    credentialKind: "api_key",
    priority: 100,
    weight: 1,
    organization: null,
    workspace: null,
    isPaused: false,
    createdAtMs: epochMs(0),
    models: [],
    ...known,
  };
}

describe("kind", () => {
  const from = account("from", { organization: "acme" });
  test.each([
    ["the same account of an unknown organization", account("a"), account("a"), "same_cache"],
    ["two keys of one default workspace", from, account("b", { organization: "acme" }), "same_cache"],
    [
      "the default workspace by its name",
      from,
      account("b", { organization: "acme", workspace: "default" }),
      "same_cache",
    ],
    [
      "another workspace of one organization",
      from,
      account("b", { organization: "acme", workspace: "w" }),
      "same_organization",
    ],
    ["another organization", from, account("b", { organization: "other" }), "other_organization"],
    ["an unknown organization", from, account("b"), "other_organization"],
    ["two unknown organizations", account("a"), account("b"), "other_organization"],
    [
      "another host, though the organization has the same name",
      from,
      account("b", { organization: "acme", baseUrl: "https://bedrock.example" }),
      "other_platform",
    ],
    [
      "another port",
      from,
      account("b", { organization: "acme", baseUrl: "https://api.anthropic.com:8443" }),
      "other_platform",
    ],
    [
      "another path on one host",
      from,
      account("b", { organization: "acme", baseUrl: "https://api.anthropic.com/eu" }),
      "same_cache",
    ],
  ] as const)("%s is %p", (_name, left, right, kind) => {
    expect(moveKind(left, right)).toBe(kind);
    expect(moveKind(right, left)).toBe(kind);
  });
});

describe("price", () => {
  const fiveMinutes: Home = {
    accountId: accountId("a"),
    lastUsedMs: epochMs(HOUR_MS),
    cacheMs: durationMs(5 * MINUTE_MS),
    prefixTokens: 150_000,
  };
  const oneHour: Home = { ...fiveMinutes, cacheMs: durationMs(HOUR_MS) };
  const soon = epochMs(HOUR_MS + MINUTE_MS);

  test.each([
    // 150,000 x $5 per million x (1.25 - 0.1).
    ["a 5 min cache of Opus 4.5", fiveMinutes, "claude-opus-4-5", 862_500],
    ["a 1 h cache of Opus 4.5", oneHour, "claude-opus-4-5", 1_425_000],
    ["a 5 min cache of Sonnet 4.5", fiveMinutes, "claude-sonnet-4-5", 517_500],
    ["a model whose cache reads are cheaper", fiveMinutes, "claude-opus-5-5", 720_000],
    ["a long prompt of Haiku 5.5", fiveMinutes, "claude-haiku-5-5", 86_250],
    ["an unknown model, taken for $5", fiveMinutes, "claude-next", 862_500],
    ["no model at all", fiveMinutes, null, 862_500],
    ["nothing in the cache", { ...fiveMinutes, prefixTokens: 0 }, "claude-opus-4-5", 0],
    ["a price that is rounded", { ...fiveMinutes, prefixTokens: 1 }, "claude-opus-4-5", 6],
  ] as const)("of %s", (_name, home, model, expected) => {
    expect(movePriceMicroUsd(home, { model, kind: "other_organization" }, soon)).toBe(expected);
  });

  test.each(["same_organization", "other_organization", "other_platform"] as const)("is due for %s", (kind) => {
    expect(movePriceMicroUsd(fiveMinutes, { model: "claude-opus-4-5", kind }, soon)).toBe(862_500);
  });

  test("is nothing when the cache goes along or is dead", () => {
    const model = "claude-opus-4-5";
    expect(movePriceMicroUsd(fiveMinutes, { model, kind: "same_cache" }, soon)).toBe(0);
    const later = epochMs(HOUR_MS + 5 * MINUTE_MS + 1);
    expect(movePriceMicroUsd(fiveMinutes, { model, kind: "other_organization" }, later)).toBe(0);
    expect(movePriceMicroUsd(oneHour, { model, kind: "other_organization" }, later)).toBe(1_425_000);
  });

  test.each([
    [0, true],
    [5 * MINUTE_MS, true],
    [5 * MINUTE_MS + 1, false],
    [-1_000, true],
    [-6 * MINUTE_MS, false],
    [Number.NaN, false],
  ])("a 5 min cache is alive %d ms after its last use: %p", (ageMs, isAlive) => {
    expect(isCacheAlive(fiveMinutes, epochMs(HOUR_MS + ageMs))).toBe(isAlive);
  });
});

test.each([
  // $0.8625 at $60 an hour.
  [862_500, 60, 51_750],
  [1_425_000, 60, 85_500],
  [1, 60, 0],
  [0, 60, 0],
  [-5, 60, 0],
  [Number.NaN, 60, 0],
  [0, 0, 0],
])("for %d micro-dollars at $%d an hour the patience is %d ms", (priceMicroUsd, perHour, expected) => {
  expect(patienceMs(priceMicroUsd, perHour) as number).toBe(expected);
});

test("who pays nothing to wait has endless patience", () => {
  expect(patienceMs(1, 0)).toBeGreaterThan(365 * 24 * HOUR_MS);
  expect(patienceMs(1, 1e-300)).toBeGreaterThan(365 * 24 * HOUR_MS);
});
