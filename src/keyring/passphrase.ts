import { randomBytes, scrypt } from "node:crypto";
import { constants, readFileSync } from "node:fs";
import type { Secret } from "../kernel/secret.ts";
import { KEY_BYTES } from "./aead.ts";
import { MasterKeyRefused } from "./keyring-error.ts";
import { codeOf, writePrivately } from "./private-file.ts";

/** RFC 7914. `n` times `r` times 128 bytes is the memory that one guess costs. */
type ScryptParameters = { readonly n: number; readonly r: number; readonly p: number; readonly salt: Buffer };

/** OWASP password storage cheat sheet, scrypt: N=2^17 (128 MiB), r=8, p=1. */
const COST = { n: 2 ** 17, r: 8, p: 1 } as const;
const SALT_BYTES = 16;
const MAX_MEMORY_BYTES = 1024 * 1024 * 1024;
const MAX_FILE_BYTES = 1024;
/** The salt must be there before the key is used, so short passphrases are refused here, not at a form. */
export const MIN_PASSPHRASE_LENGTH = 12;

/**
 * The 32 bytes that the passphrase and the parameters at `path` give. Makes the parameters when `createIfAbsent` says
 * so. Takes about half a second, on another thread.
 * @throws MasterKeyRefused when the passphrase is too short, or the parameters are absent or not what they should be.
 */
export async function keyFromPassphrase(passphrase: Secret, path: string, createIfAbsent: boolean): Promise<Buffer> {
  // NFC: the same words typed on another keyboard must give the same bytes.
  const text = passphrase.reveal().normalize("NFC");
  if (text.length < MIN_PASSPHRASE_LENGTH) {
    const name = "the passphrase";
    throw new MasterKeyRefused(
      "length",
      name,
      `it has fewer than ${MIN_PASSPHRASE_LENGTH} characters; take a longer one`,
    );
  }
  const parameters = readParameters(path) ?? (createIfAbsent ? createParameters(path) : null);
  if (parameters === null) {
    throw new MasterKeyRefused("absent", path, "there is no such file; put back the one that belongs to this data");
  }
  const { n, r, p, salt } = parameters;
  const options = { N: n, r, p, maxmem: MAX_MEMORY_BYTES + 1024 * 1024 };
  return new Promise((resolve, reject) => {
    scrypt(Buffer.from(text, "utf8"), salt, KEY_BYTES, options, (cause, key) =>
      cause instanceof Error ? reject(cause) : resolve(key),
    );
  });
}

function readParameters(path: string): ScryptParameters | null {
  let text: string;
  try {
    text = readFileSync(path, { encoding: "utf8", flag: constants.O_RDONLY | constants.O_NOFOLLOW });
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return null;
    throw new MasterKeyRefused("unreadable", path, `it cannot be read (${codeOf(cause)})`);
  }
  const parameters = text.length > MAX_FILE_BYTES ? null : parametersOf(text);
  if (parameters !== null) return parameters;
  throw new MasterKeyRefused("length", path, "it does not hold the parameters of scrypt; restore the original file");
}

function parametersOf(text: string): ScryptParameters | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null || !("kdf" in value) || value.kdf !== "scrypt") return null;
  const [n, r, p] = ["n", "r", "p"].map((name) => Reflect.get(value, name));
  const salt: unknown = Reflect.get(value, "salt");
  if (!isWhole(n) || !isWhole(r) || !isWhole(p) || typeof salt !== "string") return null;
  const isPowerOfTwo = n >= 2 && (n & (n - 1)) === 0;
  const saltBytes = Buffer.from(salt, "base64");
  const isSalt = saltBytes.length >= SALT_BYTES && saltBytes.toString("base64") === salt;
  if (!isPowerOfTwo || !isSalt || p > 16 || 128 * n * r > MAX_MEMORY_BYTES) return null;
  return { n, r, p, salt: saltBytes };
}

function isWhole(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 1 && value <= 2 ** 24;
}

function createParameters(path: string): ScryptParameters {
  const parameters = { ...COST, salt: randomBytes(SALT_BYTES) };
  const text = JSON.stringify({ kdf: "scrypt", ...COST, salt: parameters.salt.toString("base64") });
  writePrivately(path, Buffer.from(`${text}\n`));
  return parameters;
}
