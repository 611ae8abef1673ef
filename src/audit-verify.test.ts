import { Database } from "bun:sqlite";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import {
  appendFileSync,
  copyFileSync,
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
import { chainHash, EMPTY_HEAD } from "./audit/chain.ts";
import { verifyAudit } from "./audit-verify.ts";
import { OPERATOR } from "./control/acting.ts";
import type { AuditDraft } from "./control/audit-port.ts";
import { epochMs } from "./kernel/time.ts";
import { openKeyring } from "./keyring/keyring.ts";
import { masterKeyFromBytes } from "./keyring/master-key.ts";
import { createLog } from "./observe/log.ts";
import { openRunningAudit, type RunningAudit } from "./running-audit.ts";
import { openStorage } from "./storage/storage.ts";

const masterKey = randomBytes(32);
const ROOT = join(import.meta.dir, "..");
const DAY_MS = 86_400_000;

let parent = "";
let dataDir = "";
let nowMs = Date.UTC(2026, 10, 24);
let logged = "";

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "audit-"));
  dataDir = join(parent, "data");
  logged = "";
  nowMs = Date.UTC(2026, 10, 24);
});

afterEach(() => rmSync(parent, { recursive: true, force: true }));

/** One run of the gateway's audit log over the real database, keyring and files. */
async function inGateway(act: (audit: RunningAudit) => Promise<void>): Promise<void> {
  const storage = await openStorage({ dataDir });
  const clock = { now: () => epochMs(nowMs), sleep: async () => undefined, every: () => () => undefined };
  const keyring = await openKeyring({
    masterKey: masterKeyFromBytes(Buffer.from(masterKey)),
    store: storage.dataKeys,
    now: clock.now,
  });
  const log = createLog({
    level: "info",
    format: "json",
    write: (line) => {
      logged += line;
    },
  });
  try {
    const audit = await openRunningAudit({ storage, keyring, dataDir, log, clock });
    await act(audit);
    await audit.stop();
  } finally {
    await storage.close();
    keyring.close();
  }
}

const DRAFT: AuditDraft = {
  code: "KEY001I",
  actor: OPERATOR,
  object: { type: "client_key", id: "AAAAAAAAAA", name: "laptop" },
};

async function makeLog(count: number): Promise<void> {
  await inGateway(async (audit) => {
    for (let at = 0; at < count; at += 1) await audit.changes.note(DRAFT);
  });
}

const verifyHere = () => verifyAudit(dataDir, { file: null, publicKeyFile: null });

/** What somebody with the database file can do. */
function tamper(act: (database: Database) => void): void {
  const database = new Database(join(dataDir, "gateway.db"));
  act(database);
  database.close();
}

/** Hashes every entry anew, as somebody would who knows the format. */
function rehash(database: Database): void {
  let head = EMPTY_HEAD;
  for (const { seq, entry } of database
    .query<{ seq: number; entry: string }, []>("select seq, entry from audit_entries order by seq")
    .all()) {
    head = chainHash(entry, head);
    database.run("update audit_entries set hash = ? where seq = ?", [Buffer.from(head), seq]);
  }
}

test("a log that nobody touched is intact over restarts, in the database and in the second sink", async () => {
  await makeLog(3);
  await makeLog(2);
  // Three, the stop; two, the stop; each stop signs.
  expect(await verifyHere()).toMatchObject({ isOk: true, data: { entries: 7, checkpoints: 2, signedSeq: 7 } });
  for (const name of ["audit.log", "audit.pub"]) expect(statSync(join(dataDir, name)).mode & 0o777).toBe(0o600);
});

test("T-22.02 an edit, a deletion and a swap in the database are found at the entry at fault", async () => {
  await makeLog(6);
  const original = join(parent, "original.db");
  tamper((database) => void database.run(`vacuum into '${original}'`));
  const acts: readonly [number, string][] = [
    [3, "update audit_entries set entry = replace(entry, 'laptop', 'server') where seq = 3"],
    [4, "delete from audit_entries where seq = 4"],
    [2, "update audit_entries set entry = (select entry from audit_entries where seq = 5) where seq = 2"],
    [5, "update audit_entries set hash = zeroblob(32) where seq = 5"],
  ];
  for (const [seq, statement] of acts) {
    for (const suffix of ["", "-wal", "-shm"]) rmSync(join(dataDir, `gateway.db${suffix}`), { force: true });
    copyFileSync(original, join(dataDir, "gateway.db"));
    expect(await verifyHere()).toMatchObject({ isOk: true });
    tamper((database) => void database.run(statement));
    expect(await verifyHere()).toMatchObject({ isOk: false, data: { problem: { seq } } });
  }
});

test("T-22.02 a tail that was cut, with its checkpoints, is found through the second sink", async () => {
  await makeLog(5);
  tamper((database) => {
    database.run("delete from audit_entries where seq > 3");
    database.run("delete from audit_checkpoints");
  });
  expect(await verifyHere()).toMatchObject({
    isOk: false,
    data: { problem: { seq: 4, what: expect.stringContaining("audit.log goes on") } },
  });
});

test("T-22.02 a whole chain that was hashed anew is found through the second sink, and without it by the checkpoints", async () => {
  await makeLog(5);
  const forge = (database: Database) => {
    database.run("update audit_entries set entry = replace(entry, 'laptop', 'server') where seq = 2");
    rehash(database);
  };
  tamper(forge);
  expect(await verifyHere()).toMatchObject({
    isOk: false,
    data: { problem: { seq: 2, what: expect.stringContaining("audit.log hold different entries") } },
  });
  // The sink as well, by somebody who has the whole data directory: only the signatures are left.
  const lines = readFileSync(join(dataDir, "audit.log"), "utf8")
    .split("\n")
    .filter((line) => line !== "");
  let head = EMPTY_HEAD;
  const forged = lines.map((text) => {
    const line = JSON.parse(text);
    if (line.type !== "entry") return text;
    const entry =
      line.seq === 2 || line.entry.includes('"seq":2') ? line.entry.replace("laptop", "server") : line.entry;
    head = chainHash(entry, head);
    return JSON.stringify({ ...line, entry, hash: Buffer.from(head).toString("hex") });
  });
  writeFileSync(join(dataDir, "audit.log"), `${forged.join("\n")}\n`);
  expect(await verifyHere()).toMatchObject({
    isOk: false,
    data: { problem: { seq: 6, what: expect.stringContaining("not those that were signed") } },
  });
});

test("T-22.19 an older copy of the database is found by verify, and said at the start", async () => {
  await makeLog(3);
  const older = join(parent, "older.db");
  tamper((database) => void database.run(`vacuum into '${older}'`));
  await makeLog(3);
  for (const suffix of ["", "-wal", "-shm"]) rmSync(join(dataDir, `gateway.db${suffix}`), { force: true });
  copyFileSync(older, join(dataDir, "gateway.db"));
  expect(await verifyHere()).toMatchObject({ isOk: false, data: { problem: { seq: 5 } } });
  await inGateway(async () => undefined);
  expect(logged).toContain("it ends at entry 8, and the database does not hold that entry");
});

test("T-22.20 a log of another installation is told by its id and its key", async () => {
  await makeLog(3);
  const first = dataDir;
  dataDir = join(parent, "reinstalled");
  mkdirSync(dataDir, { mode: 0o700 });
  await makeLog(3);
  const file = join(first, "audit.log");
  expect(await verifyAudit(dataDir, { file, publicKeyFile: null })).toMatchObject({
    isOk: false,
    data: { problem: { what: expect.stringContaining("another installation") } },
  });
  expect(await verifyAudit(dataDir, { file, publicKeyFile: join(first, "audit.pub") })).toMatchObject({ isOk: true });
});

test("a second sink that is gone, or a link, is said; a line that a kill cut is written again", async () => {
  await makeLog(2);
  const path = join(dataDir, "audit.log");
  const text = readFileSync(path, "utf8");
  writeFileSync(path, text.slice(0, -40), { mode: 0o600 });
  await makeLog(1);
  expect(await verifyHere()).toMatchObject({ isOk: true, data: { entries: 5 } });
  rmSync(path);
  expect(await verifyHere()).toMatchObject({
    isOk: false,
    data: { problem: { what: expect.stringContaining("missing") } },
  });
  const target = join(parent, "target");
  writeFileSync(target, "");
  symlinkSync(target, path);
  await makeLog(1);
  expect(logged).toContain("second sink");
  expect(readFileSync(target, "utf8")).toBe("");
});

test("T-22.05 with a blocked second sink changes go on for a day, then they are refused until it takes them", async () => {
  mkdirSync(dataDir, { mode: 0o700 });
  mkdirSync(join(dataDir, "audit.log"));
  await inGateway(async ({ changes }) => {
    const change = () => changes.change(DRAFT, async ({ settings }) => settings.set("a", String(nowMs)));
    await change();
    await Bun.sleep(20);
    expect(logged).toContain("second sink");
    nowMs += DAY_MS - 1;
    await change();
    nowMs += 1;
    await expect(change()).rejects.toThrow("has taken no entry for more than 24 h");
    rmSync(join(dataDir, "audit.log"), { recursive: true });
    await changes.note(DRAFT);
    await Bun.sleep(50);
    await change();
  });
  expect(await verifyHere()).toMatchObject({ isOk: true, data: { entries: 5 } });
});

test("a thousand entries are signed at once, before the minute is over", async () => {
  await inGateway(async ({ changes }) => {
    for (let at = 0; at < 1000; at += 1) await changes.note(DRAFT);
    await Bun.sleep(50);
    expect(await verifyHere()).toMatchObject({ isOk: true, data: { entries: 1000, signedSeq: 1000 } });
  });
}, 30_000);

test("T-22.15 an export is verified offline by a program that shares nothing with the gateway", async () => {
  await inGateway(async ({ changes, reader }) => {
    for (let at = 0; at < 3; at += 1)
      await changes.note({ ...DRAFT, object: { ...DRAFT.object, name: "caf\u00e9 \u{1f511}" } });
    const file = join(parent, "export.jsonl");
    let place = { seq: 0, isAfterCheckpoint: false };
    for (;;) {
      const { lines, end } = await reader.page(place);
      appendFileSync(file, lines.map((line) => `${line}\n`).join(""));
      if (end === null) break;
      place = end;
    }
    const publicKeyFile = join(dataDir, "audit.pub");
    expect(await verifyAudit("/nowhere", { file, publicKeyFile })).toMatchObject({
      isOk: true,
      data: { signedSeq: 4 },
    });
    expect(audit(file, publicKeyFile)).toMatchObject({ code: 0, text: expect.stringContaining("intact: 4 entries") });

    const text = readFileSync(file, "utf8");
    const lines = text.trimEnd().split("\n");
    const broken: readonly string[] = [
      text.replace("KEY001I", "KEY002I"),
      [lines[0], lines[1], ...lines.slice(3)].join("\n"),
      [lines[0], lines[2], lines[1], ...lines.slice(3)].join("\n"),
      lines.slice(0, -1).join("\n"),
      text.replace(/("signature":")../u, "$1ff"),
    ];
    for (const each of broken) {
      writeFileSync(file, each);
      expect(audit(file, publicKeyFile)).toMatchObject({ code: 1, text: expect.stringContaining("not intact: entry") });
    }
  });
}, 30_000);

/** tools/verify-audit.py. */
function audit(file: string, publicKeyFile: string): { readonly code: number; readonly text: string } {
  const { exitCode, stdout, stderr } = Bun.spawnSync([
    "python3",
    join(ROOT, "tools", "verify-audit.py"),
    file,
    publicKeyFile,
  ]);
  return { code: exitCode, text: stdout.toString() + stderr.toString() };
}
