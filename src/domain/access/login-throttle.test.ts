import { expect, test } from "bun:test";
import { epochMs } from "../../kernel/time.ts";
import {
  ACCOUNT_LIMITS,
  ADDRESS_LIMITS,
  EVERYBODY_LIMITS,
  failed,
  isDisabled,
  succeeded,
  type ThrottleLimits,
  type ThrottleState,
  waitMs,
} from "./login-throttle.ts";

const START_MS = 1_763_900_000_000;
const at = (ms: number) => epochMs(START_MS + ms);

/** Each failure as soon as it is allowed; gives the wait after each. */
function waits(count: number, limits: ThrottleLimits = ACCOUNT_LIMITS): readonly number[] {
  let state: ThrottleState | null = null;
  let nowMs = 0;
  return Array.from({ length: count }, () => {
    state = failed(state, at(nowMs), limits);
    const wait = waitMs(state, at(nowMs));
    nowMs += wait;
    return wait / 1000;
  });
}

test("T-3.08 five failures are free of a wait but the last, and each further one doubles it up to 900 s", () => {
  expect(waits(18)).toEqual([0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900, 900]);
});

test("T-3.08 four failures in each quarter of an hour lock nobody, until they are a hundred in a row", () => {
  let state: ThrottleState | null = null;
  for (let index = 0; index < 100; index += 1) {
    expect(isDisabled(state)).toBe(false);
    const window = Math.floor(index / 4);
    state = failed(state, at(window * ACCOUNT_LIMITS.windowMs + (index % 4) * 1000));
    expect(waitMs(state, at(window * ACCOUNT_LIMITS.windowMs))).toBe(0 as never);
  }
  expect(isDisabled(state)).toBe(true);
  expect(isDisabled(succeeded(state))).toBe(false);
});

test("T-3.08 a lock that is over leaves no five free tries, a quarter of an hour after it does", () => {
  let state: ThrottleState | null = null;
  for (let index = 0; index < 5; index += 1) state = failed(state, at(0));
  expect(waitMs(failed(state, at(1_000)), at(1_000)) / 1000).toBe(2);
  expect(waitMs(failed(state, at(1_000 + ACCOUNT_LIMITS.windowMs)), at(1_000 + ACCOUNT_LIMITS.windowMs)) / 1000).toBe(
    0,
  );
});

test("T-3.18 a clock that goes back an hour frees nobody early, and one that goes on an hour keeps nobody longer", () => {
  let state: ThrottleState | null = null;
  for (let index = 0; index < 20; index += 1) state = failed(state, at(0));
  expect(waitMs(state, at(-3_600_000)) / 1000).toBe(4_500);
  expect(waitMs(state, at(899_999)) / 1000).toBe(0.001);
  expect(waitMs(state, at(3_600_000)) / 1000).toBe(0);
});

test("T-3.12 an address may fail 20 times in a quarter of an hour, everybody together 100 times a minute", () => {
  expect(waits(21, ADDRESS_LIMITS).slice(18)).toEqual([0, 900, 0]);
  expect(waits(100, EVERYBODY_LIMITS).slice(98)).toEqual([0, 60]);
});
