import { Database } from "bun:sqlite";
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startSimulator } from "../../sim/simulator.ts";
import { runCli, startGateway } from "./gateway-process.ts";
import { mountSmallDisk } from "./storage-outages.ts";

setDefaultTimeout(60_000);

const KEY = "sk-ant-api03-CANARYimported0123456789";
const ACCESS = "sk-ant-oat01-CANARYaccess0123456789";
const REFRESH = "sk-ant-ort01-CANARYrefresh0123456789";
const MAIN = join(import.meta.dir, "..", "..", "src", "main.ts");
const AT_MS = Date.UTC(2026, 9, 1);

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

function freshWorld() {
  const root = mkdtempSync(join(tmpdir(), "bccf-import-"));
  cleanups.push(() => rmSync(root, { recursive: true, force: true }));
  const dataDir = join(root, "data");
  const env = {
    PATH: process.env["PATH"] ?? "",
    HOME: root,
    BETTER_CCFLARE_DATA_DIR: dataDir,
    BETTER_CCFLARE_ALLOW_PRIVATE_UPSTREAMS: "1",
    BUN_CONFIG_MAX_HTTP_REQUESTS: "65535",
  };
  const oldPath = join(root, "old.db");
  const cli = (...args: string[]) => runCli(["import", oldPath, ...args], env);
  return { root, dataDir, env, oldPath, cli };
}

/** The tables of the old project, as its migrations left them (reference.md 8.1), without what nobody reads. */
function makeOld(path: string, fill: (database: Database) => void = () => undefined): void {
  const database = new Database(path, { create: true });
  database.run("pragma journal_mode = wal");
  database.run(
    `create table accounts (id text primary key, name text not null, provider text default 'anthropic', api_key text,
     refresh_token text, access_token text, expires_at integer, created_at integer, last_used integer, priority integer
     default 0, paused integer default 0, custom_endpoint text)`,
  );
  database.run(
    `create table api_keys (id text primary key, name text, hashed_key text, prefix_last_8 text, created_at integer,
     last_used integer, usage_count integer, is_active integer, role text)`,
  );
  database.run(
    `create table requests (id text primary key, timestamp integer, method text, path text, account_used text,
     status_code integer, success integer, error_message text, response_time_ms integer, failover_attempts integer,
     model text, cost_usd real, input_tokens integer, cache_read_input_tokens integer,
     cache_creation_input_tokens integer, output_tokens integer, api_key_id text)`,
  );
  fill(database);
  database.close();
}

function addAccount(database: Database, row: Readonly<Record<string, string | number | Uint8Array | null>>): void {
  const names = Object.keys(row);
  const sql = `insert into accounts (${names.join(", ")}) values (${names.map(() => "?").join(", ")})`;
  database.query(sql).run(...Object.values(row));
}

function usual(database: Database, endpoint: string): void {
  addAccount(database, {
    ...{ id: "a1", name: "console key", provider: "claude-console-api", api_key: KEY, refresh_token: KEY },
    ...{ access_token: KEY, created_at: AT_MS, priority: 3, custom_endpoint: endpoint },
  });
  addAccount(database, { id: "a2", name: "max", provider: "anthropic", access_token: ACCESS, refresh_token: REFRESH });
  addAccount(database, { id: "a3", name: "zai", provider: "zai", api_key: "zai-CANARY-0123456789" });
  database.run("insert into api_keys values ('k1', 'laptop', 'salt:CANARYhash', 'abcd', ?, null, 3, 1, 'api')", [
    AT_MS,
  ]);
  const request = database.query(
    `insert into requests (id, timestamp, method, path, account_used, status_code, success, error_message,
     response_time_ms, failover_attempts, model, cost_usd, input_tokens, output_tokens, api_key_id)
     values (?, ?, 'POST', '/v1/messages?beta=CANARYquery', 'a1', ?, ?, 'CANARYmessage', 1200, 1, 'claude-sonnet-5-5',
     0.25, 10, 20, 'k1')`,
  );
  for (let at = 0; at < 50; at += 1)
    request.run(`r${at}`, AT_MS + at * 1000, at % 5 === 0 ? 529 : 200, at % 5 === 0 ? 0 : 1);
}

function everyByteBelow(directory: string): string {
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .map((name) => join(directory, name))
    .filter((path) => statSync(path).isFile())
    .map((path) => readFileSync(path, "latin1"))
    .join("\n");
}

const digest = (path: string) => createHash("sha256").update(readFileSync(path)).digest("hex");

test("T-11.10 accounts, client keys and history come over, and no token is left in the clear", async () => {
  const { dataDir, env, oldPath, cli } = freshWorld();
  const simulator = await startSimulator();
  simulator.account(KEY);
  makeOld(oldPath, (database) => usual(database, simulator.url));
  const before = digest(oldPath);

  const imported = await cli("--json");
  expect(imported).toMatchObject({ code: 0 });
  const report: unknown = JSON.parse(imported.stdout);
  expect(report).toMatchObject({ accounts: 1, clientKeys: 1, requests: 50, isDryRun: false });
  expect(imported.stdout).toContain('account \\"max\\": it is a login');
  expect(imported.stdout).toContain("provider zai is not one of this version");
  expect(imported.stdout + imported.stderr).not.toContain("CANARY");
  expect(everyByteBelow(dataDir)).not.toContain("CANARY");
  expect(digest(oldPath)).toBe(before);

  const gateway = await startGateway({ dataDir, env });
  expect((await gateway.cli(["account", "test", "console-key"])).code).toBe(0);
  const keys = await gateway.json<readonly { name: string; state: string }[]>(["key", "list"]);
  expect(keys).toContainEqual(expect.objectContaining({ name: "laptop", state: "revoked" }));
  const requests = await gateway.requests(100);
  expect(requests).toHaveLength(50);
  expect(requests[0]).toMatchObject({
    account: "console-key",
    clientKey: "laptop",
    model: "claude-sonnet-5-5",
    attempts: 2,
  });
  expect(requests.filter(({ outcome }) => outcome === "upstream_error")).toHaveLength(10);
  expect((await gateway.cli(["keys", "verify"])).code).toBe(0);
  await gateway.stop();
  await simulator.stop();
});

test("T-11.13 a second import changes nothing", async () => {
  const { oldPath, cli } = freshWorld();
  makeOld(oldPath, (database) => usual(database, "https://api.anthropic.com"));
  expect((await cli()).stdout).toStartWith("Imported 1 accounts, 1 client keys (revoked) and 50 requests");
  expect((await cli()).stdout).toStartWith("Imported 0 accounts, 0 client keys (revoked) and 0 requests");
});

test("a dry run says the same and writes nothing", async () => {
  const { dataDir, oldPath, cli } = freshWorld();
  makeOld(oldPath, (database) => usual(database, "https://api.anthropic.com"));
  expect((await cli("--dry-run")).stdout).toStartWith(
    "Would import 1 accounts, 1 client keys (revoked) and 50 requests",
  );
  expect(existsSync(dataDir)).toBe(false);
});

test("T-11.10 odd rows do not stop the others: NULL, duplicate names, broken text, 4 MiB values", async () => {
  const { dataDir, oldPath, cli } = freshWorld();
  makeOld(oldPath, (database) => {
    const good = { provider: "claude-console-api", api_key: KEY };
    addAccount(database, { ...good, id: "a1", name: "same" });
    addAccount(database, { ...good, id: "a2", name: "same", custom_endpoint: "https://b.example" });
    addAccount(database, { ...good, id: "a3", name: "" });
    addAccount(database, { ...good, id: "a4", name: "é".repeat(200) });
    addAccount(database, { ...good, id: "a5", name: "huge", api_key: `sk-ant-api03-${"C".repeat(4_194_304)}` });
    addAccount(database, { ...good, id: "a6", name: Buffer.from([0xff, 0xfe, 0x41]), priority: -7 });
    addAccount(database, { ...good, id: "a7", name: "metadata", custom_endpoint: "http://169.254.169.254/" });
    addAccount(database, { id: "a8", name: "nothing", provider: null });
    database.run("insert into requests (id, timestamp) values ('r1', null), ('r2', 'soon'), ('r3', -1), ('r4', 1e300)");
    database.run("insert into requests (id, timestamp, status_code, success) values ('r5', ?, 1e300, 'x')", [AT_MS]);
  });
  const imported = await cli("--json");
  expect(imported).toMatchObject({ code: 0 });
  expect(JSON.parse(imported.stdout)).toMatchObject({ requests: 1 });
  const database = new Database(join(dataDir, "gateway.db"), { readonly: true });
  const names = database.query<{ name: string }, []>("select name from accounts order by name").all();
  database.close();
  expect(names.map(({ name }) => name)).toEqual(expect.arrayContaining(["same", "same-2", "account"]));
  expect(names.map(({ name }) => name)).not.toContain("huge");
  expect(everyByteBelow(dataDir)).not.toContain("CANARY");
});

test("columns and tables that an older release lacked are read as absent", async () => {
  const { oldPath, cli } = freshWorld();
  const database = new Database(oldPath, { create: true });
  database.run("create table accounts (id text primary key, name text, provider text, api_key text)");
  addAccount(database, { id: "a1", name: "first", provider: "claude-console-api", api_key: KEY });
  database.close();
  expect((await cli()).stdout).toStartWith("Imported 1 accounts, 0 client keys (revoked) and 0 requests");
});

test("is not finished while a token lies in the clear beside the database", async () => {
  const { dataDir, oldPath, cli } = freshWorld();
  makeOld(oldPath, (database) => usual(database, "https://api.anthropic.com"));
  mkdirSync(join(dataDir, "spool"), { recursive: true, mode: 0o700 });
  const forms = [REFRESH, Buffer.from(`x${ACCESS}y`).toString("base64"), Buffer.from(KEY).toString("hex")];
  for (const form of forms) {
    // Across the edge of two chunks of the search.
    writeFileSync(join(dataDir, "spool", "left.txt"), `${"x".repeat(4 * 1024 * 1024 - 10)}${form}`, { mode: 0o600 });
    const imported = await cli();
    expect(imported).toMatchObject({ code: 1, stdout: "" });
    expect(imported.stderr).toContain("left.txt holds a token of the old database in plain text");
    expect(imported.stderr).not.toContain("CANARY");
  }
});

test("writes nothing when a field that comes over holds a token", async () => {
  const { dataDir, oldPath, cli } = freshWorld();
  makeOld(oldPath, (database) => {
    usual(database, "https://api.anthropic.com");
    database.run("insert into requests (id, timestamp, model) values ('bad', ?, ?)", [AT_MS, `x-${REFRESH}`]);
  });
  const imported = await cli();
  expect(imported).toMatchObject({ code: 1, stdout: "" });
  expect(imported.stderr).toContain("nothing was written");
  const database = new Database(join(dataDir, "gateway.db"), { readonly: true });
  const counts = ["accounts", "client_keys", "requests"].map(
    (table) => database.query<{ total: number }, []>(`select count(*) as total from ${table}`).get()?.total,
  );
  database.close();
  expect(counts).toEqual([0, 0, 0]);
  expect(everyByteBelow(dataDir)).not.toContain("CANARY");
});

describe("T-11.15 a hostile file is refused or inert:", () => {
  test.each<{ name: string; sql: readonly string[]; says: string }>([
    { name: "a view", sql: ["create view accounts as select 1 as id"], says: "accounts is not a plain table" },
    {
      name: "a virtual table",
      sql: ["create virtual table accounts using fts5(id, name)"],
      says: "accounts is not a plain table",
    },
    { name: "no table", sql: ["create table other (id)"], says: "it has no table accounts" },
    {
      name: "a view of the history",
      sql: ["create table accounts (id text)", "create view requests as select 1 as id"],
      says: "requests is not a plain table",
    },
  ])("$name", async ({ sql, says }) => {
    const { dataDir, oldPath, cli } = freshWorld();
    const database = new Database(oldPath, { create: true });
    for (const statement of sql) database.run(statement);
    database.close();
    const imported = await cli();
    expect(imported.code).toBe(1);
    expect(imported.stderr).toContain(says);
    expect(existsSync(dataDir)).toBe(false);
  });

  test("no database, an empty path, a directory", async () => {
    const { root, oldPath, cli, env } = freshWorld();
    expect((await cli()).stderr).toContain("there is no such file");
    writeFileSync(oldPath, "x".repeat(8192));
    expect((await cli()).stderr).toContain("it is not a SQLite database");
    expect((await runCli(["import", root], env)).stderr).toContain("it is not a regular file");
  });

  test("triggers, and columns that are computed", async () => {
    const { oldPath, cli } = freshWorld();
    makeOld(oldPath, (database) => {
      usual(database, "https://api.anthropic.com");
      database.run("create trigger bomb after insert on accounts begin select load_extension('x'); end");
      database.run("alter table api_keys add column sneaky text as (hex(zeroblob(100000000)))");
    });
    expect((await cli()).code).toBe(0);
  });
});

test("T-11.14 a database that another process holds is waited for, then named", async () => {
  const { oldPath, cli } = freshWorld();
  const database = new Database(oldPath, { create: true });
  database.run("create table accounts (id text primary key, name text)");
  database.run("begin exclusive");
  const imported = await cli();
  database.close();
  expect(imported.code).toBe(1);
  expect(imported.stderr).toContain("another process holds it; stop the old gateway first");
});

test("T-11.11 kill -9 while it imports leaves all or nothing, and the next try brings the rest", async () => {
  const { dataDir, env, oldPath, cli } = freshWorld();
  const rows = 30_000;
  makeOld(oldPath, (database) => {
    usual(database, "https://api.anthropic.com");
    const request = database.query("insert into requests (id, timestamp, status_code, success) values (?, ?, 200, 1)");
    database.transaction(() => {
      for (let at = 0; at < rows; at += 1) request.run(`more-${at}`, AT_MS + at);
    })();
  });
  const counts: number[] = [];
  for (let round = 0; round < 10; round += 1) {
    const child = Bun.spawn([process.execPath, MAIN, "import", oldPath], { env, stdout: "ignore", stderr: "ignore" });
    const database = join(dataDir, "gateway.db");
    while (!existsSync(database)) await Bun.sleep(5);
    await Bun.sleep(round * 40);
    child.kill("SIGKILL");
    await child.exited;
    counts.push(countOf(database));
    expect(everyByteBelow(dataDir)).not.toContain("CANARY");
  }
  expect(counts.filter((count) => ![-1, 0, rows + 50].includes(count))).toEqual([]);
  expect(counts.filter((count) => count <= 0).length).toBeGreaterThan(0);
  expect((await cli()).code).toBe(0);
  expect(countOf(join(dataDir, "gateway.db"))).toBe(rows + 50);
});

/** -1 while the table is not there yet. */
function countOf(path: string): number {
  const database = new Database(path, { readonly: true });
  try {
    return database.query<{ total: number }, []>("select count(*) as total from requests").get()?.total ?? -1;
  } catch {
    return -1;
  } finally {
    database.close();
  }
}

const canMount = (() => {
  const disk = mountSmallDisk(1 << 20);
  disk?.unmount();
  return disk !== null;
})();

test.skipIf(!canMount)(
  "T-11.12 a disk that fills up (only root can make one) leaves all or nothing, and no token",
  async () => {
    const { env, oldPath } = freshWorld();
    makeOld(oldPath, (database) => usual(database, "https://api.anthropic.com"));
    const refused: number[] = [];
    for (const sizeBytes of [64, 128, 256, 384, 512, 640, 768, 1024, 2048].map((kibibytes) => kibibytes * 1024)) {
      const disk = mountSmallDisk(sizeBytes);
      if (disk === null) throw new Error("Cannot make a small disk");
      const place = { ...env, BETTER_CCFLARE_DATA_DIR: join(disk.path, "data") };
      const first = await runCli(["import", oldPath, "--json"], place);
      expect(first.stdout + first.stderr).not.toContain("CANARY");
      expect(everyByteBelow(disk.path)).not.toContain("CANARY");
      if (first.code !== 0) {
        refused.push(sizeBytes);
        expect(first.stderr).toMatch(/full|ENOSPC|no space|refuses/i);
      }
      expect(disk.remount(`size=${16 << 20}`)).toBe(true);
      const again = await runCli(["import", oldPath, "--json"], place);
      expect({ sizeBytes, code: again.code, stderr: again.stderr }).toMatchObject({ sizeBytes, code: 0 });
      const database = new Database(join(disk.path, "data", "gateway.db"), { readonly: true });
      const counts = database.query(
        "select (select count(*) from accounts) as accounts, (select count(*) from requests) as requests",
      );
      expect(counts.get()).toEqual({ accounts: 1, requests: 50 });
      database.close();
      disk.unmount();
    }
    // Some did not fit: a test in which everything has room proves nothing.
    expect(refused.length).toBeGreaterThan(1);
  },
);

test("is refused while the gateway runs", async () => {
  const { dataDir, env, oldPath, cli } = freshWorld();
  makeOld(oldPath, (database) => usual(database, "https://api.anthropic.com"));
  const gateway = await startGateway({ dataDir, env });
  const imported = await cli();
  expect(imported.code).toBe(1);
  expect(imported.stderr).toContain("another process is using it");
  await gateway.stop();
});
