import { expect, test } from "bun:test";
import { crc32OfAscii } from "./crc32.ts";

test.each([
  { text: "", expected: 0 },
  // The check value of the CRC catalogue (CRC-32/ISO-HDLC).
  { text: "123456789", expected: 0xcbf43926 },
  { text: "bccf_sk_", expected: Bun.hash.crc32("bccf_sk_") },
])("agrees with the published CRC-32 of $text", ({ text, expected }) => {
  expect(crc32OfAscii(text, text.length)).toBe(expected);
});

test("reads only the first characters that it is asked for", () => {
  expect(crc32OfAscii("123456789 and more", 9)).toBe(0xcbf43926);
});
