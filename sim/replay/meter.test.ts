import { describe, expect, test } from "bun:test";
import { limitGroupOf } from "../../src/domain/account/account.ts";
import { modelClassOf } from "../../src/domain/account/model-class.ts";
import { durationMs } from "../../src/kernel/time.ts";
import { idealOf } from "./ideal.ts";
import { makePool } from "./make-pool.ts";
import { createMeter, jainIndex, type ServedBy } from "./meter.ts";
import { usageOf } from "./provider.ts";
import { at, makeTestSession, makeTestTrace, requestOf, turn } from "./scene-for-tests.ts";

const opus = modelClassOf("claude-opus-4-5");
const [a1, a2, b1] = makePool([
  { id: "a", workspaces: ["one", "two"] },
  { id: "b", workspaces: ["one"] },
]);
const session = makeTestSession({ turns: [turn, turn, turn, turn] });
const names = { trace: "t", strategy: "s", seed: 1, simulatedMs: durationMs(1) };

function meterOf() {
  return createMeter(idealOf(makeTestTrace([], { sessions: [session] })));
}

function by(credential: ServedBy["credential"] | undefined, readTokens: number, waitMs = 0): ServedBy {
  if (credential === undefined) throw new Error("Cannot serve: no credential");
  return { credential, usage: usageOf(requestOf(session), readTokens), waitMs };
}

describe("the meter", () => {
  test("counts a request before the instant that a 429 named, for its group and class alone", () => {
    const meter = meterOf();
    const group = limitGroupOf(by(a1, 0).credential.account);
    meter.limited(group, opus, at(1_000));
    meter.limited(group, opus, at(500));
    meter.sent(group, opus, at(999));
    meter.sent(group, opus, at(1_000));
    meter.sent(group, modelClassOf("claude-haiku-4-5"), at(999));
    expect(meter.report(names)).toMatchObject({ sentToBenched: 1, upstreamRequests: 3, limited: 2 });
  });

  test("adds up work until the first refusal, and all of it", () => {
    const meter = meterOf();
    meter.served(requestOf(session, 0), by(a1, 0));
    meter.refused(at(5));
    meter.refused(at(6));
    meter.served(requestOf(session, 1), by(a1, 6_000));
    const report = meter.report(names);
    // 1,000 new and 100 out; then 1,000 new, the answer of before, and 100 out. The shared 5,000 are no work.
    expect(report).toMatchObject({ tokensBeforeRefusal: 1_100, tokensServed: 2_300, refusals: 2 });
    expect(report.firstRefusalAtMs).toBe(at(5));
    expect(report.fairness).toBe(1);
  });

  test("compares cache reads with those of one unlimited account, for the same requests", () => {
    const meter = meterOf();
    meter.served(requestOf(session, 0), by(a1, 0));
    meter.served(requestOf(session, 1), by(a1, 3_000));
    expect(meter.report(names).cacheKeptRatio).toBe(0.5);
  });

  test("counts moves by what they lose, and the thinking that another organization drops", () => {
    const meter = meterOf();
    for (const [index, credential] of [a1, a2, b1, b1].entries()) {
      meter.served(requestOf(session, index), by(credential, 0));
    }
    const { moves, thinkingLost } = meter.report(names);
    expect(moves).toEqual({ same_cache: 0, same_organization: 1, other_organization: 1, other_platform: 0 });
    expect(thinkingLost).toBe(2);
  });

  test("sorts waits", () => {
    const meter = meterOf();
    for (let wait = 100; wait >= 0; wait -= 1) meter.served(requestOf(session), by(a1, 0, wait));
    expect(meter.report(names)).toMatchObject({ waitP50Ms: 50, waitP99Ms: 99 });
  });
});

test.each([
  { shares: [1, 1, 1, 1], index: 1 },
  { shares: [1, 0, 0, 0], index: 0.25 },
  { shares: [0, 0], index: 1 },
])("Jain's index of $shares is $index", ({ shares, index }) => {
  expect(jainIndex(shares)).toBe(index);
});
