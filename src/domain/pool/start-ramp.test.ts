import { expect, test } from "bun:test";
import { epochMs } from "../../kernel/time.ts";
import { countStart, createStartRamp, rampOpensAt } from "./start-ramp.ts";

/** Starts as many as may in the slot that `nowMs` is in, and says how many. */
function startAll(ramp: ReturnType<typeof createStartRamp>, nowMs: number): number {
  let started = 0;
  while (rampOpensAt(ramp, epochMs(nowMs)) === null && started < 10_000) {
    countStart(ramp, epochMs(nowMs));
    started++;
  }
  return started;
}

test("at most doubles from slot to slot, from a floor of 20", () => {
  const ramp = createStartRamp();
  expect([0, 5_000, 10_000, 15_000, 20_000].map((nowMs) => startAll(ramp, 1_000_000 + nowMs))).toEqual([
    20, 40, 80, 160, 320,
  ]);
});

test("opens with the next slot of 5 s", () => {
  const ramp = createStartRamp();
  startAll(ramp, 1_001_234);
  expect(rampOpensAt(ramp, epochMs(1_001_234))).toBe(epochMs(1_005_000));
  expect(rampOpensAt(ramp, epochMs(1_004_999))).toBe(epochMs(1_005_000));
  expect(rampOpensAt(ramp, epochMs(1_005_000))).toBeNull();
});

test("starts from the rate that was there", () => {
  const ramp = createStartRamp();
  for (let index = 0; index < 500; index++) countStart(ramp, epochMs(1_000_000));
  expect(startAll(ramp, 1_005_000)).toBe(1_000);
});

test("a pause falls back to the floor", () => {
  const ramp = createStartRamp();
  for (let index = 0; index < 500; index++) countStart(ramp, epochMs(1_000_000));
  expect(startAll(ramp, 1_010_000)).toBe(20);
});

test("a clock that goes back counts in the newest slot", () => {
  const ramp = createStartRamp();
  for (let index = 0; index < 20; index++) countStart(ramp, epochMs(1_005_000));
  countStart(ramp, epochMs(1_000_000));
  expect(ramp).toEqual({ slot: 201, current: 21, previous: 0 });
});
