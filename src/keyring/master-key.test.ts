import { afterAll, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Secret } from "../kernel/secret.ts";
import { valueSource } from "./given-sources.ts";
import { type MasterKeyProblem, MasterKeyRefused } from "./keyring-error.ts";
import { masterKeyFromBytes } from "./master-key.ts";
import { readMasterKeyFile } from "./master-key-file.ts";

const directory = mkdtempSync(join(tmpdir(), "master-key-"));
afterAll(() => rmSync(directory, { recursive: true }));

const isRoot = process.geteuid?.() === 0;
const raw = Buffer.from(crypto.getRandomValues(new Uint8Array(32)));
const address = Buffer.from("address");
let nextFile = 0;
const freshPath = (): string => join(directory, `key-${nextFile++}`);

const written = (content: string | Uint8Array, mode = 0o600): string => {
  const path = freshPath();
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
};

const refusalOf = async (load: () => unknown): Promise<MasterKeyRefused> => {
  try {
    await load();
  } catch (error) {
    if (error instanceof MasterKeyRefused) return error;
    throw error;
  }
  throw new Error("Cannot find the refusal: the key was accepted");
};

const loadFile = (path: string, createIfAbsent = false) => masterKeyFromBytes(readMasterKeyFile(path, createIfAbsent));
const loadValue = (text: string) => valueSource(new Secret("encryption key", text)).load(null);

test.each([
  { name: "raw bytes", content: raw },
  { name: "base64", content: raw.toString("base64") },
  { name: "base64 with a line break", content: `${raw.toString("base64")}\n` },
  { name: "hex", content: raw.toString("hex") },
  { name: "upper-case hex with a line break", content: `${raw.toString("hex").toUpperCase()}\r\n` },
])("reads the same key from a file of $name", async ({ content }) => {
  expect(loadFile(written(content)).id).toBe((await loadValue(raw.toString("base64"))).id);
});

test("makes a key id that is the documented HMAC and no part of the key", async () => {
  const expected = new Bun.CryptoHasher("sha256", raw).update("bccf-kek-id-v1").digest("hex").slice(0, 16);
  expect((await loadValue(raw.toString("hex"))).id).toBe(expected);
});

test("creates the file on the first start, for the owner alone whatever the umask is, and reads it back", () => {
  const path = freshPath();
  const before = process.umask(0);
  const created = loadFile(path, true);
  process.umask(before);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readFileSync(path).length).toBe(32);
  expect(loadFile(path, true).id).toBe(created.id);
});

test("does not create the file when data was sealed before", async () => {
  const path = freshPath();
  expect((await refusalOf(() => loadFile(path))).problem).toBe("absent");
  expect(existsSync(path)).toBe(false);
});

const junkBase64 = `${raw.toString("base64").slice(0, 20)}!${raw.toString("base64").slice(21)}`;
const nonCanonical = `${"A".repeat(42)}B=`;

const refusedFiles: { name: string; make: () => string; problem: MasterKeyProblem }[] = [
  { name: "a file of 31 bytes", make: () => written(raw.subarray(1)), problem: "length" },
  { name: "a file of 33 bytes", make: () => written(Buffer.concat([raw, Uint8Array.of(10)])), problem: "length" },
  { name: "a long file", make: () => written("x".repeat(5000)), problem: "length" },
  { name: "base64 with junk", make: () => written(junkBase64), problem: "length" },
  { name: "base64 that is not canonical", make: () => written(nonCanonical), problem: "length" },
  { name: "hex with a blank", make: () => written(` ${raw.toString("hex").slice(1)}`), problem: "length" },
  { name: "an empty file", make: () => written(""), problem: "empty" },
  { name: "32 zero bytes", make: () => written(new Uint8Array(32)), problem: "all_zero" },
  { name: "one byte 32 times", make: () => written("a".repeat(32)), problem: "repeated_byte" },
  { name: "hex of zeros", make: () => written("0".repeat(64)), problem: "all_zero" },
  { name: "a file that the group can read", make: () => written(raw, 0o640), problem: "permissions" },
  { name: "a file that everybody can read", make: () => written(raw, 0o644), problem: "permissions" },
  {
    name: "a symbolic link",
    make: () => {
      const path = freshPath();
      symlinkSync(written(raw), path);
      return path;
    },
    problem: "symlink",
  },
  {
    name: "a directory",
    make: () => {
      const path = freshPath();
      mkdirSync(path);
      return path;
    },
    problem: "not_a_file",
  },
];

test.each(refusedFiles)("T-10.11 refuses $name and leaves it as it is", async ({ make, problem }) => {
  const path = make();
  const before = statSync(path).mtimeMs;
  const refusal = await refusalOf(() => loadFile(path, true));
  expect(refusal.problem).toBe(problem);
  expect(refusal.message).toContain(path);
  expect(refusal.message).not.toContain(raw.toString("base64").slice(0, 8));
  expect(statSync(path).mtimeMs).toBe(before);
});

test.skipIf(!isRoot)("T-10.11 refuses a file of another user (only root can make one)", async () => {
  const path = written(raw);
  chownSync(path, 12_345, 12_345);
  const refusal = await refusalOf(() => loadFile(path));
  expect([refusal.problem, refusal.message]).toEqual(["owner", expect.stringContaining(`chown`)]);
});

test.skipIf(isRoot)("T-10.11 refuses a file that it may not read (root may read everything)", async () => {
  expect((await refusalOf(() => loadFile(written(raw, 0o000)))).problem).toBe("unreadable");
});

test.each<{ name: string; text: string; problem: MasterKeyProblem }>([
  { name: "nothing", text: "", problem: "empty" },
  { name: "a word", text: "correct horse battery staple", problem: "length" },
  { name: "31 bytes", text: raw.subarray(1).toString("base64"), problem: "length" },
  { name: "33 bytes", text: Buffer.concat([raw, raw.subarray(0, 1)]).toString("base64"), problem: "length" },
  { name: "base64 with junk", text: junkBase64, problem: "length" },
  { name: "base64 with a line break", text: `${raw.toString("base64")}\n`, problem: "length" },
  { name: "zeros", text: Buffer.alloc(32).toString("base64"), problem: "all_zero" },
  { name: "a repeated byte", text: "ab".repeat(32), problem: "repeated_byte" },
])("T-10.11 refuses $name as the value", async ({ text, problem }) => {
  const refusal = await refusalOf(() => loadValue(text));
  expect(refusal.problem).toBe(problem);
  if (text !== "") expect(refusal.message).not.toContain(text);
});

test("says something different for every reason, and names a fix", async () => {
  const messages: string[] = [];
  for (const { make } of refusedFiles) {
    const path = make();
    const refusal = await refusalOf(() => loadFile(path));
    messages.push(`${refusal.problem}|${refusal.message.replaceAll(path, "PATH").replace(/\d+/g, "N")}`);
  }
  const byProblem = new Map(messages.map((line) => [line.split("|")[0], line]));
  expect(new Set(byProblem.values()).size).toBe(byProblem.size);
  for (const line of messages) expect(line).toMatch(/; |run: /);
});

test("unwraps what it wrapped at the same address only, and nothing once it is erased", async () => {
  const key = await loadValue(raw.toString("base64"));
  const wrapped = await key.wrap(address, Buffer.from("data key"));
  expect((await key.unwrap(address, wrapped))?.toString()).toBe("data key");
  expect(await key.unwrap(Buffer.from("elsewhere"), wrapped)).toBeNull();
  key.erase();
  await expect(key.unwrap(address, wrapped)).rejects.toThrow("it was erased");
});
