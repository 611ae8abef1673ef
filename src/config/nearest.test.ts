import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { editDistance, nearest } from "./nearest.ts";

describe("edit distance", () => {
  test.each([
    ["", "", 0],
    ["port", "", 4],
    ["", "port", 4],
    ["port", "prot", 2],
    ["port", "ports", 1],
    ["kitten", "sitting", 3],
  ])("from %p to %p is %p", (from, to, expected) => expect(editDistance(from, to)).toBe(expected));

  test("is symmetric, and never more than the longer name", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (from, to) => {
        const steps = editDistance(from, to);
        expect(steps).toBe(editDistance(to, from));
        expect(steps).toBeLessThanOrEqual(Math.max(from.length, to.length));
        expect(steps === 0).toBe(from === to);
      }),
    );
  });
});

describe("nearest", () => {
  test("ignores case", () => expect(nearest("IDLEMS", ["totalMs", "idleMs"])).toBe("idleMs"));
  test("knows nothing when nothing is known", () => expect(nearest("x", [])).toBeNull());
});
