import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type EpochMs, epochMs } from "../../kernel/time.ts";
import { type PacedWindow, paceOf } from "./pace.ts";

const START = Date.parse("2026-11-23T10:00:00Z");
const hours = (count: number): EpochMs => epochMs(START + count * 3_600_000);

/** A five-hour window from 0 to 5 hours, half of its time gone. */
function window(changes: Partial<PacedWindow>): PacedWindow {
  const unsaid = { limit: null, remaining: null, usedRatio: null };
  return { name: "5h", ...unsaid, resetAtMs: hours(5), seenAtMs: hours(2.5), ...changes };
}

describe("a window of five hours, half of its time gone", () => {
  test.each([
    { usedRatio: 0, pace: "behind", exhausts: null },
    { usedRatio: 0.44, pace: "behind", exhausts: null },
    { usedRatio: 0.5, pace: "on", exhausts: null },
    { usedRatio: 0.54, pace: "on", exhausts: 2.5 / 0.54 },
    { usedRatio: 0.8, pace: "ahead", exhausts: 2.5 / 0.8 },
    { usedRatio: 1, pace: "ahead", exhausts: 2.5 },
    { usedRatio: 1.1, pace: "ahead", exhausts: 2.5 },
  ] as const)("is $pace at $usedRatio used", ({ usedRatio, pace, exhausts }) => {
    const found = paceOf(window({ usedRatio }), hours(2.5));
    expect(found).toMatchObject({ usedRatio, leftRatio: Math.max(0, 1 - usedRatio), pace });
    expect(found.exhaustsAtMs === null ? null : Math.round(found.exhaustsAtMs)).toBe(
      exhausts === null ? null : Math.round(hours(exhausts)),
    );
  });
});

test("a window of seven days, of one class or of all, has its length from the name", () => {
  const seen = { usedRatio: 0.5, resetAtMs: hours(168), seenAtMs: hours(16.8) };
  for (const name of ["7d", "7d_opus"]) {
    expect(paceOf(window({ ...seen, name }), hours(17))).toMatchObject({ pace: "ahead", exhaustsAtMs: hours(33.6) });
  }
});

test("a token bucket has a share, and no pace", () => {
  const bucket = window({ name: "input-tokens", limit: 1000, remaining: 250 });
  expect(paceOf(bucket, hours(3))).toEqual({ usedRatio: 0.75, leftRatio: 0.25, pace: null, exhaustsAtMs: null });
});

test("a window whose reset has passed is full again", () => {
  expect(paceOf(window({ usedRatio: 1 }), hours(5))).toEqual({
    usedRatio: 0,
    leftRatio: 1,
    pace: null,
    exhaustsAtMs: null,
  });
});

test("says nothing when the provider said nothing", () => {
  const unknown = { usedRatio: null, leftRatio: null, pace: null, exhaustsAtMs: null };
  expect(paceOf(window({}), hours(3))).toEqual(unknown);
  expect(paceOf(window({ limit: 0, remaining: 0 }), hours(3))).toEqual(unknown);
  expect(paceOf(window({ usedRatio: 0.5, resetAtMs: null }), hours(3))).toMatchObject({ usedRatio: 0.5, pace: null });
});

test("makes no projection in the first minutes, and none into the past", () => {
  expect(paceOf(window({ usedRatio: 0.01, seenAtMs: hours(0.05) }), hours(0.05)).exhaustsAtMs).toBeNull();
  expect(paceOf(window({ usedRatio: 0.9 }), hours(4)).exhaustsAtMs).toBe(hours(4));
});

test("whatever the window: shares within bounds, and a projection between now and the reset", () => {
  const instant = fc.double({ min: -10, max: 200, noNaN: true }).map(hours);
  const amount = fc.option(fc.double({ min: 0, max: 2000, noNaN: true }));
  const windows = fc.record({
    name: fc.constantFrom("5h", "7d", "7d_opus", "requests", "0h", "999d", ""),
    limit: amount,
    remaining: amount,
    usedRatio: fc.option(fc.double({ min: 0, max: 2, noNaN: true })),
    resetAtMs: fc.option(instant),
    seenAtMs: instant,
  });
  fc.assert(
    fc.property(windows, instant, (seen, nowMs) => {
      const { usedRatio, leftRatio, exhaustsAtMs } = paceOf(seen, nowMs);
      expect(usedRatio ?? 0).toBeGreaterThanOrEqual(0);
      expect(leftRatio ?? 0).toBeGreaterThanOrEqual(0);
      expect(leftRatio ?? 1).toBeLessThanOrEqual(1);
      expect(exhaustsAtMs ?? nowMs).toBeGreaterThanOrEqual(nowMs);
      expect(exhaustsAtMs ?? 0).toBeLessThanOrEqual(seen.resetAtMs ?? 0);
    }),
  );
});
