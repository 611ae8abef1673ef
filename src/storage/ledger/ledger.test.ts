import { Database } from "bun:sqlite";
import { afterAll, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { clientKeyId } from "../../domain/access/client-key-id.ts";
import { OPEN_GRANT } from "../../domain/access/key-grant.ts";
import { NO_LIMITS } from "../../domain/access/key-limits.ts";
import { accountId } from "../../domain/account/account.ts";
import { type LedgerBegin, type LedgerSettle, type RequestId, requestId } from "../../domain/ledger/record.ts";
import { durationMs, epochMs } from "../../kernel/time.ts";
import { openStorage, type Storage } from "../storage.ts";
import { type LedgerEvent, type LedgerOptions, openLedger, type SpooledLedger } from "./ledger.ts";
import { beginLine, settleLine } from "./record-line.ts";

const root = mkdtempSync(join(tmpdir(), "ledger-"));
const mounts: string[] = [];
afterAll(() => {
  for (const mount of mounts) Bun.spawnSync(["umount", "--lazy", mount]);
  rmSync(root, { recursive: true });
});

const FIRST = accountId("account-1");
const SECOND = accountId("account-2");
const freshDir = (): string => mkdtempSync(join(root, "d-"));
const now = () => epochMs(Date.now());

function freshId(): RequestId {
  const time = Date.now().toString(16).padStart(12, "0");
  return requestId(`${time.slice(0, 8)}-${time.slice(8)}-7${crypto.randomUUID().slice(15)}`);
}

const beginOf = (id: RequestId): LedgerBegin => ({
  id,
  startedAtMs: now(),
  clientKeyId: clientKeyId("abcdefghij"),
  method: "POST",
  path: "/v1/messages",
  model: "claude-opus-4-8",
  isStream: true,
  requestBytes: 75_000,
  accountId: FIRST,
});

const settleOf = (id: RequestId, changes: Partial<LedgerSettle> = {}): LedgerSettle => ({
  id,
  settledAtMs: now(),
  status: 200,
  outcome: "completed",
  accountId: SECOND,
  attempts: 2,
  queueMs: durationMs(0),
  firstByteMs: durationMs(120),
  totalMs: durationMs(900),
  responseBytes: 4096,
  usage: {
    inputTokens: 10,
    cacheWrite5mTokens: 20,
    cacheWrite1hTokens: null,
    cacheReadTokens: 40,
    outputTokens: 50,
    webSearchRequests: null,
    webFetchRequests: null,
    serviceTier: "standard",
    isPartial: false,
  },
  upstreamRequestId: "req_1",
  errorType: null,
  decision: null,
  conversation: null,
  costMicroUsd: null,
  thinkingDropped: null,
  ...changes,
});

async function openBoth(dataDir: string, options: Partial<LedgerOptions> = {}) {
  const events: LedgerEvent[] = [];
  const storage = await openStorage({ dataDir });
  const ledger = await openLedger({ dataDir, now, onEvent: (event) => events.push(event), ...options });
  return { storage, ledger, events };
}

async function closeBoth({ storage, ledger }: { storage: Storage; ledger: SpooledLedger }): Promise<void> {
  await ledger.stop();
  await storage.close();
}

const spoolOf = (dataDir: string): string[] => readdirSync(join(dataDir, "spool"));

test("a request is in flight, then settled by the account that answered", async () => {
  const dataDir = freshDir();
  const both = await openBoth(dataDir);
  const id = freshId();
  both.ledger.begin(beginOf(id));
  expect(await both.ledger.flush(5000)).toBe(true);
  expect(await both.storage.requests.get(id)).toMatchObject({
    outcome: "in_flight",
    accountId: FIRST,
    usage: null,
    status: null,
  });
  both.ledger.settle(settleOf(id));
  expect(await both.ledger.flush(5000)).toBe(true);
  const { usage } = settleOf(id);
  expect(await both.storage.requests.get(id)).toMatchObject({
    id,
    clientKeyId: clientKeyId("abcdefghij"),
    model: "claude-opus-4-8",
    isStream: true,
    outcome: "completed",
    accountId: SECOND,
    attempts: 2,
    firstByteMs: durationMs(120),
    usage,
    upstreamRequestId: "req_1",
  });
  await closeBoth(both);
  expect(spoolOf(dataDir)).toEqual([]);
});

test.skipIf(process.platform !== "linux")("the ledger's thread yields to the relay (needs /proc)", async () => {
  const both = await openBoth(freshDir());
  both.ledger.begin(beginOf(freshId()));
  await both.ledger.flush(5_000);
  const niceOf = (task: string): readonly [name: string, nice: number] => {
    const stat = readFileSync(`/proc/self/task/${task}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return [stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")")), Number(fields[16])];
  };
  const threads = readdirSync("/proc/self/task").map(niceOf);
  expect(threads.filter(([name]) => name === "ledger-ingest")).toContainEqual(["ledger-ingest", 10]);
  expect(threads[0]?.[1]).toBe(0);
  await closeBoth(both);
});

test("T-2.19 a request marks its client key as used, once a minute", async () => {
  const { storage, ledger } = await openBoth(freshDir());
  const keyId = clientKeyId("abcdefghij");
  const record = { id: keyId, name: "laptop", hmac: new Uint8Array(32), pepperVersion: 1 };
  const instants = { createdAtMs: epochMs(1), revokedAtMs: null, expiresAtMs: null, lastUsedAtMs: null };
  const access = { grant: OPEN_GRANT, limits: NO_LIMITS, meterId: keyId };
  await storage.clientKeys.insert({ ...record, ...instants, access, ownerId: null, rotatedTo: null, seal: null });
  const lastUsed = async () => (await storage.clientKeys.list())[0]?.lastUsedAtMs;
  for (const [startedAtMs, expected] of [
    [100_000, 100_000],
    [159_999, 100_000],
    [160_000, 160_000],
    [50_000, 160_000],
  ] as const) {
    ledger.begin({ ...beginOf(freshId()), startedAtMs: epochMs(startedAtMs) });
    expect(await ledger.flush(5_000)).toBe(true);
    expect(await lastUsed()).toBe(epochMs(expected));
  }
  await ledger.stop();
  await storage.close();
});

test("lists newest first, by filter, and adds up what was used", async () => {
  const both = await openBoth(freshDir());
  const ids = Array.from({ length: 600 }, (_, at) =>
    requestId(`${freshId().slice(0, 24)}${String(at).padStart(12, "0")}`),
  );
  for (const [at, id] of ids.entries()) {
    both.ledger.begin(beginOf(id));
    both.ledger.settle(settleOf(id, at % 3 === 0 ? { outcome: "refused", accountId: null, usage: null } : {}));
  }
  expect(await both.ledger.flush(5000)).toBe(true);
  const { requests } = both.storage;
  const newest = await requests.newest(5);
  expect(newest.length).toBe(5);
  expect(newest.map(({ id }) => id)).toEqual([...ids].sort().reverse().slice(0, 5));
  expect((await requests.newest(1000, { outcome: "refused" })).length).toBe(200);
  // A refused request keeps the account that was tried first.
  expect((await requests.newest(1000, { accountId: FIRST })).length).toBe(200);
  expect((await requests.newest(1000, { accountId: SECOND, clientKeyId: clientKeyId("other") })).length).toBe(0);
  const model = "claude-opus-4-8";
  const zero = { inputTokens: 0, cacheWrite5mTokens: 0, cacheWrite1hTokens: 0, cacheReadTokens: 0, outputTokens: 0 };
  expect(await requests.stats(epochMs(Date.now() - 60_000))).toEqual([
    {
      accountId: SECOND,
      model,
      outcome: "completed",
      requestCount: 400,
      inputTokens: 4000,
      cacheWrite5mTokens: 8000,
      cacheWrite1hTokens: 0,
      cacheReadTokens: 16_000,
      outputTokens: 20_000,
    },
    { accountId: FIRST, model, outcome: "refused", requestCount: 200, ...zero },
  ]);
  expect(await requests.stats(epochMs(Date.now() + 1000))).toEqual([]);
  await closeBoth(both);
});

test("a settlement that arrives alone or first is kept", async () => {
  const both = await openBoth(freshDir());
  const alone = freshId();
  const first = freshId();
  both.ledger.settle(settleOf(alone));
  both.ledger.settle(settleOf(first, { accountId: null }));
  expect(await both.ledger.flush(5000)).toBe(true);
  both.ledger.begin(beginOf(first));
  expect(await both.ledger.flush(5000)).toBe(true);
  expect(await both.storage.requests.get(alone)).toMatchObject({ outcome: "completed", path: "", accountId: SECOND });
  expect(await both.storage.requests.get(first)).toMatchObject({
    outcome: "completed",
    path: "/v1/messages",
    accountId: FIRST,
  });
  await closeBoth(both);
});

test("what an earlier process left is ingested, and its open requests are interrupted", async () => {
  const dataDir = freshDir();
  const first = await openBoth(dataDir);
  const known = freshId();
  first.ledger.begin(beginOf(known));
  expect(await first.ledger.flush(5000)).toBe(true);
  await closeBoth(first);

  const [done, open] = [freshId(), freshId()];
  const torn = settleLine(settleOf(open)).slice(0, 60);
  const text = beginLine(beginOf(done)) + settleLine(settleOf(done)) + beginLine(beginOf(open)) + torn;
  writeFileSync(join(dataDir, "spool", "00001763900000-000000-aaaaaaaa.spool"), text);

  const second = await openBoth(dataDir);
  const own = freshId();
  second.ledger.begin(beginOf(own));
  expect(await second.ledger.flush(5000)).toBe(true);
  const outcomes = await Promise.all([known, done, open, own].map((id) => second.storage.requests.get(id)));
  expect(outcomes.map((row) => row?.outcome)).toEqual(["interrupted", "completed", "interrupted", "in_flight"]);
  expect(second.events).toContainEqual({ kind: "interrupted", rows: 2 });
  expect(second.events).toContainEqual(expect.objectContaining({ kind: "unreadable", lines: 0, tornBytes: 60 }));
  await closeBoth(second);
});

test("segments rotate and are deleted when the database has them", async () => {
  const dataDir = freshDir();
  const both = await openBoth(dataDir, { limits: { segmentBytes: 4096 } });
  for (let at = 0; at < 500; at += 1) {
    const id = freshId();
    both.ledger.begin(beginOf(id));
    both.ledger.settle(settleOf(id));
  }
  expect(spoolOf(dataDir).length).toBeGreaterThan(20);
  expect(await both.ledger.flush(5000)).toBe(true);
  await both.ledger.stop();
  expect(spoolOf(dataDir)).toEqual([]);
  expect(both.ledger.stats()).toMatchObject({ spoolBytes: 0, pendingRows: 0, droppedRows: 0, lastError: null });
  expect((await both.storage.requests.newest(1000)).length).toBe(500);
  await both.storage.close();
});

test("a locked database delays rows and nothing else", async () => {
  const dataDir = freshDir();
  const both = await openBoth(dataDir);
  const other = new Database(join(dataDir, "gateway.db"));
  other.run("begin immediate");
  const id = freshId();
  const started = performance.now();
  for (let at = 0; at < 1000; at += 1) both.ledger.begin(beginOf(at === 0 ? id : freshId()));
  expect(performance.now() - started).toBeLessThan(500);
  expect(await both.ledger.flush(1500)).toBe(false);
  expect(both.ledger.stats().pendingRows).toBeGreaterThan(500);
  expect(both.ledger.stats().ingestLagMs).toBeGreaterThan(1000);
  expect(both.ledger.stats().lastError).toContain("locked");
  other.run("commit");
  other.close();
  expect(await both.ledger.flush(10_000)).toBe(true);
  expect((await both.storage.requests.get(id))?.outcome).toBe("in_flight");
  expect(both.ledger.stats()).toMatchObject({ pendingRows: 0, lastError: null, ingestLagMs: 0 });
  expect(both.events.map(({ kind }) => kind)).toEqual(["ingest_failed", "ingest_recovered"]);
  await closeBoth(both);
});

test("a database that is absent, or is taken away and replaced, gets every row of the spool later", async () => {
  const dataDir = freshDir();
  const ledger = await openLedger({ dataDir, now, onEvent: () => undefined });
  const [early, late] = [freshId(), freshId()];
  ledger.begin(beginOf(early));
  expect(await ledger.flush(300)).toBe(false);
  const first = await openStorage({ dataDir });
  expect(await ledger.flush(5000)).toBe(true);
  expect((await first.requests.get(early))?.outcome).toBe("in_flight");
  await first.close();

  for (const name of readdirSync(dataDir).filter((entry) => entry.startsWith("gateway.db"))) {
    renameSync(join(dataDir, name), join(dataDir, `old-${name}`));
  }
  const second = await openStorage({ dataDir });
  ledger.settle(settleOf(late));
  expect(await ledger.flush(5000)).toBe(true);
  // The segment was still in the spool, so the new database has both.
  expect((await second.requests.newest(10)).map(({ id }) => id).sort()).toEqual([early, late].sort());
  await ledger.stop();
  await second.close();
});

test("drops and counts beyond the bound of the spool", async () => {
  const both = await openBoth(freshDir(), { limits: { spoolBytes: 1000 } });
  for (let at = 0; at < 100; at += 1) both.ledger.begin(beginOf(freshId()));
  expect(both.ledger.stats().droppedRows).toBeGreaterThan(90);
  expect(both.events).toEqual([{ kind: "dropping", droppedRows: 1 }]);
  await closeBoth(both);
});

test("stops soon while the database is away, and the next start has the rows", async () => {
  const dataDir = freshDir();
  const ledger = await openLedger({ dataDir, now, onEvent: () => undefined });
  const id = freshId();
  ledger.begin(beginOf(id));
  expect(await ledger.flush(300)).toBe(false);
  const started = performance.now();
  await ledger.stop();
  expect(performance.now() - started).toBeLessThan(4000);
  const both = await openBoth(dataDir);
  expect(await both.ledger.flush(5000)).toBe(true);
  expect((await both.storage.requests.get(id))?.outcome).toBe("interrupted");
  await closeBoth(both);
});

function mounted(directory: string, sizeBytes: number): boolean {
  mkdirSync(directory, { recursive: true });
  const options = `size=${sizeBytes},mode=0700`;
  const { exitCode } = Bun.spawnSync(["mount", "-t", "tmpfs", "-o", options, "tmpfs", directory]);
  if (exitCode === 0) mounts.push(directory);
  return exitCode === 0;
}

const canMount = process.geteuid?.() === 0 && mounted(join(root, "probe"), 65_536);

test.skipIf(!canMount)("a disk that is full and has room again loses no row (needs mount, as root)", async () => {
  const dataDir = join(freshDir(), "disk");
  mounted(dataDir, 1024 * 1024);
  const both = await openBoth(dataDir);
  const ballast = join(dataDir, "ballast");
  Bun.spawnSync(["dd", "if=/dev/zero", `of=${ballast}`, "bs=4096", "count=400"], { stderr: "ignore" });
  const ids = Array.from({ length: 200 }, freshId);
  for (const id of ids) both.ledger.begin(beginOf(id));
  expect(both.ledger.stats().lastError).not.toBeNull();
  expect(await both.ledger.flush(300)).toBe(false);
  rmSync(ballast);
  for (const id of ids) both.ledger.settle(settleOf(id));
  expect(await both.ledger.flush(10_000)).toBe(true);
  expect((await both.storage.requests.newest(1000, { outcome: "completed" })).length).toBe(200);
  expect(both.ledger.stats()).toMatchObject({ droppedRows: 0, lastError: null });
  expect(both.events.map(({ kind }) => kind)).toContain("spool_recovered");
  await closeBoth(both);
});

test.skipIf(!canMount)(
  "a disk that becomes read-only delays rows (needs mount, as root)",
  async () => {
    const dataDir = join(freshDir(), "disk");
    mounted(dataDir, 4 * 1024 * 1024);
    const both = await openBoth(dataDir);
    expect(await both.ledger.flush(5000)).toBe(true);
    const id = freshId();
    both.ledger.begin(beginOf(id));
    expect(await both.ledger.flush(5000)).toBe(true);
    await closeBoth(both);
    Bun.spawnSync(["mount", "-o", "remount,ro", dataDir]);
    const ledger = await openLedger({ dataDir, now, onEvent: () => undefined });
    ledger.settle(settleOf(id));
    expect(await ledger.flush(300)).toBe(false);
    expect(ledger.stats().lastError).not.toBeNull();
    Bun.spawnSync(["mount", "-o", "remount,rw", dataDir]);
    expect(await ledger.flush(10_000)).toBe(true);
    await ledger.stop();
    const storage = await openStorage({ dataDir });
    expect((await storage.requests.get(id))?.outcome).toBe("completed");
    await storage.close();
  },
  20_000,
);

const writerScript = (dataDir: string): string => `
  const { openStorage } = await import(${JSON.stringify(join(import.meta.dir, "../storage.ts"))});
  const { openLedger } = await import(${JSON.stringify(join(import.meta.dir, "ledger.ts"))});
  const dataDir = ${JSON.stringify(dataDir)};
  const now = () => Date.now();
  await openStorage({ dataDir });
  const ledger = await openLedger({ dataDir, now, onEvent: () => undefined, limits: { segmentBytes: 65536 } });
  const { writeSync } = await import("node:fs");
  const begin = ${JSON.stringify(beginOf(requestId("x")))};
  const settle = ${JSON.stringify(settleOf(requestId("x")))};
  for (;;) {
    for (let at = 0; at < 20; at += 1) {
      const time = Date.now().toString(16).padStart(12, "0");
      const id = time.slice(0, 8) + "-" + time.slice(8) + "-7" + crypto.randomUUID().slice(15);
      ledger.begin({ ...begin, id });
      // What is printed was acknowledged: it must be in the ledger whatever happens next.
      writeSync(1, "b" + id + "\\n");
      if (at % 4 === 0) continue;
      ledger.settle({ ...settle, id });
      writeSync(1, "s" + id + "\\n");
    }
    await Bun.sleep(1);
  }`;

test("kill -9 while writing loses nothing that was acknowledged and doubles nothing", async () => {
  const dataDir = freshDir();
  const begun = new Set<string>();
  const settled = new Set<string>();
  for (const killAfterLines of [200, 3000, 8000]) {
    const child = Bun.spawn([process.execPath, "-e", writerScript(dataDir)], { stdout: "pipe" });
    let text = "";
    let lines = 0;
    for await (const chunk of child.stdout) {
      const part = new TextDecoder().decode(chunk);
      text += part;
      lines += part.split("\n").length - 1;
      if (lines > killAfterLines) child.kill("SIGKILL");
    }
    await child.exited;
    for (const line of text.split("\n").slice(0, -1)) (line.startsWith("b") ? begun : settled).add(line.slice(1));
  }
  const both = await openBoth(dataDir);
  expect(await both.ledger.flush(10_000)).toBe(true);
  await closeBoth(both);
  expect(existsSync(join(dataDir, "gateway.db-wal"))).toBe(false);

  const database = new Database(join(dataDir, "gateway.db"), { readonly: true });
  const rows = database.query<{ id: string; outcome: string }, []>("select id, outcome from requests").all();
  database.close();
  const outcomeOf = new Map(rows.map(({ id, outcome }) => [id, outcome]));
  expect(begun.size).toBeGreaterThan(1000);
  expect([...begun].filter((id) => !outcomeOf.has(id))).toEqual([]);
  expect([...settled].filter((id) => outcomeOf.get(id) !== "completed")).toEqual([]);
  expect(rows.filter(({ outcome }) => outcome === "in_flight")).toEqual([]);
  // At most the entry in hand at each kill was written and not acknowledged.
  expect(rows.length - begun.size).toBeLessThanOrEqual(3);
  expect(spoolOf(dataDir)).toEqual([]);
}, 30_000);
