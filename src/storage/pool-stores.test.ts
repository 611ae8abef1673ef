import { Database } from "bun:sqlite";
import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Kysely } from "kysely";
import { accountId } from "../domain/account/account.ts";
import type { ConversationKey } from "../domain/affinity/conversation.ts";
import type { SavedHome } from "../domain/affinity/home-book.ts";
import { requestId } from "../domain/ledger/record.ts";
import { durationMs, epochMs } from "../kernel/time.ts";
import { migrateToLatest } from "./migrate.ts";
import { initialSchema } from "./migrations/0001-initial.ts";
import type { Schema } from "./schema.ts";
import { bunSqliteDialect } from "./sqlite/bun-sqlite-dialect.ts";
import { openStorage, type Storage } from "./storage.ts";

const root = mkdtempSync(join(tmpdir(), "pool-stores-"));
const opened: Storage[] = [];
afterEach(async () => {
  for (const storage of opened.splice(0)) await storage.close();
});
afterAll(() => rmSync(root, { recursive: true }));
const freshDir = (): string => join(mkdtempSync(join(root, "d-")), "data");

async function open(dataDir = freshDir()): Promise<Storage> {
  const storage = await openStorage({ dataDir });
  opened.push(storage);
  return storage;
}

async function reopen(dataDir: string): Promise<Storage> {
  await opened.pop()?.close();
  return open(dataDir);
}

const home = (key: string, lastUsedMs: number, account = "a1"): SavedHome => ({
  key: key as ConversationKey,
  accountId: accountId(account),
  lastUsedMs: epochMs(lastUsedMs),
  cacheMs: durationMs(300_000),
  prefixTokens: 75_000,
});

const keysOf = (homes: readonly SavedHome[]): string[] => homes.map(({ key }) => String(key));

describe("homes", () => {
  test("are there after a restart, newest first and at most so many, changed ones as they were last", async () => {
    const dataDir = freshDir();
    const { homes } = await open(dataDir);
    await homes.save([home("old", 1), home("moved", 2), home('new\'s "key"', 3)]);
    await homes.save([home("moved", 4, "a2")]);
    const again = (await reopen(dataDir)).homes;
    expect(await again.loadAll(10)).toEqual([home("moved", 4, "a2"), home('new\'s "key"', 3), home("old", 1)]);
    expect(keysOf(await again.loadAll(1))).toEqual(["moved"]);
    expect(await again.loadAll(0)).toEqual([]);
  });

  test("are saved whatever their number, and the event loop is free meanwhile", async () => {
    const { homes } = await open();
    let turns = 0;
    const ticking = setInterval(() => {
      turns += 1;
    }, 1);
    await homes.save(Array.from({ length: 3_100 }, (_, at) => home(`k${at}`, at)));
    clearInterval(ticking);
    expect(turns).toBeGreaterThanOrEqual(3);
    expect(await homes.loadAll(10_000)).toHaveLength(3_100);
  });

  test("not used since an instant are forgotten, and the oldest of what is too many", async () => {
    const { homes } = await open();
    await homes.save(Array.from({ length: 1_300 }, (_, at) => home(`k${at}`, at)));
    await homes.prune(epochMs(1_290));
    expect(keysOf(await homes.loadAll(100))).toEqual([
      "k1299",
      "k1298",
      "k1297",
      "k1296",
      "k1295",
      "k1294",
      "k1293",
      "k1292",
      "k1291",
      "k1290",
    ]);
    await homes.prune(epochMs(0), 2);
    expect(keysOf(await homes.loadAll(100))).toEqual(["k1299", "k1298"]);
    await homes.save(Array.from({ length: 1_300 }, (_, at) => home(`x${at}`, at)));
    await homes.prune(epochMs(0), 700);
    const kept = keysOf(await homes.loadAll(10_000));
    expect(kept).toHaveLength(700);
    expect(kept).toContain("x1299");
    expect(kept).not.toContain("x599");
  });
});

test("nothing is written into a file that was moved away, and all into the one that is there", async () => {
  const dataDir = freshDir();
  const storage = await open(dataDir);
  await storage.homes.save([home("before", 1)]);
  const path = join(dataDir, "gateway.db");
  renameSync(path, `${path}.away`);
  // Not `rejects`: it waits without letting the answer of another thread in.
  const refused = await storage.homes.save([home("meanwhile", 2)]).catch((cause: unknown) => cause);
  expect(String(refused)).toStartWith("Error: Cannot keep the pool: ");
  renameSync(`${path}.away`, path);
  await storage.homes.save([home("after", 3)]);
  expect(keysOf(await storage.homes.loadAll(10))).toEqual(["after", "before"]);
});

test("the pool's state is replaced whole, and there after a restart", async () => {
  const dataDir = freshDir();
  const storage = await open(dataDir);
  expect(await storage.poolState.load()).toBeNull();
  await storage.poolState.save('{"version":1}');
  await storage.poolState.save('{"version":1,"benched":["x"]}');
  expect(await (await reopen(dataDir)).poolState.load()).toBe('{"version":1,"benched":["x"]}');
});

test("a setting outlives the process, and cannot touch what the schema keeps beside it", async () => {
  const dataDir = freshDir();
  const storage = await open(dataDir);
  expect(await storage.settings.get("encryption_required")).toBeNull();
  await storage.settings.set("encryption_required", "0");
  await storage.settings.set("selection.strategy", "weighted");
  await storage.settings.set("selection.strategy", "priority");
  const again = await reopen(dataDir);
  expect(await again.settings.get("selection.strategy")).toBe("priority");
  await opened.pop()?.close();
  const database = new Database(join(dataDir, "gateway.db"));
  const row = database.query("select value from meta where key = 'encryption_required'").get();
  database.close();
  expect(row).toEqual({ value: "1" });
});

test("a database of the release before keeps its accounts and requests", async () => {
  const dataDir = freshDir();
  await open(dataDir);
  await opened.pop()?.close();
  const path = join(dataDir, "gateway.db");
  rmSync(path);
  const database = new Database(path, { create: true, strict: true });
  const db = new Kysely<Schema>({ dialect: bunSqliteDialect(database) });
  await migrateToLatest({ database, db, path, migrations: { "0001-initial": { up: initialSchema } } });
  database.run(
    "insert into accounts values ('a1','main','anthropic','https://api.anthropic.com','api_key',x'01',1,100,'org',null,0,1,'[]')",
  );
  database.run(
    `insert into requests (id, started_at_ms, client_key_id, method, path, is_stream, request_bytes, outcome, attempts, has_usage, is_usage_partial)
     values ('r1', 1000, 'k', 'POST', '/v1/messages', 0, 10, 'completed', 1, 0, 0)`,
  );
  database.close();

  const storage = await open(dataDir);
  expect(await storage.accounts.list()).toMatchObject([
    { name: "main", weight: 1, declaredOrganization: "org", learnedOrganization: null },
  ]);
  expect(await storage.requests.get(requestId("r1"))).toMatchObject({ outcome: "completed", costMicroUsd: null });
  expect(await storage.requests.explained(requestId("r1"))).toMatchObject({ decision: null, row: { id: "r1" } });
});
