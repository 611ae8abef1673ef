import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStorage } from "./storage.ts";

let directory = "";

afterEach(() => rmSync(directory, { recursive: true, force: true }));

test("a checkpoint carries changes into the database, and the write-ahead log starts over", async () => {
  directory = mkdtempSync(join(tmpdir(), "checkpoint-"));
  const storage = await openStorage({ dataDir: join(directory, "data") });
  const sizeOf = (suffix: string) => statSync(join(directory, "data", `gateway.db${suffix}`)).size;
  const change = async () => {
    for (let at = 0; at < 300; at += 1) await storage.settings.set(`key-${at}`, "x".repeat(500));
  };
  try {
    await change();
    const before = sizeOf("-wal");
    await storage.checkpoint();
    expect(sizeOf("")).toBeGreaterThan(100_000);
    for (let round = 0; round < 5; round += 1) {
      await change();
      await storage.checkpoint();
    }
    expect(sizeOf("-wal")).toBeLessThan(before * 3);
  } finally {
    await storage.close();
  }
});
