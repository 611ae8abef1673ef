import { afterAll, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Secret } from "../kernel/secret.ts";
import { MasterKeyRefused } from "./keyring-error.ts";
import { loadMasterKey, type MasterKey, type MasterKeySource } from "./master-key.ts";

const directory = mkdtempSync(join(tmpdir(), "key-sources-"));
afterAll(() => rmSync(directory, { recursive: true }));

const address = Buffer.from("address");
const text = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64");
const otherText = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64");
const words = (passphrase: string) => new Secret("passphrase", passphrase);
const refusalOf = (source: MasterKeySource): MasterKeyRefused => {
  try {
    loadMasterKey(source);
  } catch (cause) {
    if (cause instanceof MasterKeyRefused) return cause;
    throw cause;
  }
  throw new Error("Cannot find the refusal: the key was accepted");
};

type Kind = {
  readonly name: string;
  readonly given: () => MasterKeySource;
  readonly another: () => MasterKeySource;
  /** What the operator gives when nothing is there. */
  readonly nothing: () => MasterKeySource;
};

const keyFile = join(directory, "a.key");
const otherFile = join(directory, "b.key");
const kdf = join(directory, "master.kdf");
writeFileSync(keyFile, text, { mode: 0o600 });
writeFileSync(otherFile, otherText, { mode: 0o600 });
const passphrase = (phrase: string, createIfAbsent = false): MasterKeySource => {
  return { kind: "passphrase", passphrase: words(phrase), path: kdf, createIfAbsent };
};
loadMasterKey(passphrase("correct horse battery staple", true)).erase();

const kinds: readonly Kind[] = [
  {
    name: "file",
    given: () => ({ kind: "file", path: keyFile, createIfAbsent: false }),
    another: () => ({ kind: "file", path: otherFile, createIfAbsent: false }),
    nothing: () => ({ kind: "file", path: join(directory, "absent"), createIfAbsent: false }),
  },
  {
    name: "value",
    given: () => ({ kind: "value", value: new Secret("encryption key", text) }),
    another: () => ({ kind: "value", value: new Secret("encryption key", otherText) }),
    nothing: () => ({ kind: "value", value: new Secret("encryption key", "") }),
  },
  {
    name: "passphrase",
    given: () => passphrase("correct horse battery staple"),
    another: () => passphrase("correct horse battery stable"),
    nothing: () => passphrase(""),
  },
];

describe.each(kinds)("a master key from a $name", ({ given, another, nothing }) => {
  const opened = (key: MasterKey, sealed: Uint8Array) => key.unwrap(address, sealed)?.toString() ?? null;

  test("is the same key each time, and opens what it sealed", () => {
    const sealed = loadMasterKey(given()).wrap(address, Buffer.from("canary"));
    expect(loadMasterKey(given()).id).toBe(loadMasterKey(given()).id);
    expect(opened(loadMasterKey(given()), sealed)).toBe("canary");
  });

  test("differs from another one, and does not open what the other sealed", () => {
    const sealed = loadMasterKey(another()).wrap(address, Buffer.from("canary"));
    expect(loadMasterKey(another()).id).not.toBe(loadMasterKey(given()).id);
    expect(opened(loadMasterKey(given()), sealed)).toBeNull();
  });

  test("is refused when there is none: no other source is asked", () => {
    expect(refusalOf(nothing()).message).toStartWith("Cannot use ");
  });

  test("cannot be used once it is erased", () => {
    const key = loadMasterKey(given());
    key.erase();
    expect(() => key.wrap(address, Buffer.from("x"))).toThrow("it was erased");
  });

  test("is in no message and no rendering of itself", () => {
    const key = loadMasterKey(given());
    const shown = JSON.stringify([key, Bun.inspect(key), refusalOf(nothing()).message]);
    for (const secret of [text, otherText, "correct horse"]) expect(shown).not.toContain(secret);
  });
});

describe("T-10.17 the parameters of a passphrase", () => {
  test("are those of security.md D3, readable by nobody else, and made once", () => {
    const stored: unknown = JSON.parse(readFileSync(kdf, "utf8"));
    expect(stored).toMatchObject({ kdf: "scrypt", n: 131_072, r: 8, p: 1 });
    expect(statSync(kdf).mode & 0o777).toBe(0o600);
    const before = readFileSync(kdf);
    loadMasterKey(passphrase("another one, longer", true)).erase();
    expect(readFileSync(kdf)).toEqual(before);
  });

  test("are read when an older or later release chose other costs", () => {
    const path = join(directory, "cheap.kdf");
    const salt = Buffer.alloc(16, 7).toString("base64");
    writeFileSync(path, JSON.stringify({ kdf: "scrypt", n: 1024, r: 8, p: 1, salt }), { mode: 0o600 });
    const source: MasterKeySource = {
      kind: "passphrase",
      passphrase: words("twelve chars"),
      path,
      createIfAbsent: false,
    };
    // RFC 7914 by another implementation: python3 hashlib.scrypt, then the documented HMAC for the id.
    expect(loadMasterKey(source).id).toBe("d2a4d2c2ca640f3b");
  });

  test("that are gone are not made anew over data that exists", () => {
    const path = join(directory, "gone.kdf");
    const source: MasterKeySource = {
      kind: "passphrase",
      passphrase: words("twelve chars"),
      path,
      createIfAbsent: false,
    };
    expect(refusalOf(source).problem).toBe("absent");
    expect(existsSync(path)).toBe(false);
  });

  test.each([
    { name: "no JSON", content: "scrypt" },
    { name: "another function", content: '{"kdf":"pbkdf2"}' },
    { name: "no salt", content: '{"kdf":"scrypt","n":1024,"r":8,"p":1}' },
    { name: "a short salt", content: '{"kdf":"scrypt","n":1024,"r":8,"p":1,"salt":"AAAA"}' },
    { name: "16 GiB of memory", content: `{"kdf":"scrypt","n":16777216,"r":8,"p":1,"salt":"${"A".repeat(22)}=="}` },
    { name: "no power of two", content: `{"kdf":"scrypt","n":1000,"r":8,"p":1,"salt":"${"A".repeat(22)}=="}` },
  ])("are refused with $name", ({ content }) => {
    const path = join(directory, "bad.kdf");
    writeFileSync(path, content, { mode: 0o600 });
    chmodSync(path, 0o600);
    const source: MasterKeySource = {
      kind: "passphrase",
      passphrase: words("twelve chars"),
      path,
      createIfAbsent: true,
    };
    expect(refusalOf(source).problem).toBe("length");
    expect(readFileSync(path, "utf8")).toBe(content);
  });
});

test("a passphrase of fewer than 12 characters is refused", () => {
  expect(refusalOf(passphrase("eleven char")).message).toContain("fewer than 12 characters");
});
