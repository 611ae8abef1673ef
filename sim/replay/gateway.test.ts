import { expect, test } from "bun:test";
import { DEFAULT_STRATEGY } from "../../src/domain/selection/strategy-name.ts";
import { idealOf } from "./ideal.ts";
import { MAIN_UPSTREAM, type OrganizationPlan } from "./make-pool.ts";
import { replay } from "./replay.ts";
import { at, makeTestSession, makeTestTrace, turn } from "./scene-for-tests.ts";
import type { Trace } from "./trace.ts";

const session = makeTestSession({ turns: Array.from({ length: 20 }, () => turn) });

function run(pool: readonly OrganizationPlan[], changes: Partial<Trace> = {}) {
  const trace = makeTestTrace(pool, { sessions: [session], ...changes });
  return replay(trace, idealOf(trace), { strategy: DEFAULT_STRATEGY, seed: 1 });
}

test("a conversation stays where it began, and its cache is kept whole", () => {
  const report = run([
    { id: "a", workspaces: ["one", "two"] },
    { id: "b", workspaces: ["one"] },
  ]);
  expect(report).toMatchObject({ requests: 20, upstreamRequests: 20, cacheKeptRatio: 1, refusals: 0, thinkingLost: 0 });
  expect(Object.values(report.moves)).toEqual([0, 0, 0, 0]);
});

test("a credential that dies moves its conversation, for one refused attempt and without a refusal", () => {
  const report = run([
    { id: "a", workspaces: ["one"], diesAfterHours: 0.01 },
    { id: "b", workspaces: ["one"] },
  ]);
  expect(report).toMatchObject({ requests: 20, upstreamRequests: 21, refusals: 0 });
  expect(report.moves.other_organization).toBe(1);
  expect(report.thinkingLost).toBeGreaterThan(0);
});

test("a single 529 is tried again in place, and nobody sees it", () => {
  const storms = [{ baseUrl: MAIN_UPSTREAM, fromMs: at(4_900), untilMs: at(5_100), failRatio: 1 }];
  const report = run([{ id: "a", workspaces: ["one"] }], { storms });
  expect(report).toMatchObject({ requests: 20, upstreamRequests: 21, refusals: 0 });
});

test("when everything is dead the client is refused, and comes back", () => {
  const report = run([{ id: "a", workspaces: ["one"], diesAfterHours: 0.01 }]);
  expect(report.refusals).toBeGreaterThan(5);
  expect(report.upstreamRequests).toBe(report.requests + 1);
});

test("work that outruns a bucket waits in the queue instead of being refused", () => {
  const buckets = { opus: { requestsPerMinute: 5, inputTokensPerMinute: 1e6, outputTokensPerMinute: 1e6 } };
  const report = run([{ id: "a", workspaces: ["one"], buckets }]);
  expect(report).toMatchObject({ requests: 20, upstreamRequests: 20, limited: 0, refusals: 0 });
  expect(report.waitP99Ms).toBeGreaterThan(1_000);
});
