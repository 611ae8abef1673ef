import { afterAll, expect, test } from "bun:test";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { verifyAudit } from "../../src/audit-verify.ts";
import { startGateway } from "./gateway-process.ts";
import { fill, mountSmallDisk } from "./storage-outages.ts";

const disk = mountSmallDisk(16 << 20);

afterAll(() => disk?.unmount());

test.skipIf(disk === null)(
  "T-22.05 a full disk refuses changes, and leaves none without its entry (needs mount)",
  async () => {
    const root = disk?.path ?? "";
    const dataDir = join(root, "data");
    mkdirSync(dataDir, { mode: 0o700 });
    const gateway = await startGateway({ dataDir });
    const create = async (name: string) => {
      const init = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ name }) };
      const answer = await fetch("http://localhost/api/keys", { ...init, unix: join(dataDir, "control.sock") });
      await answer.arrayBuffer();
      return answer.status;
    };
    const filler = join(root, "filler");
    expect(await create("before")).toBe(201);
    fill(filler);
    const statuses: number[] = [];
    // The write-ahead log has room of its own for a few.
    for (let at = 0; at < 400 && !statuses.includes(503); at += 1) statuses.push(await create(`full-${at}`));
    expect(statuses.at(-1)).toBe(503);
    expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200);
    rmSync(filler);
    expect(await create("after")).toBe(201);
    expect(await gateway.stop()).toBe(0);

    const found = await verifyAudit(dataDir, { file: null, publicKeyFile: null });
    expect(found).toMatchObject({ isOk: true, data: { tornLines: expect.any(Number) } });
  },
  60_000,
);
