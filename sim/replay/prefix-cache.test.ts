import { expect, test } from "bun:test";
import { createPrefixCache } from "./prefix-cache.ts";
import { makeTestSession, requestOf } from "./scene-for-tests.ts";

const MINUTE_MS = 60_000;
const session = makeTestSession();
const first = requestOf(session, 0);
const second = requestOf(session, 1);

test("holds nothing before an answer began, then the whole prompt", () => {
  const cache = createPrefixCache();
  expect(cache.readTokens(first, 0)).toBe(0);
  cache.commit(first, 0);
  expect(first.promptTokens).toBe(6_000);
  expect(cache.readTokens(second, 1)).toBe(6_000);
});

test.each([
  { cacheMs: 300_000, atMs: 5 * MINUTE_MS - 1, read: 6_000 },
  { cacheMs: 300_000, atMs: 5 * MINUTE_MS, read: 0 },
  { cacheMs: 3_600_000, atMs: 59 * MINUTE_MS, read: 6_000 },
])("an entry of $cacheMs ms gives $read tokens after $atMs ms", ({ cacheMs, atMs, read }) => {
  const held = makeTestSession({ cacheMs: cacheMs as typeof session.cacheMs });
  const cache = createPrefixCache();
  cache.commit(requestOf(held, 0), 0);
  expect(cache.readTokens(requestOf(held, 1), atMs)).toBe(read);
});

test("is refreshed by use", () => {
  const cache = createPrefixCache();
  cache.commit(first, 0);
  cache.commit(second, 4 * MINUTE_MS);
  expect(cache.readTokens(second, 8 * MINUTE_MS)).toBe(second.promptTokens);
});

test("gives another session what its tools and system prompt share, for the same model alone", () => {
  const cache = createPrefixCache();
  cache.commit(first, 0);
  expect(cache.readTokens(requestOf(makeTestSession({ id: "s2" })), 1)).toBe(5_000);
  expect(cache.readTokens(requestOf(makeTestSession({ id: "s2", sharedPrefix: "others" })), 1)).toBe(0);
  expect(cache.readTokens(requestOf(makeTestSession({ id: "s2", model: "claude-haiku-4-5" })), 1)).toBe(0);
});
