import { Database } from "bun:sqlite";
import { afterAll, expect, test } from "bun:test";
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ClientKeyRecord, StoredAccount } from "../control/ports.ts";
import { StoreUnavailable } from "../control/store-unavailable.ts";
import { clientKeyId } from "../domain/access/client-key-id.ts";
import { parseUserId } from "../domain/access/user-id.ts";
import { accountId } from "../domain/account/account.ts";
import { err, ok } from "../kernel/result.ts";
import { epochMs } from "../kernel/time.ts";
import { openStorage } from "./storage.ts";
import { DatabaseDamaged, DataDirectoryInUse, DataDirectoryUnusable, SchemaTooNew } from "./storage-error.ts";

const root = mkdtempSync(join(tmpdir(), "storage-"));
afterAll(() => rmSync(root, { recursive: true }));
const freshDir = (): string => join(mkdtempSync(join(root, "d-")), "data");

const account: StoredAccount = {
  id: accountId("0190f6c2-0000-7000-8000-000000000001"),
  name: "main",
  provider: "anthropic",
  baseUrl: "https://api.anthropic.com",
  credentialKind: "api_key",
  credential: Uint8Array.of(1, 2, 3),
  generation: 1,
  priority: 100,
  weight: 1,
  declaredOrganization: null,
  learnedOrganization: null,
  workspace: "w",
  isPaused: false,
  createdAtMs: epochMs(1_763_900_000_000),
  models: [{ id: "claude-opus", displayName: "Opus" }],
};

const key: ClientKeyRecord = {
  id: clientKeyId("aaaaaaaaaa"),
  name: "laptop",
  hmac: new Uint8Array(32).fill(7),
  pepperVersion: 5,
  ownerId: parseUserId("01939f6e-6f00-7abc-8def-0123456789ab"),
  access: {
    grant: {
      scopes: ["messages", "models"],
      models: ["claude-a", "claude-b*"],
      networks: [{ text: "10.0.0.0/8", base: { family: 4, parts: [10, 0, 0, 0] }, prefixBits: 8 }],
    },
    limits: { requestsPerMinute: 600, inputTokensPerMinute: null, outputTokensPerMinute: 5, concurrency: 50 },
    meterId: clientKeyId("0000000001"),
  },
  rotatedTo: null,
  seal: new Uint8Array(32).fill(9),
  createdAtMs: epochMs(1000),
  revokedAtMs: null,
  expiresAtMs: epochMs(9000),
  lastUsedAtMs: null,
};

test("keeps accounts over a restart, byte for byte", async () => {
  const dataDir = freshDir();
  const first = await openStorage({ dataDir });
  expect(await first.accounts.insert(account)).toEqual(ok(undefined));
  await first.close();
  const second = await openStorage({ dataDir });
  expect(await second.accounts.list()).toEqual([account]);
  await second.close();
});

test("changes, renames nothing, and removes accounts", async () => {
  const storage = await openStorage({ dataDir: freshDir() });
  await storage.accounts.insert(account);
  const other = { ...account, id: accountId("other") };
  expect(await storage.accounts.insert(other)).toEqual(err("name_taken"));
  const changes = { isPaused: true, weight: 7, learnedOrganization: "org", models: [] };
  expect(await storage.accounts.update(account.id, changes)).toBe(true);
  expect(await storage.accounts.update(account.id, {})).toBe(true);
  expect(await storage.accounts.update(other.id, { priority: 1 })).toBe(false);
  expect(await storage.accounts.list()).toEqual([{ ...account, ...changes }]);
  expect(await storage.accounts.remove(account.id)).toBe(true);
  expect(await storage.accounts.remove(account.id)).toBe(false);
  expect(await storage.accounts.list()).toEqual([]);
  await storage.close();
});

test("a revoked client key gives its name free and stays in the list", async () => {
  const storage = await openStorage({ dataDir: freshDir() });
  const successor = { ...key, id: clientKeyId("bbbbbbbbbb"), createdAtMs: epochMs(2000) };
  expect(await storage.clientKeys.insert(key)).toEqual(ok(undefined));
  expect(await storage.clientKeys.insert(successor)).toEqual(err("name_taken"));
  const revoked = { ...key, revokedAtMs: epochMs(3000), seal: Uint8Array.of(1) };
  expect(await storage.clientKeys.revoke(revoked)).toBe(true);
  expect(await storage.clientKeys.revoke({ ...revoked, revokedAtMs: epochMs(4000) })).toBe(false);
  expect(await storage.clientKeys.insert(successor)).toEqual(ok(undefined));
  expect(await storage.clientKeys.list()).toEqual([successor, revoked]);
  await storage.close();
});

test("T-2.09 a rotated client key hands its name on once, and a revoked one never", async () => {
  const storage = await openStorage({ dataDir: freshDir() });
  const successor = { ...key, id: clientKeyId("bbbbbbbbbb"), createdAtMs: epochMs(2000), seal: null };
  const old = { ...key, rotatedTo: successor.id, expiresAtMs: epochMs(5000), seal: Uint8Array.of(2) };
  await storage.clientKeys.insert(key);
  expect(await storage.clientKeys.supersede(old)).toBe(true);
  expect(await storage.clientKeys.supersede(old)).toBe(false);
  expect(await storage.clientKeys.insert(successor)).toEqual(ok(undefined));
  await storage.clientKeys.reseal([
    { ...old, seal: Uint8Array.of(3) },
    { ...successor, seal: Uint8Array.of(4) },
  ]);
  expect(await storage.clientKeys.list()).toEqual([{ ...successor, seal: Uint8Array.of(4) }, old]);
  await storage.close();
});

test("keeps wrapped data keys, all or none", async () => {
  const storage = await openStorage({ dataDir: freshDir() });
  const dataKey = {
    id: 77,
    purpose: "accounts" as const,
    kekId: "0123456789abcdef",
    wrapped: new Uint8Array(60).fill(3),
    createdAtMs: epochMs(1),
    encryptions: 0,
    state: "active" as const,
  };
  const pepper = { ...dataKey, id: 78, purpose: "apikey-pepper" as const, state: "decrypt_only" as const };
  await storage.dataKeys.insert([dataKey]);
  await expect(storage.dataKeys.insert([pepper, dataKey])).rejects.toThrow("UNIQUE");
  expect(await storage.dataKeys.list()).toEqual([dataKey]);
  await storage.dataKeys.insert([pepper]);
  expect(await storage.dataKeys.list()).toEqual([dataKey, pepper]);
  await storage.close();
});

test("keeps everybody else out, whatever the umask and the modes before were", async () => {
  const dataDir = freshDir();
  const before = process.umask(0);
  const storage = await openStorage({ dataDir });
  await storage.accounts.insert(account);
  process.umask(before);
  const modes = readdirSync(dataDir).map((name) => [name, (statSync(join(dataDir, name)).mode & 0o777).toString(8)]);
  expect(Object.fromEntries(modes)).toEqual({
    "gateway.db": "600",
    "gateway.db-shm": "600",
    "gateway.db-wal": "600",
    "gateway.lock": "600",
  });
  expect(statSync(dataDir).mode & 0o777).toBe(0o700);
  expect(storage.checkPermissions()).toEqual(ok(undefined));
  chmodSync(join(dataDir, "gateway.db"), 0o640);
  expect(storage.checkPermissions()).toEqual(
    err(`${join(dataDir, "gateway.db")} has the mode 0640, it should have 0600`),
  );
  await storage.close();

  chmodSync(dataDir, 0o755);
  const again = await openStorage({ dataDir });
  expect(again.checkPermissions()).toEqual(ok(undefined));
  await again.close();
});

test("refuses a second user of the directory, and forgets one that was killed", async () => {
  const dataDir = freshDir();
  const script = `const { openStorage } = await import(${JSON.stringify(join(import.meta.dir, "storage.ts"))});
    await openStorage({ dataDir: ${JSON.stringify(dataDir)} });
    console.log("open");
    setInterval(() => {}, 1000);`;
  const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe" });
  const { value } = await child.stdout.getReader().read();
  expect(new TextDecoder().decode(value)).toBe("open\n");
  await expect(openStorage({ dataDir })).rejects.toBeInstanceOf(DataDirectoryInUse);
  child.kill("SIGKILL");
  await child.exited;
  const storage = await openStorage({ dataDir });
  await expect(openStorage({ dataDir })).rejects.toBeInstanceOf(DataDirectoryInUse);
  await storage.close();
});

test("refuses a schema that is newer than this release, and changes nothing", async () => {
  const dataDir = freshDir();
  await (await openStorage({ dataDir })).close();
  const path = join(dataDir, "gateway.db");
  const database = new Database(path);
  database.run("insert into schema_migrations (name, timestamp) values ('9999-future', 'then')");
  database.close();
  const before = statSync(path).mtimeMs;
  await expect(openStorage({ dataDir })).rejects.toBeInstanceOf(SchemaTooNew);
  expect(statSync(path).mtimeMs).toBe(before);
});

test("refuses to migrate a damaged database", async () => {
  const dataDir = freshDir();
  await (await openStorage({ dataDir })).close();
  const path = join(dataDir, "gateway.db");
  const database = new Database(path);
  // As if an earlier release had stopped here: the next start has something to do.
  database.run("delete from schema_migrations");
  database.run("create table t (a text)");
  database.run("insert into t select hex(randomblob(2000)) from json_each('[1,2,3,4,5,6,7,8]')");
  database.close();
  const size = statSync(path).size;
  const content = readFileSync(path);
  content.fill(0xff, size - 3 * 4096, size - 4096);
  writeFileSync(path, content);
  await expect(openStorage({ dataDir })).rejects.toBeInstanceOf(DatabaseDamaged);
});

test("refuses a file that is no database, and does not replace it", async () => {
  const dataDir = freshDir();
  await (await openStorage({ dataDir })).close();
  const path = join(dataDir, "gateway.db");
  writeFileSync(path, "this is not a database, and longer than a header of one hundred bytes would be ".repeat(20));
  await expect(openStorage({ dataDir })).rejects.toThrow("not a database");
  expect(statSync(path).size).toBeGreaterThan(1000);
});

test("waits for a writer without blocking the event loop", async () => {
  const dataDir = freshDir();
  const storage = await openStorage({ dataDir });
  const other = new Database(join(dataDir, "gateway.db"));
  other.run("begin immediate");
  let ticks = 0;
  const ticking = setInterval(() => {
    ticks += 1;
    if (ticks === 10) other.run("commit");
  }, 10);
  expect(await storage.accounts.insert(account)).toEqual(ok(undefined));
  clearInterval(ticking);
  expect(ticks).toBeGreaterThanOrEqual(10);
  other.close();
  await storage.close();
});

test("passes the engine's own check, and reads on another thread", async () => {
  const storage = await openStorage({ dataDir: freshDir() });
  expect(await storage.integrityCheck()).toEqual(ok(undefined));
  expect(await storage.requests.newest(10)).toEqual([]);
  expect(await storage.requests.stats(epochMs(0))).toEqual([]);
  await storage.close();
  await expect(storage.requests.newest(10)).rejects.toThrow();
});

test("refuses to answer from a database that was moved away, until it is back", async () => {
  const dataDir = freshDir();
  const storage = await openStorage({ dataDir });
  const path = join(dataDir, "gateway.db");
  renameSync(path, `${path}.away`);
  const refusal = storage.accounts.insert(account);
  await expect(refusal).rejects.toThrow(StoreUnavailable);
  await expect(refusal).rejects.toThrow(`Cannot use ${path}: the file was moved or removed`);
  renameSync(`${path}.away`, path);
  expect(await storage.accounts.insert(account)).toEqual(ok(undefined));
  await storage.close();
});

test("says in one sentence why a path cannot be the data directory", async () => {
  const file = join(mkdtempSync(join(root, "d-")), "file");
  writeFileSync(file, "");
  await expect(openStorage({ dataDir: file })).rejects.toThrow(
    new DataDirectoryUnusable(file, "it is not a directory (EEXIST)", null),
  );
});
