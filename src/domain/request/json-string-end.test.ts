import { expect, test } from "bun:test";
import fc from "fast-check";
import { closingQuote, isEscapedAt } from "./json-string-end.ts";

const utf8 = new TextEncoder();

/** The plain way: byte by byte, skipping what a backslash escapes. */
function closingQuoteSlowly(bytes: Uint8Array, from: number): number {
  for (let at = from; at < bytes.length; at++) {
    if (bytes[at] === 0x5c) at++;
    else if (bytes[at] === 0x22) return at;
  }
  return -1;
}

test("finds the same quote as a byte loop, near or far, behind any run of backslashes", () => {
  const piece = fc.oneof(
    fc.constantFrom('"', "\\", '\\"', "\\\\", "a", "ä"),
    fc.nat(90).map((length) => "x".repeat(length)),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), fc.nat(20), (pieces, from) => {
      const bytes = utf8.encode(pieces.join(""));
      expect(closingQuote(bytes, from)).toBe(closingQuoteSlowly(bytes, from));
    }),
    { numRuns: 3000 },
  );
});

test("finds the quote at every distance", () => {
  for (let distance = 0; distance < 100; distance++) {
    const bytes = utf8.encode(`${"x".repeat(distance)}"${"y".repeat(50)}`);
    expect(closingQuote(bytes, 0)).toBe(distance);
  }
});

test.each([
  ["\\", 0, 1, true],
  ["\\\\", 0, 2, false],
  ["\\\\\\", 0, 3, true],
  ["\\\\\\", 1, 3, false],
  ["a", 0, 1, false],
  ["", 0, 0, false],
])("sees in %p from %d whether byte %d is escaped", (text, from, at, expected) => {
  expect(isEscapedAt(utf8.encode(text), from, at)).toBe(expected);
});
