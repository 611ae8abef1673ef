import { describe, expect, test } from "bun:test";
import { type EpochMs, epochMs } from "../../kernel/time.ts";
import type { LimitWindowFact } from "../ratelimit/limit-facts.ts";
import { bucketOf, draw, levelAt, roomAt, type TokenBucket } from "./token-bucket.ts";

const SEEN_MS = 1_000_000;
const one = { requests: 1, inputTokens: 0, outputTokens: 0 };

function at(ms: number): EpochMs {
  return epochMs(SEEN_MS + ms);
}

function windowOf(known: Partial<LimitWindowFact>): LimitWindowFact {
  return {
    name: "requests",
    isPlan: false,
    limit: 100,
    remaining: 40,
    usedRatio: null,
    status: null,
    resetAtMs: at(30_000),
    ...known,
  };
}

function bucket(known: Partial<LimitWindowFact> = {}): TokenBucket {
  const made = bucketOf(windowOf(known), at(0));
  if (made === null) throw new Error("Cannot make the bucket of the test");
  return made;
}

describe("a window is no bucket", () => {
  test.each([
    ["of a plan", { name: "5h", isPlan: true }],
    ["of the priority tier", { name: "priority-input-tokens" }],
    ["of fast mode", { name: "fast-output-tokens" }],
    ["without a limit", { limit: null }],
    ["without what remains", { remaining: null }],
  ])("%s", (_name, known) => {
    expect(bucketOf(windowOf(known), at(0))).toBeNull();
  });
});

describe("refill", () => {
  test.each([
    // 60 missing come back in 30 s.
    ["from what is missing and the reset", {}, 15_000, 70],
    ["never above the limit", {}, 300_000, 100],
    ["is what remains at first", {}, 0, 40],
    ["is not undone by a clock that goes back", {}, -5_000, 40],
    ["takes a minute without a reset", { resetAtMs: null }, 15_000, 65],
    ["takes a minute when the reset has passed", { resetAtMs: at(-1) }, 15_000, 65],
    // One of 100 missing and a reset within the same second say nothing of the rate.
    ["takes a minute when too little is missing to tell", { remaining: 99, resetAtMs: at(1_000) }, 300, 99.5],
    ["of more than the limit is the limit", { remaining: 500 }, 0, 100],
  ])("%s", (_name, known, afterMs, level) => {
    expect(levelAt(bucket(known), at(afterMs))).toBeCloseTo(level, 6);
  });
});

describe("draw", () => {
  test("takes requests or tokens by the name of the window", () => {
    const amount = { requests: 3, inputTokens: 500, outputTokens: 70 };
    const left = (name: string) => {
      const drawn = bucket({ name, limit: 10_000, remaining: 10_000 });
      draw(drawn, amount, at(0));
      return drawn.level;
    };
    expect(left("requests")).toBe(9_997);
    expect(left("input-tokens")).toBe(9_500);
    expect(left("output-tokens")).toBe(9_930);
    expect(left("tokens")).toBe(9_430);
    expect(left("something-new")).toBe(10_000);
  });

  test("what a full bucket would have gained is lost", () => {
    const full = bucket({ remaining: 100 });
    draw(full, one, at(600_000));
    expect(full.level).toBe(99);
    expect(levelAt(full, at(600_600))).toBeCloseTo(100, 6);
  });

  test("goes at most one limit below empty", () => {
    const flooded = bucket();
    for (let index = 0; index < 10_000; index++) draw(flooded, one, at(0));
    expect(flooded.level).toBe(-100);
  });

  test("a draw of before is taken from what is there now", () => {
    const drawn = bucket();
    draw(drawn, one, at(15_000));
    draw(drawn, one, at(5_000));
    expect(levelAt(drawn, at(15_000))).toBeCloseTo(68, 6);
  });
});

describe("room", () => {
  const tokens = { name: "input-tokens", limit: 1_000, remaining: 0, resetAtMs: at(60_000) };
  const demand = (inputTokens: number) => ({ inputTokens, outputTokens: 0 });

  test.each([
    ["is there when what remains is enough", { ...tokens, remaining: 500 }, 500, 0, null],
    ["comes with the refill", tokens, 100, 0, 6_000],
    ["comes nearer with time", tokens, 100, 4_000, 6_000],
    ["is there when the time has come", tokens, 100, 6_000, null],
    ["comes at the reset for all of it", tokens, 1_000, 0, 60_000],
    ["comes at the reset for more than the bucket can hold", tokens, 50_000, 0, 60_000],
    ["is there for more than the bucket can hold once it is full", tokens, 50_000, 60_000, null],
    ["is there for nothing", tokens, 0, 0, null],
    ["is there when nothing is allowed: upstream must say so itself", { ...tokens, limit: 0 }, 5, 0, null],
    ["takes a minute of refill when the reset has passed", { ...tokens, resetAtMs: at(-1) }, 500, 0, 30_000],
  ])("%s", (_name, known, inputTokens, nowMs, untilMs) => {
    expect(roomAt(bucket(known), demand(inputTokens), at(nowMs))).toBe(untilMs === null ? null : at(untilMs));
  });

  test("is at most the reset away, however much was drawn", () => {
    const drawn = bucket({ ...tokens, resetAtMs: at(20_000) });
    draw(drawn, { requests: 1, inputTokens: 900, outputTokens: 0 }, at(0));
    expect(roomAt(drawn, demand(1_000), at(0))).toBe(at(20_000));
  });

  test("is at most one whole refill away once the reset has passed", () => {
    const drawn = bucket({ ...tokens, remaining: 1_000, resetAtMs: null });
    for (let index = 0; index < 9; index++) draw(drawn, { requests: 1, inputTokens: 900, outputTokens: 0 }, at(0));
    expect(drawn.level).toBe(-1_000);
    expect(roomAt(drawn, demand(900), at(0))).toBe(at(60_000));
  });

  test("one request needs one, whatever its tokens", () => {
    const requests = bucket({ remaining: 0, limit: 100, resetAtMs: at(50_000) });
    expect(roomAt(requests, demand(9_999), at(0))).toBe(at(500));
  });

  test("always comes: who waits until then and asks again is served in the end", () => {
    const full = bucket({ ...tokens, limit: 7_777, resetAtMs: at(41_003) });
    let nowMs = at(0);
    let waits = 0;
    for (let until = roomAt(full, demand(1e9), nowMs); until !== null; until = roomAt(full, demand(1e9), nowMs)) {
      expect(until).toBeGreaterThan(nowMs);
      nowMs = until;
      waits++;
    }
    expect(waits).toBeLessThanOrEqual(2);
  });
});
