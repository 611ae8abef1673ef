import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { epochMs } from "../../kernel/time.ts";
import { createRetryBudget, type RetryBudget } from "./retry-budget.ts";

const START_MS = 1_000_000_000;

function takeAll(budget: RetryBudget, nowMs: number): number {
  let taken = 0;
  while (budget.take(epochMs(nowMs))) taken++;
  return taken;
}

function countMany(budget: RetryBudget, requests: number, nowMs: number): void {
  for (let index = 0; index < requests; index++) budget.counted(epochMs(nowMs));
}

describe("floor", () => {
  test("ten extra requests in ten seconds may leave without any traffic, and the refused are counted", () => {
    const budget = createRetryBudget({ ratio: 0.1 });
    expect(takeAll(budget, START_MS)).toBe(10);
    expect(budget.refused).toBe(1);
    expect(takeAll(budget, START_MS + 9_000)).toBe(0);
    expect(budget.refused).toBe(2);
    expect(takeAll(budget, START_MS + 10_000)).toBe(10);
  });

  test("also with a ratio of nothing", () => {
    expect(takeAll(createRetryBudget({ ratio: 0 }), START_MS)).toBe(10);
  });
});

describe("share", () => {
  test("is the ratio of the requests of the last minute", () => {
    const budget = createRetryBudget({ ratio: 0.1 });
    countMany(budget, 1_000, START_MS);
    expect(takeAll(budget, START_MS)).toBe(100);
    countMany(budget, 50, START_MS + 1_000);
    expect(takeAll(budget, START_MS + 1_000)).toBe(5);
  });

  test("a failure half a minute later may still be tried again", () => {
    const budget = createRetryBudget({ ratio: 0.1 });
    countMany(budget, 1_000, START_MS);
    expect(takeAll(budget, START_MS + 30_000)).toBe(100);
  });

  test("what is older than a minute counts no more", () => {
    const budget = createRetryBudget({ ratio: 0.1 });
    countMany(budget, 1_000, START_MS);
    expect(takeAll(budget, START_MS + 60_000)).toBe(10);
    expect(takeAll(budget, START_MS + 86_400_000)).toBe(10);
  });

  test("a clock that goes back gives nothing anew", () => {
    const budget = createRetryBudget({ ratio: 0.1 });
    expect(takeAll(budget, START_MS)).toBe(10);
    expect(takeAll(budget, START_MS - 500_000)).toBe(0);
    expect(takeAll(budget, START_MS + 10_000)).toBe(10);
  });
});

test("an extra request leaves exactly when the floor or the share has room for it", () => {
  const waitMs = fc.oneof(fc.nat({ max: 8_000 }), fc.nat({ max: 200_000 }));
  const step = fc.record({ waitMs, requests: fc.nat({ max: 60 }), wanted: fc.nat({ max: 30 }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.constantFrom(0.1, 0.5), (steps, ratio) => {
      const budget = createRetryBudget({ ratio });
      const requests: number[] = [];
      const extras: number[] = [];
      let nowMs = START_MS;
      // Whole seconds are counted.
      const since = (all: readonly number[], seconds: number) =>
        all.filter((at) => Math.floor(at / 1_000) > Math.floor(nowMs / 1_000) - seconds).length;
      for (const step of steps) {
        nowMs += step.waitMs;
        countMany(budget, step.requests, nowMs);
        for (let index = 0; index < step.requests; index++) requests.push(nowMs);
        for (let index = 0; index < step.wanted; index++) {
          const hasRoom = since(extras, 10) < 10 || since(extras, 60) + 1 <= ratio * since(requests, 60);
          expect(budget.take(epochMs(nowMs))).toBe(hasRoom);
          if (hasRoom) extras.push(nowMs);
        }
      }
    }),
  );
});
