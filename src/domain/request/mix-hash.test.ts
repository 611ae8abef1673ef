import { expect, test } from "bun:test";
import fc from "fast-check";
import { createMixHash, mixBytes, mixDigest, mixText, mixWord } from "./mix-hash.ts";

function digestOf(bytes: Uint8Array): string {
  const hash = createMixHash();
  mixBytes(hash, bytes, { start: 0, end: bytes.length });
  return mixDigest(hash);
}

function digestOfText(text: string): string {
  const hash = createMixHash();
  mixText(hash, text);
  return mixDigest(hash);
}

test("is 14 characters, the same for the same bytes wherever they stand", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ maxLength: 9 }), (bytes, before) => {
      const whole = new Uint8Array([...before, ...bytes, 7]);
      const hash = createMixHash();
      mixBytes(hash, whole, { start: before.length, end: before.length + bytes.length });
      expect(mixDigest(hash)).toBe(digestOf(bytes));
      expect(mixDigest(hash)).toMatch(/^[0-9a-z]{14}$/);
    }),
  );
});

test("differs when a single bit does", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.nat(), fc.nat({ max: 7 }), (bytes, at, bit) => {
      const changed = bytes.slice();
      const index = at % bytes.length;
      changed[index] = (changed[index] ?? 0) ^ (1 << bit);
      expect(digestOf(changed)).not.toBe(digestOf(bytes));
    }),
  );
});

test("tells two pieces apart from one", () => {
  const pieces = (cut: number) => {
    const hash = createMixHash();
    mixText(hash, "abcdef".slice(0, cut));
    mixText(hash, "abcdef".slice(cut));
    return mixDigest(hash);
  };
  expect(new Set([0, 1, 2, 3, 4, 5, 6].map(pieces)).size).toBe(7);
});

test("has no two numbers of 200,000 alike, in either half", () => {
  const digests = new Set<string>();
  const halves = new Set<string>();
  for (let index = 0; index < 200_000; index++) {
    const digest = digestOfText(`conversation ${index}`);
    digests.add(digest);
    halves.add(digest.slice(0, 7));
  }
  expect(digests.size).toBe(200_000);
  // Of 32 bits about five pairs meet by chance.
  expect(halves.size).toBeGreaterThan(199_970);
});

test("spreads words that differ only in their top bits", () => {
  const digests = new Set<string>();
  for (let top = 0; top < 4_096; top++) {
    const hash = createMixHash();
    mixWord(hash, top << 20);
    digests.add(mixDigest(hash));
  }
  expect(digests.size).toBe(4_096);
});
