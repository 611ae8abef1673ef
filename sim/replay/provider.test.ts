import { expect, test } from "bun:test";
import { accountId } from "../../src/domain/account/account.ts";
import { MAIN_UPSTREAM, OTHER_UPSTREAM } from "./make-pool.ts";
import { createProvider, type ProviderAnswer, statedReturn } from "./provider.ts";
import { at, makeTestSession, makeTestTrace, requestOf } from "./scene-for-tests.ts";

const pool = [
  { id: "org-a", workspaces: ["one", "one", "two"], diesAfterHours: 0.5 },
  { id: "org-b", baseUrl: OTHER_UPSTREAM, workspaces: ["one"] },
];
const session = makeTestSession();
const a1 = accountId("org-a-1");
const b1 = accountId("org-b-1");

function readOf(answer: ProviderAnswer): number | null {
  return answer.status === 200 ? answer.usage.cacheReadTokens : null;
}

test.each([
  { account: "org-a-2", read: 6_000, why: "the same workspace" },
  { account: "org-a-3", read: 0, why: "another workspace" },
  { account: "org-b-1", read: 0, why: "another organization" },
])("the prompt cache of $why has $read tokens", ({ account, read }) => {
  const provider = createProvider(makeTestTrace(pool), 1);
  const first = provider.send(requestOf(session, 0), a1, at(0));
  if (first.status === 200) first.begin(at(1_000));
  expect(readOf(provider.send(requestOf(session, 1), accountId(account), at(2_000)))).toBe(read);
});

test("there is no cache before the first answer begins: parallel first requests each write theirs", () => {
  const provider = createProvider(makeTestTrace(pool), 1);
  provider.send(requestOf(session, 0), a1, at(0));
  expect(readOf(provider.send(requestOf(session, 0), a1, at(500)))).toBe(0);
});

test("a dead credential is refused from its instant on, and says nothing of limits", () => {
  const provider = createProvider(makeTestTrace(pool), 1);
  expect(provider.send(requestOf(session), a1, at(1_799_999)).status).toBe(200);
  expect(provider.send(requestOf(session), a1, at(1_800_000))).toMatchObject({ status: 401, cause: "dead" });
});

test.each([
  { failRatio: 1, least: 200, most: 200 },
  { failRatio: 0.5, least: 70, most: 130 },
  { failRatio: 0, least: 0, most: 0 },
])("a storm of $failRatio fails that share of the requests to its upstream, and nobody else's", (row) => {
  const storms = [{ baseUrl: MAIN_UPSTREAM, fromMs: at(0), untilMs: at(1_000), failRatio: row.failRatio }];
  const provider = createProvider(makeTestTrace(pool, { storms }), 1);
  const count = (account: typeof a1, ms: number) =>
    Array.from({ length: 200 }, () => provider.send(requestOf(session), account, at(ms))).filter(
      ({ status }) => status === 529,
    ).length;
  expect(count(a1, 500)).toBeWithin(row.least, row.most + 1);
  expect(count(b1, 500)).toBe(0);
  expect(count(a1, 1_000)).toBe(0);
});

test("a 429 states the retry-after of a bucket", () => {
  const buckets = { opus: { requestsPerMinute: 1, inputTokensPerMinute: 1e6, outputTokensPerMinute: 1e6 } };
  const provider = createProvider(makeTestTrace([{ id: "small", workspaces: ["one"], buckets }]), 1);
  provider.send(requestOf(session), accountId("small-1"), at(0));
  const answer = provider.send(requestOf(session), accountId("small-1"), at(500));
  expect(answer).toMatchObject({ status: 429, cause: "bucket" });
  expect(answer.status === 429 ? statedReturn(answer) : null).toBe(at(60_500));
});
