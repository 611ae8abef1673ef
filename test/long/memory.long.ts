import { expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startSimulator } from "../../sim/simulator.ts";
import { startGateway } from "../e2e/gateway-process.ts";
import { messageStatus } from "../e2e/message-status.ts";

// What somebody with root, who can read the memory of the process anyway, finds in it. The numbers are a budget, not a promise.

setDefaultTimeout(120_000);

const CREDENTIAL = `sk-ant-api03-${randomBytes(30).toString("hex")}`;
const CHUNK_BYTES = 16 * 1024 * 1024;

/** How often a pattern is in a file, found over the edges of what is read at a time. */
function countIn(path: string, pattern: Buffer): number {
  const buffer = Buffer.alloc(CHUNK_BYTES + pattern.length);
  const fd = openSync(path, "r");
  let count = 0;
  let kept = 0;
  for (;;) {
    const read = readSync(fd, buffer, kept, CHUNK_BYTES, null);
    if (read === 0) break;
    const filled = buffer.subarray(0, kept + read);
    for (let at = filled.indexOf(pattern); at >= 0; at = filled.indexOf(pattern, at + 1)) count += 1;
    kept = Math.min(pattern.length - 1, filled.length);
    buffer.copyWithin(0, filled.length - kept, filled.length);
  }
  closeSync(fd);
  return count;
}

test.skipIf(Bun.which("gcore") === null)(
  "T-10.19 copies of a credential and of the master key in a core image (needs gdb)",
  async () => {
    const directory = mkdtempSync(join(tmpdir(), "bccf-core-"));
    const simulator = await startSimulator();
    simulator.account(CREDENTIAL);
    const gateway = await startGateway();
    const masterKey = readFileSync(join(gateway.dataDir, "master.key"));
    await gateway.addAccount("main", { baseUrl: simulator.url, credential: CREDENTIAL });
    for (let round = 0; round < 50; round += 1) expect(await messageStatus(gateway, gateway.firstKey)).toBe(200);
    Bun.spawnSync(["gcore", "-o", join(directory, "core"), String(gateway.pid)], {
      stdout: "ignore",
      stderr: "ignore",
    });
    const [core] = readdirSync(directory);
    await gateway.stop();
    await simulator.stop();
    if (core === undefined) throw new Error("Cannot read the process: gcore made no image (is ptrace allowed?)");
    const path = join(directory, core);
    const copies = {
      credential: countIn(path, Buffer.from(CREDENTIAL)),
      credentialUtf16: countIn(path, Buffer.from(CREDENTIAL, "utf16le")),
      masterKeyBytes: countIn(path, masterKey),
      masterKeyBase64: countIn(path, Buffer.from(masterKey.toString("base64"))),
      masterKeyHex: countIn(path, Buffer.from(masterKey.toString("hex"))),
    };
    rmSync(directory, { recursive: true, force: true });
    console.info(`figure: copies in a core image ${JSON.stringify(copies)}`);
    expect(copies.credential).toBeGreaterThan(0);
    expect(copies.credentialUtf16).toBe(0);
    expect([copies.masterKeyBase64, copies.masterKeyHex]).toEqual([0, 0]);
    // It is one buffer, from the file to the end.
    expect(copies.masterKeyBytes).toBeLessThanOrEqual(2);
  },
);
