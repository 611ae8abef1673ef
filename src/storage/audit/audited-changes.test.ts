import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OPERATOR } from "../../control/acting.ts";
import type { AuditDraft } from "../../control/audit-port.ts";
import { err } from "../../kernel/result.ts";
import { epochMs } from "../../kernel/time.ts";
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

test("the work and its row are there together, or neither is", async () => {
  const changes = storage.auditedChanges({ now: () => epochMs(1_000), clean: (text) => text });
  expect(await changes.change(DRAFT, async ({ settings }) => settings.set("a", "1"))).toBeUndefined();
  expect(await storage.settings.get("a")).toBe("1");

  const thrown = changes.change(DRAFT, async ({ settings }) => {
    await settings.set("a", "2");
    throw new Error("no");
  });
  await expect(thrown).rejects.toThrow("no");
  const refused = changes.change(DRAFT, async ({ settings }) => {
    await settings.set("a", "3");
    return err("name_taken");
  });
  expect(await refused).toEqual(err("name_taken"));
  expect(await storage.settings.get("a")).toBe("1");
});
