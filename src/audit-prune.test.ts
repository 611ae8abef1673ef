import { Database } from "bun:sqlite";
import { afterEach, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { generateKeyPairSync, sign } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { prunedBytes, prunedStatement } from "./audit/pruned.ts";
import { verifyAudit } from "./audit-verify.ts";
import { type AuditWorld, createAuditWorld, DAY_MS, DRAFT, verified } from "./audit-world.test.ts";
import type { AuditRemote } from "./control/audit-port.ts";
import type { RunningAudit } from "./running-audit.ts";

setDefaultTimeout(20_000);

const ROOT = join(import.meta.dir, "..");

let world: AuditWorld;

beforeEach(() => {
  world = createAuditWorld();
});

afterEach(() => world.remove());

const notes = async (audit: RunningAudit, count: number) => {
  for (let at = 0; at < count; at += 1) await audit.changes.note(DRAFT);
};

async function prune(audit: RunningAudit, isDryRun = false, olderThanDays: number | null = null) {
  const pruned = await audit.reader.prune({ olderThanDays, isDryRun });
  if (!pruned.ok) throw new Error(pruned.error.message);
  return pruned.value;
}

/** Five entries, 401 days, then five more. A stop adds its own, and signs. */
async function makeOldLog(): Promise<void> {
  await world.run({}, (audit) => notes(audit, 4));
  world.nowMs += 401 * DAY_MS;
  await world.run({}, (audit) => notes(audit, 4));
}

const verifyHere = () => verifyAudit(world.dataDir, { file: null, publicKeyFile: null });
const publicKey = () => Buffer.from(readFileSync(join(world.dataDir, "audit.pub"), "utf8").trim(), "hex");
const sinkLines = () => readFileSync(join(world.dataDir, "audit.log"), "utf8").split("\n").slice(0, -1);

function database<Value>(use: (database: Database) => Value): Value {
  const opened = new Database(join(world.dataDir, "gateway.db"));
  try {
    return use(opened);
  } finally {
    opened.close();
  }
}

const seqsStored = () =>
  database((db) => db.query<{ seq: number }, []>("select seq from audit_entries order by seq").all()).map(
    ({ seq }) => seq,
  );

async function exportOf(audit: RunningAudit): Promise<readonly string[]> {
  const lines: string[] = [];
  for (let after = { seq: 0, isAfterCheckpoint: false }; ; ) {
    const page = await audit.reader.page(after);
    lines.push(...page.lines);
    if (page.end === null) return lines;
    after = page.end;
  }
}

test("T-22.11 pruning leaves a signed mark, and everything that is left verifies: here, in an export, and by others", async () => {
  await makeOldLog();
  let exported: readonly string[] = [];
  await world.run({}, async (audit) => {
    const expected = { prunedTo: 5, entries: 5, heldBack: null };
    expect(await prune(audit, true)).toMatchObject({ ...expected, isDryRun: true });
    expect(seqsStored()).toHaveLength(10);
    expect(await prune(audit)).toMatchObject(expected);
    expect(await prune(audit)).toMatchObject({ prunedTo: null, entries: 0 });
    await notes(audit, 2);
    exported = await exportOf(audit);
  });
  expect(seqsStored()[0]).toBe(6);
  const total = seqsStored().at(-1);
  expect(await verifyHere()).toMatchObject({ isOk: true, data: { prunedSeq: 5, entries: total } });
  expect(verified(sinkLines(), publicKey())).toBe(total ?? 0);
  expect(
    sinkLines()
      .slice(0, 3)
      .map((line) => JSON.parse(line).type),
  ).toEqual(["log", "pruned", "entry"]);
  expect(statSync(join(world.dataDir, "audit.log")).mode & 0o777).toBe(0o600);
  expect(existsSync(join(world.dataDir, "audit.log.pruning"))).toBe(false);

  const file = join(world.parent, "export.jsonl");
  writeFileSync(file, exported.map((line) => `${line}\n`).join(""));
  const key = join(world.dataDir, "audit.pub");
  const python = (path: string) => Bun.spawnSync(["python3", join(ROOT, "tools", "verify-audit.py"), path, key]);
  expect(python(file).stdout.toString()).toContain("the first 5 pruned");
  // Its own entry says who pruned what.
  const entries = exported
    .filter((line) => JSON.parse(line).type === "entry")
    .map((line) => JSON.parse(JSON.parse(line).entry));
  expect(entries.find(({ code }) => code === "AUD002I")).toMatchObject({ after: { prunedTo: 5, entries: 5 } });

  // Without its mark, or with one more entry gone, it is not intact.
  for (const cut of [exported.toSpliced(1, 1), exported.toSpliced(2, 1)]) {
    expect(() => verified(cut, publicKey())).toThrow();
    writeFileSync(file, cut.map((line) => `${line}\n`).join(""));
    expect(python(file).exitCode).toBe(1);
  }
});

test("T-22.11 a mark that the gateway did not sign hides nothing", async () => {
  await makeOldLog();
  const { privateKey } = generateKeyPairSync("ed25519");
  const [header = "", ...lines] = sinkLines();
  const { log } = JSON.parse(header);
  const fifth = lines.map((line) => JSON.parse(line)).find(({ entry }) => entry?.includes('"seq":5,'));
  const statement = prunedStatement({
    logId: log,
    seq: 5,
    hash: fifth.hash,
    at: "2027-01-01T00:00:00.000Z",
    previous: "00",
  });
  const signature = sign(null, prunedBytes(statement), privateKey);
  const mark = JSON.stringify({ signature: signature.toString("hex"), statement, type: "pruned" });
  const rest = lines.filter((line) => !/"seq\\":[1-5],/.test(line));
  expect(() => verified([header, mark, ...rest], publicKey())).toThrow("not signed");

  database((db) => {
    db.query("insert into audit_prunings values (5, 0, ?, ?)").run(statement, signature);
    db.query("delete from audit_entries where seq <= 5").run();
  });
  expect(await verifyHere()).toMatchObject({ isOk: false });
});

test("T-22.11 a true mark cannot be moved behind entries", async () => {
  await makeOldLog();
  const before = sinkLines();
  await world.run({}, async (audit) => void (await prune(audit)));
  const [, mark = ""] = sinkLines();
  expect(() => verified([...before.slice(0, 4), mark], publicKey())).toThrow("stands behind entries");
});

test("nothing is removed before its time, whoever asks", async () => {
  await world.run({ retentionDays: 30 }, async (audit) => {
    await notes(audit, 3);
    expect(await audit.reader.prune({ olderThanDays: 29, isDryRun: false })).toMatchObject({
      ok: false,
      error: { code: "retention_too_short", field: "olderThanDays" },
    });
  });
  world.nowMs += 31 * DAY_MS;
  await world.run({ retentionDays: 30 }, async (audit) => {
    expect(await prune(audit, true, 32)).toMatchObject({ prunedTo: null });
    expect(await prune(audit, true, 30)).toMatchObject({ prunedTo: 4 });
  });
});

test("what a sink elsewhere does not have is not removed", async () => {
  const remote: AuditRemote = {
    name: "syslog",
    target: "nobody",
    send: async () => ({ ok: false, error: "nobody is there" }),
    close: () => undefined,
  };
  await makeOldLog();
  await world.run({ remotes: [remote] }, async (audit) => {
    expect(await prune(audit)).toMatchObject({ prunedTo: null, heldBack: "the sink syslog has entries up to 0 alone" });
  });
  expect(seqsStored()).toHaveLength(11);
});

test("by itself it prunes at a start, unless the clock would have it remove everything", async () => {
  await world.run({}, (audit) => notes(audit, 4));
  world.nowMs += 4_000 * DAY_MS;
  await world.run({}, (audit) => audit.start());
  expect(world.logged).toContain("the clock may be wrong");
  expect(seqsStored()[0]).toBe(1);
  world.nowMs -= 3_599 * DAY_MS;
  await world.run({}, (audit) => audit.start());
  await world.run({}, (audit) => audit.start());
  expect(await verifyHere()).toMatchObject({ isOk: true, data: { prunedSeq: 5 } });
});

test("a file that may not be replaced keeps what was pruned, and both verify", async () => {
  await makeOldLog();
  await world.run({}, async (audit) => {
    // As `chattr +a` would: nothing can be made beside it.
    mkdirSync(join(world.dataDir, "audit.log.pruning", "x"), { recursive: true });
    await prune(audit);
    rmSync(join(world.dataDir, "audit.log.pruning"), { recursive: true });
    await notes(audit, 1);
  });
  expect(world.logged).toContain("keeps what was pruned");
  expect(await verifyHere()).toMatchObject({ isOk: true, data: { prunedSeq: 5 } });
  expect(JSON.parse(sinkLines()[1] ?? "{}").type).toBe("entry");
});

test("a database that was changed is not vouched for by a mark", async () => {
  await makeOldLog();
  await world.run({}, async (audit) => {
    database((db) => db.query("update audit_entries set hash = zeroblob(32) where seq = 5").run());
    await expect(prune(audit)).rejects.toThrow("entry 5 is not the one that was signed");
  });
  expect(seqsStored()[0]).toBe(1);
  expect(await verifyHere()).toMatchObject({ isOk: false });
});

test("a file that was changed is not made whole by a pruning", async () => {
  await makeOldLog();
  const path = join(world.dataDir, "audit.log");
  const changed = sinkLines().filter((line) => !/"seq\\":5,/.test(line));
  writeFileSync(path, changed.map((line) => `${line}\n`).join(""));
  await world.run({}, async (audit) => void (await prune(audit)));
  expect(world.logged).toContain("does not hold entry 5");
  expect(await verifyHere()).toMatchObject({ isOk: false });
});
