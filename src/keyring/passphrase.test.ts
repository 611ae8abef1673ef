import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Secret } from "../kernel/secret.ts";
import { passphraseSource } from "./given-sources.ts";
import { MasterKeyRefused } from "./keyring-error.ts";

const directory = mkdtempSync(join(tmpdir(), "passphrase-"));
afterAll(() => rmSync(directory, { recursive: true }));

const words = (passphrase: string) => new Secret("passphrase", passphrase);
let directories = 0;

/** A data directory, with these parameters when they are given. */
function dataDirWith(parameters?: string): string {
  directories += 1;
  const dataDir = join(directory, String(directories));
  mkdirSync(dataDir);
  if (parameters !== undefined) writeFileSync(join(dataDir, "master.kdf"), parameters, { mode: 0o600 });
  return dataDir;
}

/** `isFirst`: nothing was ever sealed. */
const load = (dataDir: string, passphrase: string, isFirst = false) =>
  passphraseSource(dataDir, words(passphrase)).load(isFirst ? null : "0123456789abcdef");

async function refusalOf(loading: Promise<unknown>): Promise<MasterKeyRefused> {
  const cause: unknown = await loading.then(
    () => null,
    (refused: unknown) => refused,
  );
  if (cause instanceof MasterKeyRefused) return cause;
  throw new Error("Cannot find the refusal: the key was accepted", { cause });
}

describe("T-10.17 the parameters of a passphrase", () => {
  const dataDir = dataDirWith();
  const kdf = join(dataDir, "master.kdf");
  beforeAll(async () => (await load(dataDir, "correct horse battery staple", true)).erase());

  test("are those of OWASP, readable by nobody else, and made once", async () => {
    const stored: unknown = JSON.parse(readFileSync(kdf, "utf8"));
    expect(stored).toMatchObject({ kdf: "scrypt", n: 131_072, r: 8, p: 1 });
    expect(statSync(kdf).mode & 0o777).toBe(0o600);
    const before = readFileSync(kdf);
    (await load(dataDir, "another one, longer", true)).erase();
    expect(readFileSync(kdf)).toEqual(before);
  });

  test("are read when an older or later release chose other costs", async () => {
    const salt = Buffer.alloc(16, 7).toString("base64");
    const cheap = dataDirWith(JSON.stringify({ kdf: "scrypt", n: 1024, r: 8, p: 1, salt }));
    // RFC 7914 by another implementation: python3 hashlib.scrypt, then the documented HMAC for the id.
    expect((await load(cheap, "twelve chars")).id).toBe("d2a4d2c2ca640f3b");
  });

  test("that are gone are not made anew over data that exists", async () => {
    const gone = dataDirWith();
    expect((await refusalOf(load(gone, "twelve chars"))).problem).toBe("absent");
    expect(existsSync(join(gone, "master.kdf"))).toBe(false);
  });

  test.each([
    { name: "no JSON", content: "scrypt" },
    { name: "another function", content: '{"kdf":"pbkdf2"}' },
    { name: "no salt", content: '{"kdf":"scrypt","n":1024,"r":8,"p":1}' },
    { name: "a short salt", content: '{"kdf":"scrypt","n":1024,"r":8,"p":1,"salt":"AAAA"}' },
    { name: "16 GiB of memory", content: `{"kdf":"scrypt","n":16777216,"r":8,"p":1,"salt":"${"A".repeat(22)}=="}` },
    { name: "no power of two", content: `{"kdf":"scrypt","n":1000,"r":8,"p":1,"salt":"${"A".repeat(22)}=="}` },
  ])("are refused with $name", async ({ content }) => {
    const bad = dataDirWith(content);
    chmodSync(join(bad, "master.kdf"), 0o600);
    expect((await refusalOf(load(bad, "twelve chars", true))).problem).toBe("length");
    expect(readFileSync(join(bad, "master.kdf"), "utf8")).toBe(content);
  });
});

test("a passphrase of fewer than 12 characters is refused", async () => {
  expect((await refusalOf(load(dataDirWith(), "eleven char", true))).message).toContain("fewer than 12 characters");
});
