import { describe, expect, test } from "bun:test";
import { createCreditWindow, createFixedWindow, createWindowFromUse } from "./plan-window.ts";

const shape = { name: "w", limit: 100, spanMs: 50, firstResetMs: 10 };

describe("a window at fixed instants", () => {
  test.each([
    { atMs: 0, left: 20, resetAtMs: 10, why: "has been used as fast as time passed" },
    { atMs: 9, left: 20, resetAtMs: 10, why: "holds until its reset" },
    { atMs: 10, left: 100, resetAtMs: 60, why: "is whole at its reset" },
    { atMs: 170, left: 100, resetAtMs: 210, why: "keeps its phase when nobody looked for long" },
  ])("$why", ({ atMs, left, resetAtMs }) => {
    const window = createFixedWindow(shape, 0);
    expect(window.left(atMs)).toBeCloseTo(left);
    expect(window.resetAtMs(atMs)).toBe(resetAtMs);
  });

  test("loses what is left at a reset", () => {
    const window = createFixedWindow(shape, 10);
    window.take(30, 12);
    expect(window.left(59)).toBe(70);
    expect(window.left(60)).toBe(100);
  });
});

describe("a window that begins with its use", () => {
  test("runs as it ran before, then waits for the next use", () => {
    const window = createWindowFromUse(shape);
    window.take(40, 5);
    expect(window.left(9)).toBe(60);
    expect(window.left(30)).toBe(100);
    window.take(1, 30);
    expect(window.resetAtMs(31)).toBe(80);
    expect(window.left(79)).toBe(99);
    expect(window.left(80)).toBe(100);
  });
});

describe("the credit of a window", () => {
  test.each([
    { atMs: 9, left: 100, why: "what the running window holds" },
    { atMs: 10, left: 100, why: "not what the running window left" },
    { atMs: 60, left: 200, why: "another limit with each span" },
    { atMs: 500, left: 200, why: "never more than two" },
  ])("is $why", ({ atMs, left }) => {
    expect(createCreditWindow(shape).left(atMs)).toBe(left);
  });

  test("is never less than any window from use leaves", () => {
    for (const beginMs of [10, 25, 47, 60, 99]) {
      const window = createWindowFromUse(shape);
      const credit = createCreditWindow(shape);
      for (let nowMs = beginMs; nowMs < 1_000; nowMs += 7) {
        const amount = Math.min(37, window.left(nowMs));
        window.take(amount, nowMs);
        credit.take(amount, nowMs);
        expect(credit.left(nowMs)).toBeGreaterThanOrEqual(0);
      }
    }
  });
});
