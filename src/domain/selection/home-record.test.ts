import { expect, test } from "bun:test";
import { durationMs } from "../../kernel/time.ts";
import type { Home } from "../affinity/home-book.ts";
import type { Usage } from "../usage/usage.ts";
import { firstHome, isSameHome, usedHome } from "./home-record.ts";
import { account, at, home, usage } from "./scene-for-tests.ts";

const a = account("a");
const hour = durationMs(3_600_000);
const minutes = durationMs(300_000);

test("a home begins with an empty cache of 5 minutes", () => {
  expect(firstHome(a.id, at(1))).toEqual({ accountId: a.id, lastUsedMs: at(1), cacheMs: minutes, prefixTokens: 0 });
});

test.each<{
  what: string;
  before?: Partial<Home>;
  used: Partial<Usage> | null;
  seconds?: number;
  after: Partial<Home>;
}>([
  {
    what: "counts what was read and written",
    used: { cacheReadTokens: 70_000, cacheWrite5mTokens: 500 },
    after: { prefixTokens: 70_500 },
  },
  { what: "halves towards a shorter prefix", used: { cacheReadTokens: 20_000 }, after: { prefixTokens: 40_000 } },
  {
    what: "takes a shorter prefix when the cache was dead",
    used: { cacheWrite5mTokens: 20_000 },
    seconds: 400,
    after: { prefixTokens: 20_000, lastUsedMs: at(400) },
  },
  {
    what: "keeps the prefix when upstream said nothing of a cache",
    used: { cacheReadTokens: null, cacheWrite5mTokens: null, cacheWrite1hTokens: null },
    after: {},
  },
  { what: "keeps the prefix without usage", used: null, seconds: 9, after: { lastUsedMs: at(9) } },
  {
    what: "lives an hour when something was written for an hour",
    used: { cacheReadTokens: 60_000, cacheWrite1hTokens: 1 },
    after: { cacheMs: hour, prefixTokens: 60_001 },
  },
  {
    what: "keeps an hour when the prefix was only read",
    before: { cacheMs: hour },
    used: { cacheReadTokens: 60_000, cacheWrite5mTokens: 1 },
    after: { cacheMs: hour, prefixTokens: 60_001 },
  },
  {
    what: "falls to 5 minutes when all was written anew for 5 minutes",
    before: { cacheMs: hour },
    used: { cacheWrite5mTokens: 60_000 },
    after: { cacheMs: minutes },
  },
  {
    what: "never goes back in time",
    before: { lastUsedMs: at(50) },
    used: null,
    seconds: 9,
    after: { lastUsedMs: at(50) },
  },
])("$what", ({ before, used, seconds = 0, after }) => {
  expect(usedHome(home(a, before), used === null ? null : usage(used), at(seconds))).toEqual(
    home(a, { ...before, ...after }),
  );
});

test.each<Partial<Home>>([
  { accountId: account("b").id },
  { lastUsedMs: at(1) },
  { cacheMs: hour },
  { prefixTokens: 1 },
])("%p makes it another home", (changes) => {
  expect(isSameHome(home(a), home(a, changes))).toBe(false);
  expect(isSameHome(home(a, changes), home(a, changes))).toBe(true);
});
