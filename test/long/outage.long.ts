import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startSimulator } from "../../sim/simulator.ts";
import { printFigures } from "../e2e/figures.ts";
import { startGateway } from "../e2e/gateway-process.ts";
import { countBy, integrityOf, readRows, waitForRows } from "../e2e/ledger-rows.ts";
import { sendMessage } from "../e2e/message-client.ts";
import { runOutage } from "../e2e/storage-outage.ts";
import {
  absentDatabase,
  canFreeze,
  frozenDisk,
  fullDisk,
  lockedDatabase,
  mountFailingDisk,
  mountSmallDisk,
} from "../e2e/storage-outages.ts";

setDefaultTimeout(600_000);
const OUTAGE_MS = 60_000;
const DISK_BYTES = 64 * 1024 * 1024;

const folder = mkdtempSync(join(tmpdir(), "bccf-outages-"));
const disk = mountSmallDisk(DISK_BYTES);
const failing = mountFailingDisk(DISK_BYTES);

afterAll(() => {
  disk?.unmount();
  failing?.unmount();
  rmSync(folder, { recursive: true, force: true });
});

test("a database locked for a minute delays rows and no request", async () => {
  const dataDir = join(folder, "locked");
  printFigures("outage.locked", await runOutage({ outage: lockedDatabase(), outageMs: OUTAGE_MS, dataDir }));
});

test("a database that is away for a minute delays rows and no request", async () => {
  const dataDir = join(folder, "absent");
  printFigures("outage.absent", await runOutage({ outage: absentDatabase(), outageMs: OUTAGE_MS, dataDir }));
});

test.skipIf(!canFreeze())(
  "a disk that refuses writes for a minute delays rows and no request (needs chattr)",
  async () => {
    const dataDir = join(folder, "frozen");
    printFigures("outage.frozen", await runOutage({ outage: frozenDisk(), outageMs: OUTAGE_MS, dataDir }));
  },
);

test.skipIf(disk === null)("a disk that is full for a minute delays rows and no request (needs mount)", async () => {
  const dataDir = disk?.path ?? "";
  printFigures("outage.full", await runOutage({ outage: fullDisk(), outageMs: OUTAGE_MS, dataDir }));
});

/** What ext4 does after an error of the disk: read-only for good, until somebody repairs it. */
test.skipIf(failing === null)(
  "a disk that fails and turns read-only stops no request (needs loop mounts)",
  async () => {
    const dataDir = failing?.path ?? "";
    const simulator = await startSimulator();
    simulator.account("sk-sim-failing");
    const gateway = await startGateway({ dataDir });
    await gateway.addAccount("failing", { baseUrl: simulator.url, credential: "sk-sim-failing" });
    const { url, firstKey: key } = gateway;
    const send = (model: string) => sendMessage({ url, key, model, isStream: true });
    for (let at = 0; at < 50; at += 1) expect(await send(`claude-before-${at}`)).toMatchObject({ kind: "whole" });
    await waitForRows(dataDir, (rows) => rows.filter(({ outcome }) => outcome === "completed").length === 50);
    failing?.fail();
    const latenciesMs: number[] = [];
    for (let at = 0; at < 200; at += 1) {
      const startMs = performance.now();
      expect(await send(`claude-during-${at}`)).toMatchObject({ kind: "whole" });
      latenciesMs.push(performance.now() - startMs);
      await Bun.sleep(10);
    }
    const created = await gateway.cli(["key", "create", "in-outage"]);
    expect(created.code).toBe(1);
    expect(gateway.output()).toContain("The disk refuses the ledger spool: entries wait in memory, requests go on");
    gateway.signal("SIGTERM");
    const exitCode = await gateway.exited;
    printFigures("outage.failing", {
      requestsDuring: latenciesMs.length,
      worstDuringMs: Math.round(Math.max(...latenciesMs)),
      exitCode,
    });
    failing?.repair();
    const again = await startGateway({ dataDir });
    expect(integrityOf(dataDir)).toBe("ok");
    const before = readRows(dataDir).filter(({ model }) => model?.startsWith("claude-before") === true);
    expect(before.length).toBe(50);
    expect([...countBy(before, ({ model }) => model ?? "")].filter(([, count]) => count !== 1)).toEqual([]);
    expect(await again.stop()).toBe(0);
    await simulator.stop();
  },
);
