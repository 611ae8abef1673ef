import { expect, test } from "bun:test";
import fc from "fast-check";
import { decodeUtf8, parseJsonBytes } from "./json-bytes.ts";

const utf8 = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

test("decodes any bytes as TextDecoder does", () => {
  const lead = fc.constantFrom(
    0x41,
    0x7f,
    0x80,
    0x8f,
    0x90,
    0x9f,
    0xa0,
    0xbf,
    0xc1,
    0xc2,
    0xdf,
    0xe0,
    0xed,
    0xef,
    0xf0,
  );
  const bytes = fc.array(fc.oneof(lead, fc.constantFrom(0xf4, 0xf5, 0xff), fc.nat(255)), { maxLength: 40 });
  fc.assert(
    fc.property(bytes, (values) => {
      const input = new Uint8Array(values);
      expect(decodeUtf8(input)).toBe(decoder.decode(input));
    }),
    { numRuns: 2000 },
  );
});

test("decodes any text, long text too", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (text) => {
      expect(decodeUtf8(utf8.encode(text))).toBe(text);
    }),
  );
  const long = "häß𝄞\n".repeat(5000);
  expect(decodeUtf8(utf8.encode(long))).toBe(long);
  expect(decodeUtf8(utf8.encode("a".repeat(10_000)))).toBe("a".repeat(10_000));
});

test("parses a JSON value", () => {
  expect(parseJsonBytes(utf8.encode('{"a":["\\u00e9","é"]}'))).toEqual({ ok: true, value: { a: ["é", "é"] } });
});

test.each(["", "{", '"\n"', "NaN", "[".repeat(100_000)])("refuses what is no JSON", (text) => {
  expect(parseJsonBytes(utf8.encode(text))).toEqual({ ok: false, error: "malformed" });
});
