import { describe, expect, test } from "bun:test";
import { type EpochMs, epochMs } from "../../kernel/time.ts";
import { noLimitFacts } from "../ratelimit/limit-facts.ts";
import { readLimitFacts } from "../ratelimit/limit-headers.ts";
import type { Block } from "./block.ts";
import {
  afterBenched,
  afterPlanSeen,
  afterProbeLost,
  afterProbeStarted,
  afterRefused,
  afterServed,
  afterThrottled,
  type ClassLimits,
  classBlock,
  classWorth,
  lastingLimits,
  mergedLimits,
  noLimits,
  probeDueSince,
} from "./class-limits.ts";

const T0 = Date.parse("2026-11-23T20:00:00Z");
const at = (seconds: number): EpochMs => epochMs(T0 + seconds * 1000);
const NO_JITTER = 0.5;
const BARE = "status 429 without a limit header";
const THROTTLED = { random: NO_JITTER, cause: BARE };

function planLimit(seconds: number): Block {
  return { untilMs: at(seconds), reason: "plan_limit", cause: "status 429, anthropic-ratelimit-unified-reset" };
}

function rateLimited(seconds: number): Block {
  return { untilMs: at(seconds), reason: "rate_limited", cause: "status 429, retry-after" };
}

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
    const benched = afterBenched(undefined, rateLimited(100));
    expect(classBlock(benched, epochMs(at(100) - 1))).toEqual(rateLimited(100));
    expect(classBlock(benched, at(100))).toBeNull();
  });

  test("is not shortened by a later word about another limit, and lengthened only by one that ends later", () => {
    const long = afterBenched(undefined, planLimit(100));
    expect(afterBenched(long, rateLimited(5))).toBe(long);
    const longer = afterBenched(long, rateLimited(200));
    expect(longer.bench).toEqual(rateLimited(200));
  });

  test("is not lifted by an answer that was under way", () => {
    const benched = afterBenched(undefined, planLimit(100));
    expect(afterServed(benched, noLimitFacts, at(1))).toBe(benched);
  });

  test("replaces a probe back-off: now the time is known", () => {
    const throttled = afterThrottled(undefined, THROTTLED, at(0));
    expect(afterBenched(throttled, rateLimited(1)).probe).toBeNull();
    const both = afterThrottled(afterBenched(undefined, planLimit(9)), THROTTLED, at(0));
    expect(afterBenched(both, rateLimited(1))).toMatchObject({
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
      limits = afterThrottled(afterProbeStarted(limits, nowMs), { random, cause: BARE }, nowMs);
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
    const first = afterThrottled(undefined, THROTTLED, at(0));
    expect(afterThrottled(first, THROTTLED, at(1))).toBe(first);
  });

  test("starts afresh when the last 429 is more than ten minutes old", () => {
    const grown = afterThrottled(afterThrottled(undefined, THROTTLED, at(0)), THROTTLED, at(2));
    expect(grown.probe?.failures).toBe(2);
    expect(afterThrottled(grown, THROTTLED, at(1000)).probe?.failures).toBe(1);
  });

  test("lets one request at a time test it, and a lost test ends after a minute", () => {
    const waiting = afterThrottled(undefined, THROTTLED, at(0));
    expect(afterProbeStarted(waiting, at(1))).toBe(waiting);
    expect(classBlock(waiting, at(1))).toEqual({ untilMs: at(2), reason: "throttled", cause: BARE });
    expect(classBlock(waiting, at(2))).toBeNull();

    const testing = afterProbeStarted(waiting, at(2)) ?? waiting;
    expect(classBlock(testing, at(3))).toEqual({ untilMs: at(62), reason: "probing", cause: BARE });
    expect(probeDueSince(testing, at(3))).toBeNull();
    expect(afterProbeStarted(testing, at(3))).toBe(testing);
    expect(classBlock(testing, at(62))).toBeNull();
    expect(probeDueSince(testing, at(62))).toBe(at(62));
  });

  test("ends with a success", () => {
    const testing = afterProbeStarted(afterThrottled(undefined, THROTTLED, at(0)), at(2));
    const passed = afterServed(testing, noLimitFacts, at(3));
    expect(passed?.probe).toBeNull();
  });

  test("may be tested again after an outcome that says nothing about the limit", () => {
    const testing = afterProbeStarted(afterThrottled(undefined, THROTTLED, at(0)), at(2));
    for (const after of [afterRefused(testing, noLimitFacts, at(3)), afterProbeLost(testing)]) {
      expect(after?.probe).toMatchObject({ failures: 1, leaseUntilMs: null });
    }
  });

  test("does not hide a bench that ends later", () => {
    const both = afterThrottled(afterBenched(undefined, planLimit(90)), THROTTLED, at(0));
    expect(classBlock(both, at(1))).toEqual(planLimit(90));
    const testing = afterProbeStarted(both, at(3)) ?? both;
    expect(classBlock(testing, at(4))).toEqual(planLimit(90));
  });

  test("does not begin where nothing is known", () => {
    expect(afterProbeStarted(undefined, at(0))).toBeUndefined();
    expect(afterProbeLost(undefined)).toBeUndefined();
    const benched = afterBenched(undefined, planLimit(1));
    expect(afterProbeStarted(benched, at(0))).toBe(benched);
    expect(probeDueSince(benched, at(2))).toBeNull();
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
  const benched = afterBenched(undefined, planLimit(90));
  expect(classWorth(benched)).toBe(at(90));
  expect(classWorth(afterThrottled(undefined, THROTTLED, at(0)))).toBe(at(2));
});

describe("a due test", () => {
  const throttled = afterThrottled(undefined, THROTTLED, at(0));

  test("is due since the back-off or the bench ended, whichever is later", () => {
    expect(probeDueSince(throttled, at(5))).toBe(at(2));
    const benched = { ...throttled, bench: planLimit(90) };
    expect(probeDueSince(benched, at(89))).toBeNull();
    expect(probeDueSince(benched, at(95))).toBe(at(90));
  });

  test("is history when nobody made it for ten minutes", () => {
    expect(probeDueSince(throttled, at(602))).toBe(at(2));
    expect(probeDueSince(throttled, at(603))).toBeNull();
    expect(afterProbeStarted(throttled, at(603))).toBe(throttled);
    expect(classBlock(throttled, at(603))).toBeNull();
  });
});

describe("the plan", () => {
  const warning = [
    ["anthropic-ratelimit-unified-status", "allowed_warning"],
    ["anthropic-ratelimit-unified-representative-claim", "five_hour"],
    ["anthropic-ratelimit-unified-5h-utilization", "0.9"],
  ] as const;

  test("is seen in any answer that speaks of it, and in no other", () => {
    expect(afterPlanSeen(null, requests(0, 30, at(0)), at(0))).toBeNull();
    const seen = afterPlanSeen(null, readLimitFacts(warning, at(0)), at(0));
    expect(seen).toMatchObject({ softUntilMs: at(60), seenAtMs: at(0), windows: [{ name: "5h", usedRatio: 0.9 }] });
    expect(afterPlanSeen(seen, noLimitFacts, at(9))).toBe(seen);
  });

  test("warns of itself, not of the class that asked", () => {
    const limits = readLimitFacts(warning, at(0));
    expect(afterServed(undefined, limits, at(0))).toMatchObject({ softUntilMs: null, windows: [{ name: "5h" }] });
  });
});

describe("of one class under two names", () => {
  test("the later bench, the later back-off with the more failures, and the newer windows count", () => {
    const left = afterServed(afterBenched(undefined, planLimit(90)), requests(5, 40, at(0)), at(0)) ?? noLimits;
    const probing = afterProbeStarted(afterThrottled(undefined, THROTTLED, at(0)), at(2));
    const right = afterServed(afterBenched(undefined, rateLimited(30)), requests(80, 50, at(9)), at(9)) ?? noLimits;
    const merged = mergedLimits(
      { ...left, probe: probing?.probe ?? null },
      { ...right, probe: { failures: 3, untilMs: at(20), cause: "x", leaseUntilMs: null } },
    );
    expect(merged).toMatchObject({
      bench: planLimit(90),
      probe: { failures: 3, untilMs: at(20), leaseUntilMs: at(62) },
      softUntilMs: at(40),
      seenAtMs: at(9),
      windows: [{ remaining: 80 }],
    });
  });

  test("what only one knows is kept", () => {
    const benched = afterBenched(undefined, planLimit(90));
    expect(mergedLimits(benched, noLimits)).toEqual(benched);
    const throttled = afterThrottled(undefined, THROTTLED, at(0));
    expect(mergedLimits(noLimits, throttled)).toEqual(throttled);
  });
});

describe("what is worth writing down", () => {
  test("is what is not over, without the test that is under way", () => {
    const seen = afterServed(afterBenched(undefined, planLimit(90)), requests(5, 40, at(0)), at(0));
    const testing = afterProbeStarted(afterThrottled(seen, THROTTLED, at(0)), at(95));
    expect(testing).toMatchObject({ probe: { leaseUntilMs: at(155) } });
    const lasting = lastingLimits(testing ?? noLimits, at(30));
    expect(lasting).toMatchObject({ bench: planLimit(90), softUntilMs: at(40), windows: [{ name: "requests" }] });
    expect(lasting?.probe).toMatchObject({ failures: 1, leaseUntilMs: null });
    expect(lastingLimits(testing ?? noLimits, at(95))).toMatchObject({ bench: null, softUntilMs: null, windows: [] });
  });

  test("is nothing once all of it is over", () => {
    expect(lastingLimits(afterBenched(undefined, planLimit(90)), at(90))).toBeNull();
    expect(lastingLimits(afterThrottled(undefined, THROTTLED, at(0)), at(603))).toBeNull();
    expect(lastingLimits(noLimits, at(0))).toBeNull();
  });

  test("is a window that names no reset for an hour", () => {
    const facts = readLimitFacts([["anthropic-ratelimit-unified-5h-utilization", "0.5"]], at(0));
    const seen = afterServed(undefined, facts, at(0)) ?? noLimits;
    expect(lastingLimits(seen, at(3599))?.windows).toHaveLength(1);
    expect(lastingLimits(seen, at(3600))).toBeNull();
  });
});
