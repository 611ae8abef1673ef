import { expect, test } from "bun:test";
import fc from "fast-check";
import { canonicalUserName } from "../domain/access/user-name.ts";
import { epochMs } from "../kernel/time.ts";
import { freshKeyring } from "./fresh-keyring.test.ts";
import { formatPasswordHash, parsePasswordHash } from "./password-hash.ts";
import { createProofs } from "./proofs.ts";

const proofs = createProofs(await freshKeyring());
const { passwords, recoveryCodes, tokens, totp } = proofs;
const anyText = fc.string({ unit: "binary", maxLength: 300 });
const anyBytes = fc.uint8Array({ maxLength: 200 });

test("whatever is presented, nothing throws and nothing is proven", () => {
  const { sealed } = totp.enrol("user", "user");
  const { hash } = tokens.newSession();
  fc.assert(
    fc.property(anyText, anyBytes, (text, bytes) => {
      expect(tokens.sessionHash(text)).toBeNull();
      expect(tokens.tokenMac(text)).toBeNull();
      expect(tokens.isCsrf(hash, text)).toBe(false);
      expect(totp.check("user", bytes, text, null, epochMs(0))).toBeNull();
      expect(totp.check(text, sealed, "000000", null, epochMs(0))).toBeNull();
      expect(parsePasswordHash(text)).toBeNull();
      passwords.problem(text, { words: [text], hasMfa: true });
      recoveryCodes.macs(text);
    }),
  );
});

test("a user name is null or its own canonical form", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 70 }), (text) => {
      const name = canonicalUserName(text);
      return name === null || canonicalUserName(name) === name;
    }),
  );
});

test("a stored hash reads back, and no part of it may change without being another one", () => {
  const bytes = (length: number) =>
    fc.uint8Array({ minLength: length, maxLength: length }).map((each) => Buffer.from(each));
  const cost = fc.record({
    log2N: fc.integer({ min: 1, max: 20 }),
    r: fc.integer({ min: 1, max: 16 }),
    p: fc.integer({ min: 1, max: 16 }),
  });
  const hash = fc.record({
    cost,
    pepperVersion: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
    salt: bytes(16),
    key: bytes(32),
  });
  fc.assert(fc.property(hash, (one) => expect(parsePasswordHash(formatPasswordHash(one))).toEqual(one)));
});
