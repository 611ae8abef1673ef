import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspectorOf, ledgerLagOf } from "./inspector.ts";
import { openStorage } from "./storage/storage.ts";

const IDLE = { spoolBytes: 0, pendingRows: 0, droppedRows: 0, ingestLagMs: 0, lastError: null };

describe("the ledger's lag", () => {
  test.each([
    { stats: IDLE, lag: { pendingEntries: 0, oldestPendingMs: null, droppedEntries: 0 } },
    { stats: { ...IDLE, ingestLagMs: 70 }, lag: { pendingEntries: 0, oldestPendingMs: null, droppedEntries: 0 } },
    {
      stats: { ...IDLE, pendingRows: 3, ingestLagMs: 70, droppedRows: 2 },
      lag: { pendingEntries: 3, oldestPendingMs: 70, droppedEntries: 2 },
    },
  ])("case %# names an age only while something waits", ({ stats, lag }) => {
    expect(JSON.parse(JSON.stringify(ledgerLagOf(stats)))).toEqual(lag);
  });
});

test("the inspector asks the storage itself", async () => {
  const dataDir = mkdtempSync(join(tmpdir(), "bccf-inspector-"));
  try {
    const storage = await openStorage({ dataDir });
    const inspector = inspectorOf(storage, () => ledgerLagOf(IDLE));
    expect(await inspector.databaseIntegrity()).toMatchObject({ ok: true });
    expect(await inspector.dataDirectoryPermissions()).toMatchObject({ ok: true });
    expect(inspector.ledgerLag().pendingEntries).toBe(0);
    await storage.close();
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
});
