import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DATA_KEY_PURPOSES } from "../src/control/vault-ports.ts";

const ROOT = join(import.meta.dir, "..");
const PAGE = readFileSync(join(ROOT, "docs/security/cryptography.md"), "utf8");
const SOURCES = [...new Bun.Glob("src/**/*.ts").scanSync(ROOT)]
  .filter((path) => !path.endsWith(".test.ts"))
  .map((path) => readFileSync(join(ROOT, path), "utf8"));

/** What code may take of `node:crypto`, and the algorithm of the page that it stands for; null where it is none. */
const CALLS: Readonly<Record<string, string | null>> = {
  createCipheriv: "AES-256-GCM",
  createDecipheriv: "AES-256-GCM",
  createHash: "SHA-256",
  createHmac: "HMAC-SHA-256",
  createPrivateKey: "Ed25519",
  createPublicKey: "Ed25519",
  generateKeyPairSync: "Ed25519",
  hkdfSync: "HKDF-SHA-256",
  scrypt: "scrypt",
  sign: "Ed25519",
  verify: "Ed25519",
  randomBytes: null,
  randomInt: null,
  timingSafeEqual: null,
  X509Certificate: null,
};

test("docs/security/cryptography.md has a row for every purpose of data keys", () => {
  const rows = [...PAGE.matchAll(/^\| data key `([a-z-]+)` \|/gm)].map(([, purpose]) => purpose);
  expect(rows.toSorted()).toEqual([...DATA_KEY_PURPOSES].toSorted());
});

test("no source takes of node:crypto what the page does not know", () => {
  const imports = SOURCES.flatMap((text) => [...text.matchAll(/import \{([^}]+)\} from "node:crypto"/g)]);
  const taken = new Set(
    imports
      .flatMap(([, names = ""]) => names.split(","))
      .map(
        (name) =>
          name
            .replace(/^\s*type /, "")
            .trim()
            .split(" as ")[0] ?? "",
      )
      .filter((name) => name !== ""),
  );
  expect(taken.size).toBeGreaterThan(8);
  for (const name of taken) {
    const algorithm = CALLS[name];
    expect({ name, isKnown: algorithm !== undefined }).toEqual({ name, isKnown: true });
    if (algorithm !== undefined && algorithm !== null) expect(PAGE).toContain(`| ${algorithm}`);
  }
});

test("nothing is hashed by name but with SHA-256", () => {
  const named = SOURCES.flatMap((text) => [
    ...text.matchAll(/(?:createHash|createHmac|new Bun\.CryptoHasher|hkdfSync)\(\s*"([^"]+)"/g),
  ]).map(([, algorithm]) => algorithm);
  expect(new Set(named)).toEqual(new Set(["sha256"]));
});
