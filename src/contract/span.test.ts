import { expect, test } from "bun:test";
import { spanMs, spanSchema } from "./span.ts";

test.each([
  ["1s", 1_000],
  ["5m", 300_000],
  ["24h", 86_400_000],
  ["90d", 7_776_000_000],
  ["2w", 1_209_600_000],
  ["999999w", 999_999 * 604_800_000],
] as const)("reads %s", (text, expected) => {
  expect(spanMs(text)).toBe(expected);
  expect(spanSchema.safeParse(text).success).toBeTrue();
});

test.each(["", "0h", "01h", "h", "24", "24 h", "1.5h", "-1h", "+1h", "24H", "1y", "1000000s", "24h\n"])(
  "refuses %j",
  (text) => {
    expect(spanMs(text)).toBeNull();
    expect(spanSchema.safeParse(text).success).toBeFalse();
  },
);
