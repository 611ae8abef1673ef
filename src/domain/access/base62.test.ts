import { expect, test } from "bun:test";
import { base62FromNumber, base62FromRandom } from "./base62.ts";

test.each([
  { value: 0, width: 6, expected: "000000" },
  { value: 61, width: 2, expected: "0z" },
  { value: 62, width: 2, expected: "10" },
  { value: 0xffffffff, width: 6, expected: "4gfFC3" },
])("writes $value in $width characters", ({ value, width, expected }) => {
  expect(base62FromNumber(value, width)).toBe(expected);
});

test("throws away the bytes that would favour the first characters", () => {
  expect(base62FromRandom(Uint8Array.of(255, 248, 0, 62, 247), 3)).toBe("00z");
});

test("refuses to draw more characters than the bytes hold", () => {
  expect(() => base62FromRandom(new Uint8Array(3).fill(255), 1)).toThrow("Cannot draw 1 base62 characters");
});
