import type { Result } from "../kernel/result.ts";
import { err, ok } from "../kernel/result.ts";
import { Secret } from "../kernel/secret.ts";
import type { ConfigProblem, Environment } from "./config.ts";
import { ENCRYPTION_KEY_ENV, PASSPHRASE_FILE_ENV, WEBHOOK_SECRET_FILE_ENV } from "./known-env.ts";
import type { ReadFile } from "./read-file.ts";

const KEY_BYTES = 32;
const MIN_PASSPHRASE_LENGTH = 12;
const MIN_WEBHOOK_SECRET_LENGTH = 32;
const MAKE_ONE = "make one with: openssl rand -base64 32";
// Random bytes repeat seldom: 32 of them never hold fewer than 8 different values by chance.
const MIN_DIFFERENT_BYTES = 8;
const PLACEHOLDER =
  /change.?me|your.*here|t0p-s3cr3t|secret|password|passw0rd|example|placeholder|replace|insert|xxxx|<.*>/iu;
const PRINTABLE = /^[\x20-\x7e]+$/u;

/** From env, or from the file that the `_FILE` name points to. Null when neither is set. */
export function readEncryptionKey(env: Environment, readFile: ReadFile): Result<Secret | null, ConfigProblem> {
  const fileName = `${ENCRYPTION_KEY_ENV}_FILE`;
  const given = env[ENCRYPTION_KEY_ENV];
  const path = env[fileName];
  if (given !== undefined && path !== undefined) {
    return problem(ENCRYPTION_KEY_ENV, `${fileName} is set as well`, "keep one of the two, best the file");
  }
  if (path !== undefined) return readKeyFile(fileName, path, readFile);
  return given === undefined ? ok(null) : parseKey(ENCRYPTION_KEY_ENV, given);
}

/** Words in a file, from which the master key is made. Null when none is named. */
export function readPassphrase(env: Environment, readFile: ReadFile): Result<Secret | null, ConfigProblem> {
  const path = env[PASSPHRASE_FILE_ENV];
  if (path === undefined) return ok(null);
  if (env[ENCRYPTION_KEY_ENV] !== undefined || env[`${ENCRYPTION_KEY_ENV}_FILE`] !== undefined) {
    return problem(PASSPHRASE_FILE_ENV, "an encryption key is given as well", "keep one of the two");
  }
  const text = readSecretFile(PASSPHRASE_FILE_ENV, path, readFile);
  if (!text.ok) return text;
  const words = text.value.replace(/\r?\n$/u, "");
  if (words.length < MIN_PASSPHRASE_LENGTH) {
    const shape = `it has fewer than ${MIN_PASSPHRASE_LENGTH} characters`;
    return problem(PASSPHRASE_FILE_ENV, shape, "take six random words or more");
  }
  return ok(new Secret("passphrase", words));
}

/** The text in a file, that signs what goes to a webhook. Null when none is named. */
export function readWebhookSecret(env: Environment, readFile: ReadFile): Result<Secret | null, ConfigProblem> {
  const path = env[WEBHOOK_SECRET_FILE_ENV];
  if (path === undefined) return ok(null);
  const text = readSecretFile(WEBHOOK_SECRET_FILE_ENV, path, readFile);
  if (!text.ok) return text;
  const secret = text.value.trim();
  if (secret.length >= MIN_WEBHOOK_SECRET_LENGTH) return ok(new Secret("webhook secret", secret));
  const shape = `it has fewer than ${MIN_WEBHOOK_SECRET_LENGTH} characters`;
  return problem(WEBHOOK_SECRET_FILE_ENV, shape, MAKE_ONE);
}

function readKeyFile(key: string, path: string, readFile: ReadFile): Result<Secret, ConfigProblem> {
  const text = readSecretFile(key, path, readFile);
  return text.ok ? parseKey(key, text.value.trim()) : text;
}

function readSecretFile(key: string, path: string, readFile: ReadFile): Result<string, ConfigProblem> {
  const file = readFile(path);
  if (!file.ok) return problem(key, `the file ${path} is ${file.error.replaceAll("_", " ")}`, "correct the path");
  if (!file.value.isOurs) return problem(key, `${path} belongs to another user`, "chown it to the user that runs this");
  if ((file.value.mode & 0o077) !== 0) {
    return problem(key, `${path} can be read by others (mode ${file.value.mode.toString(8)})`, `chmod 600 ${path}`);
  }
  return ok(file.value.text);
}

function parseKey(key: string, text: string): Result<Secret, ConfigProblem> {
  const bytes = bytesOf(text);
  if (bytes === null) {
    const shape = "it is not 32 bytes as base64 (44 characters) or hex (64 characters)";
    return problem(key, PLACEHOLDER.test(text) ? "it is a placeholder, not a key" : shape, MAKE_ONE);
  }
  // Words are looked for in words alone: random bytes hold every short pattern now and then.
  const words = bytes.toString("latin1");
  const isWritten = PRINTABLE.test(words) && PLACEHOLDER.test(words);
  if (new Set(bytes).size < MIN_DIFFERENT_BYTES || isWritten) {
    return problem(key, "it is a placeholder, not a random key", MAKE_ONE);
  }
  return ok(new Secret("encryption key", text));
}

/** Strict, since Buffer.from skips what it does not know. Null unless it is exactly one key. */
function bytesOf(text: string): Buffer | null {
  if (/^[0-9A-Fa-f]{64}$/u.test(text)) return Buffer.from(text, "hex");
  const bytes = Buffer.from(text, "base64");
  return bytes.length === KEY_BYTES && bytes.toString("base64") === text ? bytes : null;
}

function problem(key: string, reason: string, fix: string): { readonly ok: false; readonly error: ConfigProblem } {
  return err({ key, source: "env", reason, fix });
}
