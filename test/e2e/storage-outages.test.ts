import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { printFigures } from "./figures.ts";
import { runOutage } from "./storage-outage.ts";
import { absentDatabase, canFreeze, frozenDisk, fullDisk, lockedDatabase, mountSmallDisk } from "./storage-outages.ts";

setDefaultTimeout(60_000);
const OUTAGE_MS = 3_000;
/** Where nothing waits: the first refusal comes at once. */
const SHORT_OUTAGE_MS = 1_500;
const DISK_BYTES = 16 * 1024 * 1024;

const folder = mkdtempSync(join(tmpdir(), "bccf-outages-"));
const disk = mountSmallDisk(DISK_BYTES);

afterAll(() => {
  disk?.unmount();
  rmSync(folder, { recursive: true, force: true });
});

test("a locked database delays rows and no request", async () => {
  const dataDir = join(folder, "locked");
  const figures = await runOutage({ outage: lockedDatabase(), outageMs: OUTAGE_MS, dataDir });
  printFigures("locked", figures);
  expect(figures.requestsDuring).toBeGreaterThan(50);
});

test("a database that is moved away and put back delays rows and no request", async () => {
  const dataDir = join(folder, "absent");
  const figures = await runOutage({ outage: absentDatabase(), outageMs: SHORT_OUTAGE_MS, dataDir });
  printFigures("absent", figures);
  expect(figures.requestsDuring).toBeGreaterThan(50);
});

test.skipIf(!canFreeze())(
  "a disk that refuses every write delays rows and no request (needs chattr on ext4, as root)",
  async () => {
    const dataDir = join(folder, "frozen");
    const figures = await runOutage({ outage: frozenDisk(), outageMs: SHORT_OUTAGE_MS, dataDir });
    printFigures("frozen", figures);
    expect(figures.requestsDuring).toBeGreaterThan(50);
  },
);

test.skipIf(disk === null)("a full disk delays rows and no request (needs mount, as root)", async () => {
  const dataDir = disk?.path ?? "";
  const figures = await runOutage({ outage: fullDisk(), outageMs: SHORT_OUTAGE_MS, dataDir });
  printFigures("full", figures);
  expect(figures.requestsDuring).toBeGreaterThan(50);
});
