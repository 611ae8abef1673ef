import { expect, test } from "bun:test";
import fc from "fast-check";
import { lengthPrefixed, uint32, uint64 } from "./length-prefixed.ts";

test("puts the length before every part", () => {
  expect([...lengthPrefixed(["ab", Uint8Array.of(7)])]).toEqual([0, 0, 0, 2, 97, 98, 0, 0, 0, 1, 7]);
});

test("gives different bytes for different lists", () => {
  fc.assert(
    fc.property(fc.array(fc.string()), fc.array(fc.string()), (one, other) => {
      const isSameBytes = Buffer.compare(lengthPrefixed(one), lengthPrefixed(other)) === 0;
      expect(isSameBytes).toBe(JSON.stringify(one) === JSON.stringify(other));
    }),
  );
});

test("writes numbers big-endian", () => {
  expect([...uint32(258)]).toEqual([0, 0, 1, 2]);
  expect([...uint64(2 ** 40 + 1)]).toEqual([0, 0, 1, 0, 0, 0, 0, 1]);
});
