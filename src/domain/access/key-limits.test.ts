import { expect, test } from "bun:test";
import fc from "fast-check";
import { epochMs } from "../../kernel/time.ts";
import {
  enter,
  hold,
  isRested,
  type KeyLimits,
  leave,
  limitsTokens,
  NO_LIMITS,
  newKeyMeter,
  settle,
} from "./key-limits.ts";

const T0 = 1_800_000_000_000;
const at = (ms: number) => epochMs(T0 + ms);
const limited = (limits: Partial<KeyLimits>): KeyLimits => ({ ...NO_LIMITS, ...limits });

test("a minute's worth may be taken at once and comes back evenly", () => {
  const limits = limited({ requestsPerMinute: 60 });
  const meter = newKeyMeter(at(0));
  for (let count = 0; count < 60; count += 1) expect(enter(meter, limits, at(0))).toBeNull();
  expect(enter(meter, limits, at(0))).toEqual({ limit: "requestsPerMinute", retryAfterSeconds: 1 });
  expect(enter(meter, limits, at(999))).not.toBeNull();
  expect(enter(meter, limits, at(1_000))).toBeNull();
  expect(enter(meter, limits, at(1_000))).not.toBeNull();
});

test("what waits as long as it is told gets in", () => {
  const limits = limited({ requestsPerMinute: 1 });
  const meter = newKeyMeter(at(0));
  expect(enter(meter, limits, at(0))).toBeNull();
  expect(enter(meter, limits, at(500))).toEqual({ limit: "requestsPerMinute", retryAfterSeconds: 60 });
  expect(enter(meter, limits, at(60_000))).toBeNull();
});

test("T-16.23 600 requests a minute are 600 in every minute after the first, within 2 %", () => {
  const limits = limited({ requestsPerMinute: 600 });
  const meter = newKeyMeter(at(0));
  const perMinute = Array.from({ length: 11 }, () => 0);
  for (let ms = 0; ms < 11 * 60_000; ms += 20) {
    if (enter(meter, limits, at(ms)) !== null) continue;
    leave(meter);
    perMinute[Math.floor(ms / 60_000)] = (perMinute[Math.floor(ms / 60_000)] ?? 0) + 1;
  }
  for (const count of perMinute.slice(1)) expect(Math.abs(count - 600)).toBeLessThanOrEqual(12);
});

test("no more run at one time than may, and whoever leaves makes room", () => {
  const limits = limited({ concurrency: 2 });
  const meter = newKeyMeter(at(0));
  expect([enter(meter, limits, at(0)), enter(meter, limits, at(0))]).toEqual([null, null]);
  expect(enter(meter, limits, at(0))).toEqual({ limit: "concurrency", retryAfterSeconds: 1 });
  leave(meter);
  expect(enter(meter, limits, at(0))).toBeNull();
});

test("T-7.15 a thousand side by side, with tokens for ten: ten", () => {
  const limits = limited({ inputTokensPerMinute: 1_000, outputTokensPerMinute: 1_000 });
  const meter = newKeyMeter(at(0));
  const tokens = { inputTokens: 100, outputTokens: 100 };
  const passed = Array.from({ length: 1_000 }, () => hold(meter, limits, { tokens, nowMs: at(0) })).filter(
    (reached) => reached === null,
  );
  expect(passed).toHaveLength(10);
});

test("tokens are taken from both limits or from none, and given back against what it came to", () => {
  const limits = limited({ inputTokensPerMinute: 1_000, outputTokensPerMinute: 100 });
  const meter = newKeyMeter(at(0));
  const first = { inputTokens: 400, outputTokens: 90 };
  expect(hold(meter, limits, { tokens: first, nowMs: at(0) })).toBeNull();
  expect(hold(meter, limits, { tokens: first, nowMs: at(0) })).toEqual({
    limit: "outputTokensPerMinute",
    retryAfterSeconds: 48,
  });
  expect(meter).toMatchObject(first);
  settle(meter, limits, { held: first, took: { inputTokens: 500, outputTokens: 10 }, nowMs: at(0) });
  expect(meter).toMatchObject({ inputTokens: 500, outputTokens: 10 });
  expect(hold(meter, limits, { tokens: first, nowMs: at(0) })).toBeNull();
});

test("more than a whole minute's worth passes alone, and is paid for afterwards", () => {
  const limits = limited({ outputTokensPerMinute: 100 });
  const meter = newKeyMeter(at(0));
  const large = { inputTokens: 0, outputTokens: 300 };
  const small = { inputTokens: 0, outputTokens: 10 };
  expect(hold(meter, limits, { tokens: large, nowMs: at(0) })).toBeNull();
  expect(hold(meter, limits, { tokens: small, nowMs: at(60_000) })).toEqual({
    limit: "outputTokensPerMinute",
    retryAfterSeconds: 60,
  });
  expect(hold(meter, limits, { tokens: small, nowMs: at(126_000) })).toBeNull();
});

test("a clock that goes back gives nothing back and locks nobody out", () => {
  const limits = limited({ requestsPerMinute: 60 });
  const meter = newKeyMeter(at(0));
  for (let count = 0; count < 60; count += 1) enter(meter, limits, at(0));
  expect(enter(meter, limits, at(-86_400_000))).not.toBeNull();
  expect(enter(meter, limits, at(-86_400_000 + 1_000))).toBeNull();
});

test("a key without limits takes nothing", () => {
  const meter = newKeyMeter(at(0));
  for (let count = 0; count < 1_000; count += 1) expect(enter(meter, NO_LIMITS, at(0))).toBeNull();
  expect(limitsTokens(NO_LIMITS)).toBe(false);
  for (let count = 0; count < 1_000; count += 1) leave(meter);
  expect(isRested(meter, NO_LIMITS, at(0))).toBe(true);
});

const step = fc.record({
  afterMs: fc.integer({ min: -5_000, max: 30_000 }),
  inputTokens: fc.nat(2_000),
  outputTokens: fc.nat(2_000),
  tookShare: fc.double({ min: 0, max: 2, noNaN: true }),
});

test("never counts less than nothing, whatever comes and in what order", () => {
  const limits = limited({
    requestsPerMinute: 10,
    inputTokensPerMinute: 1_000,
    outputTokensPerMinute: 500,
    concurrency: 3,
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const meter = newKeyMeter(at(0));
      let nowMs = 0;
      for (const { afterMs, inputTokens, outputTokens, tookShare } of steps) {
        nowMs += afterMs;
        if (enter(meter, limits, at(nowMs)) !== null) continue;
        const held = { inputTokens, outputTokens };
        if (hold(meter, limits, { tokens: held, nowMs: at(nowMs) }) === null) {
          const took = { inputTokens: inputTokens * tookShare, outputTokens: outputTokens * tookShare };
          settle(meter, limits, { held, took, nowMs: at(nowMs) });
        }
        leave(meter);
        expect(Math.min(meter.requests, meter.inputTokens, meter.outputTokens, meter.running)).toBeGreaterThanOrEqual(
          0,
        );
      }
    }),
  );
});
