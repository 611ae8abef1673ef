import { expect, test } from "bun:test";
import { createForwardClock } from "./system-clock.ts";

const DAY_MS = 86_400_000;

test.each([
  { what: "goes on", wallMs: 1_999, passedMs: 999, nowMs: 1_999 },
  { what: "goes on by the span", wallMs: 2_000, passedMs: 1_000, nowMs: 2_000 },
  { what: "is set back by a second", wallMs: 1_000, passedMs: 1_000, nowMs: 2_000 },
  { what: "is set back by a day", wallMs: 2_000 - DAY_MS, passedMs: 1_000, nowMs: 2_000 },
  { what: "is set forward", wallMs: 2_000 + DAY_MS, passedMs: 1_000, nowMs: 2_000 + DAY_MS },
])("T-2.08 when the wall clock $what, keys see $nowMs", ({ wallMs, passedMs, nowMs }) => {
  const time = { wallMs: 1_000, passedMs: 0 };
  const now = createForwardClock({ wallMs: () => time.wallMs, passedMs: () => time.passedMs });
  Object.assign(time, { wallMs, passedMs });
  expect(Number(now())).toBe(nowMs);
});
