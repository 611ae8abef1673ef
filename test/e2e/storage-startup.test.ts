import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startGateway } from "./gateway-process.ts";
import { fill, mountSmallDisk } from "./storage-outages.ts";

setDefaultTimeout(30_000);
const DISK_BYTES = 16 * 1024 * 1024;

const disk = mountSmallDisk(DISK_BYTES);
const folder = mkdtempSync(join(tmpdir(), "bccf-start-"));

afterAll(() => {
  disk?.unmount();
  rmSync(folder, { recursive: true, force: true });
});

/** What a start says that must not come up. @throws when it comes up */
async function refusalOf(dataDir: string): Promise<string> {
  let refusal: unknown;
  try {
    const gateway = await startGateway({ dataDir });
    await gateway.stop();
  } catch (cause) {
    refusal = cause;
  }
  if (!(refusal instanceof Error)) throw new Error("Cannot see a refusal: the gateway started");
  return refusal.message;
}

test.each([
  { name: "a file", path: (file: string) => file, fact: "it is not a directory" },
  { name: "below a file", path: (file: string) => join(file, "data"), fact: "a part of the path is not a directory" },
])("a data directory that is $name is refused in one sentence", async ({ path, fact }) => {
  const file = join(folder, "file");
  writeFileSync(file, "");
  const refusal = await refusalOf(path(file));
  expect(refusal).toContain("it exited with 1");
  expect(refusal).toContain(`Cannot use the data directory ${path(file)}: ${fact}`);
});

test.skipIf(disk === null)(
  "a first start on a full disk is refused, and works once there is room (needs mount)",
  async () => {
    const root = disk?.path ?? "";
    const dataDir = join(root, "first");
    const ballast = join(root, "ballast");
    fill(ballast);
    const refusal = await refusalOf(dataDir);
    expect(refusal).toContain("it exited with 1");
    expect(refusal).toContain(`Cannot use the data directory ${dataDir}: the disk is full`);
    rmSync(ballast);
    const gateway = await startGateway({ dataDir });
    expect(gateway.firstKey).not.toBe("");
    expect(await gateway.stop()).toBe(0);
  },
);

test.skipIf(disk === null).each(["never-used", "used-before"])(
  "a %s directory on a read-only disk is refused (needs mount)",
  async (name) => {
    const dataDir = join(disk?.path ?? "", name);
    if (name === "used-before") expect(await (await startGateway({ dataDir })).stop()).toBe(0);
    expect(disk?.remount("ro")).toBe(true);
    const refusal = await refusalOf(dataDir).finally(() => disk?.remount("rw"));
    expect(refusal).toContain("it exited with 1");
    expect(refusal).toContain(`Cannot use the data directory ${dataDir}: the disk is read-only`);
  },
);

test.skipIf(disk === null)(
  "a later start on a full disk is refused, and works once there is room (needs mount)",
  async () => {
    const dataDir = join(disk?.path ?? "", "later");
    const ballast = join(disk?.path ?? "", "ballast");
    expect(await (await startGateway({ dataDir })).stop()).toBe(0);
    fill(ballast);
    const refusal = await refusalOf(dataDir);
    expect(refusal).toContain("it exited with 1");
    expect(refusal).toContain(`Cannot use the data directory ${dataDir}: the disk is full`);
    rmSync(ballast);
    expect(await (await startGateway({ dataDir })).stop()).toBe(0);
  },
);
