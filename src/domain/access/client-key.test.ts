import { expect, test } from "bun:test";
import fc from "fast-check";
import { err, ok } from "../../kernel/result.ts";
import {
  CLIENT_KEY_RANDOM_BYTES,
  clientKeyPattern,
  composeClientKey,
  looksLikeProviderCredential,
  parseClientKey,
} from "./client-key.ts";
import { clientKeyId } from "./client-key-id.ts";

const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

const randomBytes = (): Uint8Array => crypto.getRandomValues(new Uint8Array(CLIENT_KEY_RANDOM_BYTES));

test("reads back every key that it composed", () => {
  fc.assert(
    fc.property(
      fc.constantFrom("sk" as const, "ad" as const, "st" as const),
      fc
        .uint8Array({ minLength: 200, maxLength: 200 })
        .filter((bytes) => bytes.filter((byte) => byte < 248).length >= 53),
      (type, bytes) => {
        const key = composeClientKey(type, bytes);
        expect(key).toMatch(clientKeyPattern);
        expect(parseClientKey(key)).toEqual(ok({ type, keyId: clientKeyId(key.slice(8, 18)) }));
      },
    ),
  );
});

test("T-2.02 refuses a key in which any one character was changed to any other", () => {
  const key = composeClientKey("sk", randomBytes());
  for (let at = 0; at < key.length; at += 1) {
    for (const other of `${BASE62}_- é`) {
      if (other === key[at]) continue;
      expect(parseClientKey(key.slice(0, at) + other + key.slice(at + 1)).ok).toBe(false);
    }
  }
});

test("refuses a key whose type was changed", () => {
  expect(parseClientKey(composeClientKey("sk", randomBytes()).replace("_sk_", "_ad_"))).toEqual(err("checksum"));
});

test("T-2.02 refuses a checksum above 2^32 that has the same value modulo 2^32", () => {
  const key = composeClientKey("sk", randomBytes());
  const value = [...key.slice(61)].reduce((sum, character) => sum * 62 + BASE62.indexOf(character), 0) + 2 ** 32;
  let spelled = "";
  for (let rest = value; spelled.length < 6; rest = Math.floor(rest / 62)) spelled = BASE62.charAt(rest % 62) + spelled;
  expect(parseClientKey(key.slice(0, 61) + spelled)).toEqual(err("checksum"));
});

test.each<{ text: string; name: string }>([
  { text: "", name: "nothing" },
  { text: "sk-ant-api03-abc", name: "a provider key" },
  { text: `bccf_xx_${"a".repeat(59)}`, name: "an unknown type" },
  { text: `bccf_sk_${"a".repeat(58)}`, name: "a short key" },
  { text: `bccf_sk_${"a".repeat(60)}`, name: "a long key" },
  { text: ` bccf_sk_${"a".repeat(58)}`, name: "a leading space" },
  { text: `bccf_sk_${"a".repeat(59)}\n`, name: "a trailing newline" },
  { text: "x".repeat(1_048_576), name: "a mebibyte" },
  { text: `bccf_sk_${"a".repeat(58)}\0`, name: "a NUL" },
  { text: `bccf_sk_${"а".repeat(59)}`, name: "Cyrillic look-alikes" },
  { text: `ｂccf_sk_${"a".repeat(59)}`, name: "a full-width letter" },
  { text: `BCCF_SK_${"a".repeat(59)}`, name: "capitals" },
])("T-2.18 refuses $name by its form", ({ text }) => {
  expect(parseClientKey(text)).toEqual(err("format"));
});

test("never throws, whatever the text is", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => !parseClientKey(text).ok));
});

test("T-2.01 of 10,000 keys all are well-formed, none is there twice, and every character is equally likely", () => {
  const counts = new Map<string, number>();
  const keys = new Set<string>();
  for (let round = 0; round < 10_000; round += 1) {
    const key = composeClientKey("sk", randomBytes());
    keys.add(key);
    expect(clientKeyPattern.test(key) && parseClientKey(key).ok).toBe(true);
    for (const character of key.slice(8, 61)) counts.set(character, (counts.get(character) ?? 0) + 1);
  }
  const expected = (10_000 * 53) / 62;
  const chiSquare = [...BASE62].reduce(
    (sum, character) => sum + ((counts.get(character) ?? 0) - expected) ** 2 / expected,
    0,
  );
  expect(keys.size).toBe(10_000);
  // 61 degrees of freedom: above 127.8 once in a million runs.
  expect(chiSquare).toBeLessThan(127.8);
});

test.each([
  { text: "sk-ant-oat01-abc", expected: "claude_ai_token" as const },
  { text: "sk-ant-ort01-abc", expected: "claude_ai_token" as const },
  { text: "sk-ant-api03-abc", expected: "provider_key" as const },
  { text: "sk-ant-admin01-abc", expected: null },
  { text: "bccf_sk_abc", expected: null },
  { text: "", expected: null },
])("takes $text for $expected", ({ text, expected }) => {
  expect(looksLikeProviderCredential(text)).toBe(expected);
});
