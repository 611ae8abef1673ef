import { Database } from "bun:sqlite";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OPERATOR } from "../../control/acting.ts";
import type { AuditDraft } from "../../control/audit-port.ts";
import { StoreUnavailable } from "../../control/store-unavailable.ts";
import { err } from "../../kernel/result.ts";
import { epochMs } from "../../kernel/time.ts";
import { escapeUnprintable } from "../../observe/describe-error.ts";
import { createRedactor } from "../../observe/redactor.ts";
import { openStorage, type Storage } from "../storage.ts";

let directory = "";
let storage: Storage;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "audit-"));
  storage = await openStorage({ dataDir: directory });
});

afterEach(async () => {
  await storage.close();
  rmSync(directory, { recursive: true, force: true });
});

const DRAFT: AuditDraft = {
  code: "CFG001I",
  actor: OPERATOR,
  object: { type: "setting", id: "selection.strategy", name: null },
  before: { strategy: "session" },
  after: { strategy: "priority" },
};

const NOW = epochMs(Date.UTC(2026, 10, 24));

const { redact } = createRedactor();

function openChanges({ now = () => NOW, clean = (text: string) => escapeUnprintable(redact(text)) } = {}) {
  return storage.auditedChanges({ now, clean });
}

async function entries(): Promise<readonly Record<string, unknown>[]> {
  return (await storage.auditLog.newest(1000)).map(({ entry }) => JSON.parse(entry)).reverse();
}

test("the work and its row are there together", async () => {
  const changes = openChanges();
  await changes.change(DRAFT, ({ settings }) => settings.set("a", "1"));
  await changes.note({ ...DRAFT, code: "SYS001I" });
  expect(await storage.settings.get("a")).toBe("1");
  expect(await entries()).toEqual([
    {
      v: 1,
      seq: 1,
      at: "2026-11-24T00:00:00.000Z",
      code: "CFG001I",
      outcome: "ok",
      actor: { type: "operator", id: "socket", ip: null },
      object: { type: "setting", id: "selection.strategy", name: null },
      before: { strategy: "session" },
      after: { strategy: "priority" },
    },
    expect.objectContaining({ seq: 2, code: "SYS001I" }),
  ]);
});

test("a change that throws or is refused is undone, and noted as failed", async () => {
  const changes = openChanges();
  const thrown = changes.change(DRAFT, async ({ settings }) => {
    await settings.set("a", "2");
    throw new Error("canary of the message");
  });
  await expect(thrown).rejects.toThrow("canary of the message");
  const refused = changes.change(DRAFT, async ({ settings }) => {
    await settings.set("a", "3");
    return err("name_taken");
  });
  expect(await refused).toEqual(err("name_taken"));
  expect(await storage.settings.get("a")).toBeNull();
  expect(await entries()).toMatchObject([
    { seq: 1, code: "CFG001E", outcome: "failed", reason: "Error" },
    { seq: 2, code: "CFG001E", outcome: "failed", reason: "name_taken" },
  ]);
});

test("T-22.06 when the audit row cannot be written the change is undone, and the store counts as unavailable", async () => {
  const changes = openChanges();
  const database = new Database(join(directory, "gateway.db"));
  database.run("create trigger refuse before insert on audit_entries begin select raise(abort, 'disk I/O error'); end");
  const change = changes.change(DRAFT, ({ settings }) => settings.set("a", "1"));
  await expect(change).rejects.toBeInstanceOf(StoreUnavailable);
  expect(await storage.settings.get("a")).toBeNull();
  database.run("drop trigger refuse");
  database.close();
  await changes.change(DRAFT, ({ settings }) => settings.set("a", "2"));
  expect(await storage.settings.get("a")).toBe("2");
  expect(await entries()).toMatchObject([{ seq: 1, code: "CFG001I" }]);
});

test("T-22.07 an entry that cannot be made fails the change", async () => {
  const changes = openChanges({
    clean() {
      throw new Error("a bug");
    },
  });
  const change = changes.change(DRAFT, ({ settings }) => settings.set("a", "1"));
  await expect(change).rejects.toBeInstanceOf(StoreUnavailable);
  expect(await storage.settings.get("a")).toBeNull();
});

test("T-22.05 a change is refused while the second sink has been behind for too long, a note is not", async () => {
  const changes = storage.auditedChanges({ now: () => NOW, clean: (text) => text, refusal: () => "Cannot change" });
  await expect(changes.change(DRAFT, ({ settings }) => settings.set("a", "1"))).rejects.toBeInstanceOf(
    StoreUnavailable,
  );
  expect(await storage.settings.get("a")).toBeNull();
  await changes.note(DRAFT);
  expect(await entries()).toHaveLength(1);
});

test("T-22.09 no secret comes into an entry, wherever it was put", async () => {
  const changes = openChanges();
  const canaries = [
    "sk-ant-api03-canarycanary",
    "sk-ant-oat01-canarycanary",
    "bccf_sk_canarycanarycanary",
    "Bearer canarycanary",
    "https://user:canarycanary@example.com/",
    "password=canarycanary",
    "eyJhbGciOiJIUzI1NiJ9.canarycanary.canarycanary",
    "refresh_token: canarycanary",
  ];
  for (const canary of canaries) {
    const nested: unknown = { deep: [canary], bytes: Buffer.from(canary), error: new Error(canary) };
    await changes.note({
      ...DRAFT,
      object: { type: "setting", id: canary, name: canary },
      before: { [canary]: canary, number: 7 },
      // A caller that goes round the types must not get an object in either.
      after: { nested: nested as string, text: canary },
      reason: canary,
    });
  }
  const text = JSON.stringify(await storage.auditLog.newest(1000));
  expect(text).toContain("[redacted:");
  expect(text).toContain("[not recorded]");
  expect(text).not.toContain("canary");
});

test("T-22.10 what would drive a terminal or fill the disk is escaped and cut", async () => {
  const changes = openChanges();
  await changes.note({ ...DRAFT, reason: `a\nb\u001b[31m\u202e${"x".repeat(10 * 1024 * 1024)}` });
  const [entry] = await entries();
  expect(entry?.["reason"]).toStartWith("a\\nb\\u001b[31m\\u202exxx");
  expect(String(entry?.["reason"])).toHaveLength(256);
});

test("T-22.16 a clock that goes back keeps the order and is said", async () => {
  let nowMs = NOW;
  const changes = openChanges({ now: () => nowMs });
  await changes.note(DRAFT);
  nowMs = epochMs(NOW - 1);
  await changes.note(DRAFT);
  const [first, second] = await entries();
  expect(first).not.toHaveProperty("clockWentBack");
  expect(second).toMatchObject({ seq: 2, clockWentBack: true });
});

test("many changes at once are gapless", async () => {
  const changes = openChanges();
  const running = Array.from({ length: 50 }, (_, at) =>
    changes.change(DRAFT, async ({ settings }) => {
      await settings.set(`key-${at}`, "1");
      return at % 5 === 0 ? err("name_taken") : undefined;
    }),
  );
  await Promise.all(running);
  const found = await entries();
  expect(found.map(({ seq }) => seq)).toEqual(Array.from({ length: 50 }, (_, at) => at + 1));
  expect(found.filter(({ code }) => code === "CFG001E")).toHaveLength(10);
});

test("a file that is moved in the middle of a change leaves no transaction open", async () => {
  const changes = openChanges();
  const path = join(directory, "gateway.db");
  const moved = changes.change(DRAFT, async ({ settings }) => {
    await settings.set("a", "1");
    renameSync(path, `${path}.away`);
  });
  await expect(moved).rejects.toBeInstanceOf(StoreUnavailable);
  renameSync(`${path}.away`, path);
  expect(await storage.settings.get("a")).toBeNull();
  await changes.change(DRAFT, ({ settings }) => settings.set("a", "2"));
  expect(await storage.settings.get("a")).toBe("2");
  expect(await entries()).toMatchObject([{ seq: 1, code: "CFG001I" }]);
});
