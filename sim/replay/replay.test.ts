import { describe, expect, test } from "bun:test";
import { STRATEGIES } from "../../src/domain/selection/strategy-name.ts";
import { GATEWAY_DEFAULTS } from "./gateway-defaults.ts";
import { idealOf } from "./ideal.ts";
import { optimumOf } from "./optimum.ts";
import { replay } from "./replay.ts";
import { runTrace } from "./run-traces.ts";
import { makeTestSession, makeTestTrace, turn } from "./scene-for-tests.ts";
import { TRACES, type TraceName } from "./traces.ts";

const NAMES = Object.keys(TRACES) as TraceName[];
const A_TRACE_MS = 60_000;

/**
 * What `session` must reach. 0 where one unlucky request decides: docs/guide/strategies.md has the figures of each trace,
 * and why they are what they are.
 */
const FLOORS: Readonly<Record<TraceName, { readonly served: number; readonly kept: number }>> = {
  "solo-developer": { served: 0.93, kept: 0.97 },
  "small-team": { served: 0.99, kept: 0.99 },
  "agents-burst": { served: 0.7, kept: 0.98 },
  "day-and-night": { served: 0.85, kept: 0.98 },
  "fifty-accounts": { served: 0.99, kept: 0.99 },
  "storms-and-deaths": { served: 0.6, kept: 0.98 },
  expiring: { served: 0.97, kept: 0.98 },
};

describe.each(NAMES)("on the trace %s", (name) => {
  test(
    "no strategy sends to a bench that it knows, none beats the optimum, and session reaches its floor",
    () => {
      const { reports, optimum, offeredTokens } = runTrace(name, { strategies: STRATEGIES, seed: 1 });
      expect(reports.map(({ strategy }) => strategy)).toEqual([...STRATEGIES]);
      for (const report of reports) {
        expect(report.sentToBenched).toBe(0);
        expect(report.tokensBeforeRefusal).toBeLessThanOrEqual(optimum.tokensBeforeRefusal);
        expect(report.tokensServed).toBeLessThanOrEqual(offeredTokens);
        expect(report.fairness).toBeWithin(0, 1.000001);
      }
      const session = reports.find(({ strategy }) => strategy === "session");
      const served = (session?.tokensBeforeRefusal ?? 0) / optimum.tokensBeforeRefusal;
      expect(served).toBeGreaterThanOrEqual(FLOORS[name].served);
      expect(session?.cacheKeptRatio).toBeGreaterThanOrEqual(FLOORS[name].kept);
    },
    A_TRACE_MS,
  );
});

test(
  "two runs with one seed are equal, another seed differs",
  () => {
    const trace = TRACES["storms-and-deaths"](3);
    const ideal = idealOf(trace);
    for (const strategy of STRATEGIES) {
      expect(replay(trace, ideal, { strategy, seed: 3 })).toEqual(replay(trace, ideal, { strategy, seed: 3 }));
    }
    const other = replay(trace, ideal, { strategy: "session", seed: 4 });
    expect({ ...other, seed: 3 }).not.toEqual(replay(trace, ideal, { strategy: "session", seed: 3 }));
  },
  A_TRACE_MS,
);

describe("the optimum", () => {
  const sessions = Array.from({ length: 20 }, (_, index) =>
    makeTestSession({
      id: `s${index}`,
      conversationId: `s${index}`,
      startMs: makeTestTrace([]).startMs + index * 5_000,
      turns: Array.from({ length: 30 }, () => turn),
    }),
  );

  test("is all that is offered where there is plenty, and session serves it too", () => {
    const trace = makeTestTrace([{ id: "plenty", workspaces: ["one"] }], { sessions });
    const ideal = idealOf(trace);
    const optimum = optimumOf(trace, ideal, GATEWAY_DEFAULTS.maxWaitMs);
    expect(optimum).toEqual({
      tokensBeforeRefusal: ideal.workTokens,
      tokensServed: ideal.workTokens,
      firstRefusalAtMs: null,
    });
    const { tokensBeforeRefusal, cacheKeptRatio } = replay(trace, ideal, { strategy: "session", seed: 1 });
    expect({ tokensBeforeRefusal, cacheKeptRatio }).toEqual({
      tokensBeforeRefusal: ideal.workTokens,
      cacheKeptRatio: 1,
    });
  });

  test("is what the plans hold where there is too little", () => {
    const plan = {
      fiveHourMicroUsd: 2_000_000,
      fiveHourResetMs: makeTestTrace([]).startMs,
      sevenDayMicroUsd: 1e12,
      sevenDayResetMs: makeTestTrace([]).endMs,
    };
    const trace = makeTestTrace([{ id: "small", workspaces: ["one"], plan }], { sessions });
    const ideal = idealOf(trace);
    const optimum = optimumOf(trace, ideal, GATEWAY_DEFAULTS.maxWaitMs);
    const report = replay(trace, ideal, { strategy: "session", seed: 1 });
    expect(optimum.tokensBeforeRefusal).toBeLessThan(ideal.workTokens / 2);
    expect(report.tokensBeforeRefusal / optimum.tokensBeforeRefusal).toBeWithin(0.9, 1.000001);
    expect(report.limited).toBe(1);
  });
});

test("a pool of one account without limits keeps every cache read, whatever the strategy", () => {
  const trace = makeTestTrace([{ id: "one", workspaces: ["one"] }], { sessions: TRACES["small-team"](1).sessions });
  const ideal = idealOf(trace);
  for (const strategy of STRATEGIES) {
    expect(replay(trace, ideal, { strategy, seed: 1 })).toMatchObject({ cacheKeptRatio: 1, refusals: 0, limited: 0 });
  }
});
