import { expect, test } from "bun:test";
import { createTokenBucket } from "./token-bucket.ts";

test.each([
  { taken: 0, afterMs: 0, level: 600, waitMs: 0, why: "full at first" },
  { taken: 600, afterMs: 0, level: 0, waitMs: 10_000, why: "empty at once" },
  { taken: 600, afterMs: 5_000, level: 50, waitMs: 5_000, why: "refilled continuously" },
  { taken: 600, afterMs: 120_000, level: 600, waitMs: 0, why: "never above its capacity" },
  { taken: 700, afterMs: 0, level: -100, waitMs: 20_000, why: "in debt" },
])("a bucket of 600 a minute is $why", ({ taken, afterMs, level, waitMs }) => {
  const bucket = createTokenBucket(600);
  bucket.take(taken, 0);
  expect(bucket.level(afterMs)).toBe(level);
  expect(bucket.waitMs(100, afterMs)).toBe(waitMs);
});

test("gives back, and says that what is larger than it never fits", () => {
  const bucket = createTokenBucket(600);
  bucket.take(500, 0);
  bucket.take(-300, 0);
  expect(bucket.level(0)).toBe(400);
  expect(bucket.waitMs(601, 0)).toBe(Number.POSITIVE_INFINITY);
});
