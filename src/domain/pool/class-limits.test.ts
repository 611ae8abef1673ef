import { describe, expect, test } from "bun:test";
import { type EpochMs, epochMs } from "../../kernel/time.ts";
import { noLimitFacts } from "../ratelimit/limit-facts.ts";
import { readLimitFacts } from "../ratelimit/limit-headers.ts";
import {
  afterBenched,
  afterProbeLost,
  afterProbeStarted,
  afterRefused,
  afterServed,
  afterThrottled,
  type ClassLimits,
  classBlock,
  classWorth,
  isProbeDue,
} from "./class-limits.ts";

const T0 = Date.parse("2026-11-23T20:00:00Z");
const at = (seconds: number): EpochMs => epochMs(T0 + seconds * 1000);
const NO_JITTER = 0.5;

function requests(remaining: number, resetSeconds: number, nowMs: EpochMs) {
  const headers: [string, string][] = [
    ["anthropic-ratelimit-requests-limit", "100"],
    ["anthropic-ratelimit-requests-remaining", String(remaining)],
    ["anthropic-ratelimit-requests-reset", new Date(at(resetSeconds)).toISOString()],
  ];
  return readLimitFacts(headers, nowMs);
}

describe("a bench", () => {
  test("ends exactly when the provider said", () => {
    const benched = afterBenched(undefined, { untilMs: at(100), reason: "rate_limited" });
    expect(classBlock(benched, epochMs(at(100) - 1))).toEqual({ untilMs: at(100), reason: "rate_limited" });
    expect(classBlock(benched, at(100))).toBeNull();
  });

  test("is not shortened by a later word about another limit, and lengthened only by one that ends later", () => {
    const long = afterBenched(undefined, { untilMs: at(100), reason: "plan_limit" });
    expect(afterBenched(long, { untilMs: at(5), reason: "rate_limited" })).toBe(long);
    const longer = afterBenched(long, { untilMs: at(200), reason: "rate_limited" });
    expect(longer.bench).toEqual({ untilMs: at(200), reason: "rate_limited" });
  });

  test("is not lifted by an answer that was under way", () => {
    const benched = afterBenched(undefined, { untilMs: at(100), reason: "plan_limit" });
    expect(afterServed(benched, noLimitFacts, at(1))).toBe(benched);
  });

  test("replaces a probe back-off: now the time is known", () => {
    const throttled = afterThrottled(undefined, NO_JITTER, at(0));
    expect(afterBenched(throttled, { untilMs: at(1), reason: "rate_limited" }).probe).toBeNull();
    const both = afterThrottled(afterBenched(undefined, { untilMs: at(9), reason: "plan_limit" }), NO_JITTER, at(0));
    expect(afterBenched(both, { untilMs: at(1), reason: "rate_limited" })).toMatchObject({
      bench: { untilMs: at(9) },
      probe: null,
    });
  });
});

describe("a probe back-off", () => {
  /** The waits of `count` probes that all fail, each made the moment it is due. */
  function waits(count: number, random: number): readonly number[] {
    let limits: ClassLimits | undefined;
    let nowMs = at(0);
    const seconds: number[] = [];
    for (let index = 0; index < count; index += 1) {
      limits = afterThrottled(afterProbeStarted(limits, nowMs), random, nowMs);
      const untilMs = classBlock(limits, nowMs)?.untilMs ?? nowMs;
      seconds.push((untilMs - nowMs) / 1000);
      nowMs = untilMs;
    }
    return seconds;
  }

  test("doubles from 2 s to 60 s while probes fail", () => {
    expect(waits(8, NO_JITTER)).toEqual([2, 4, 8, 16, 32, 60, 60, 60]);
  });

  test("is spread by a quarter either way, and never above 60 s", () => {
    expect(waits(3, 0)).toEqual([1.5, 3, 6]);
    expect(waits(3, 1)).toEqual([2.5, 5, 10]);
    expect(waits(20, 1).at(-1)).toBe(60);
  });

  test("does not grow with the stragglers of one burst", () => {
    const first = afterThrottled(undefined, NO_JITTER, at(0));
    expect(afterThrottled(first, NO_JITTER, at(1))).toBe(first);
  });

  test("starts afresh when the last 429 is more than ten minutes old", () => {
    const grown = afterThrottled(afterThrottled(undefined, NO_JITTER, at(0)), NO_JITTER, at(2));
    expect(grown.probe?.failures).toBe(2);
    expect(afterThrottled(grown, NO_JITTER, at(1000)).probe?.failures).toBe(1);
  });

  test("lets one request at a time test it, and a lost test ends after a minute", () => {
    const waiting = afterThrottled(undefined, NO_JITTER, at(0));
    expect(afterProbeStarted(waiting, at(1))).toBe(waiting);
    expect(classBlock(waiting, at(1))).toEqual({ untilMs: at(2), reason: "throttled" });
    expect(classBlock(waiting, at(2))).toBeNull();

    const testing = afterProbeStarted(waiting, at(2)) ?? waiting;
    expect(classBlock(testing, at(3))).toEqual({ untilMs: at(62), reason: "probing" });
    expect(isProbeDue(testing, at(3))).toBe(false);
    expect(afterProbeStarted(testing, at(3))).toBe(testing);
    expect(classBlock(testing, at(62))).toBeNull();
    expect(isProbeDue(testing, at(62))).toBe(true);
  });

  test("ends with a success", () => {
    const testing = afterProbeStarted(afterThrottled(undefined, NO_JITTER, at(0)), at(2));
    const passed = afterServed(testing, noLimitFacts, at(3));
    expect(passed?.probe).toBeNull();
  });

  test("may be tested again after an outcome that says nothing about the limit", () => {
    const testing = afterProbeStarted(afterThrottled(undefined, NO_JITTER, at(0)), at(2));
    for (const after of [afterRefused(testing, noLimitFacts, at(3)), afterProbeLost(testing)]) {
      expect(after?.probe).toMatchObject({ failures: 1, leaseUntilMs: null });
    }
  });

  test("does not hide a bench that ends later", () => {
    const both = afterThrottled(afterBenched(undefined, { untilMs: at(90), reason: "plan_limit" }), NO_JITTER, at(0));
    expect(classBlock(both, at(1))).toEqual({ untilMs: at(90), reason: "plan_limit" });
    const testing = afterProbeStarted(both, at(3)) ?? both;
    expect(classBlock(testing, at(4))).toEqual({ untilMs: at(90), reason: "plan_limit" });
  });

  test("does not begin where nothing is known", () => {
    expect(afterProbeStarted(undefined, at(0))).toBeUndefined();
    expect(afterProbeLost(undefined)).toBeUndefined();
    const benched = afterBenched(undefined, { untilMs: at(1), reason: "plan_limit" });
    expect(afterProbeStarted(benched, at(0))).toBe(benched);
    expect(isProbeDue(benched, at(2))).toBe(false);
  });
});

describe("what an answer says about its windows", () => {
  test("is not kept when it says nothing", () => {
    expect(afterServed(undefined, noLimitFacts, at(0))).toBeUndefined();
    expect(afterRefused(undefined, noLimitFacts, at(0))).toBeUndefined();
  });

  test("is kept at most once a second", () => {
    const first = afterServed(undefined, requests(90, 30, at(0)), at(0));
    expect(first?.windows[0]?.remaining).toBe(90);
    expect(afterServed(first, requests(89, 30, at(0)), at(0.9))).toBe(first);
    expect(afterServed(first, requests(80, 30, at(0)), at(1))).toMatchObject({
      seenAtMs: at(1),
      windows: [{ remaining: 80 }],
    });
  });

  test("is kept at once when a window runs low or recovers, and softness ends with the reset", () => {
    const first = afterServed(undefined, requests(90, 30, at(0)), at(0));
    const low = afterServed(first, requests(10, 30, at(0)), at(0.1));
    expect(low?.softUntilMs).toBe(at(30));
    expect(afterServed(low, requests(50, 30, at(0)), at(0.2))?.softUntilMs).toBeNull();
    expect(afterServed(low, requests(9, 60, at(31)), at(31))?.softUntilMs).toBe(at(60));
  });

  test("keeps the windows when a warning names none", () => {
    const first = afterServed(undefined, requests(90, 30, at(0)), at(0));
    const warned = afterServed(
      first,
      readLimitFacts([["anthropic-ratelimit-unified-status", "allowed_warning"]], at(1)),
      at(1),
    );
    expect(warned).toMatchObject({ softUntilMs: at(61), seenAtMs: at(0), windows: first?.windows ?? [] });
  });
});

test("is worth keeping until the last thing it holds ends", () => {
  const benched = afterBenched(undefined, { untilMs: at(90), reason: "plan_limit" });
  expect(classWorth(benched)).toBe(at(90));
  expect(classWorth(afterThrottled(undefined, NO_JITTER, at(0)))).toBe(at(2));
});
