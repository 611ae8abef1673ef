import { afterAll, afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type GatewayProcess, startGateway } from "./gateway-process.ts";
import { fill, mountSmallDisk } from "./storage-outages.ts";

setDefaultTimeout(30_000);

const ROOT = join(import.meta.dir, "..", "..");
const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "bccf-log-"));
  cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

async function startLogging(dataDir: string): Promise<GatewayProcess> {
  const env = { LOG_FILE: "gateway.log", LOG_LEVEL: "debug", LOG_FORMAT: "json" };
  const gateway = await startGateway({ dataDir, env });
  cleanups.push(() => gateway.stop());
  return gateway;
}

async function until(isSo: () => boolean, doing: () => unknown = () => undefined): Promise<void> {
  for (let tries = 0; !isSo(); tries += 1) {
    if (tries > 500) throw new Error("it never came");
    await doing();
    await Bun.sleep(10);
  }
}

/** One refused request is one debug line. */
async function askAnything(url: string, key: string): Promise<number> {
  const headers = { "x-api-key": key, "content-type": "application/json" };
  const answer = await fetch(`${url}/v1/messages`, { method: "POST", headers, body: '{"model":"claude-sonnet-5"}' });
  await answer.arrayBuffer();
  return answer.status;
}

test("T-23.07 the log file of a running gateway: 0600, the same lines as stderr, opened anew by SIGHUP", async () => {
  const dataDir = temporaryDirectory();
  const path = join(dataDir, "gateway.log");
  const gateway = await startLogging(dataDir);
  const read = (name: string) => (existsSync(name) ? readFileSync(name, "utf8") : "");
  await askAnything(gateway.url, gateway.firstKey);
  await until(() => read(path).includes("\n"));
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const [line = ""] = read(path).split("\n");
  await until(() => gateway.output().includes(line));

  renameSync(path, `${path}.old`);
  gateway.signal("SIGHUP");
  await until(
    () => read(path).includes("\n"),
    () => askAnything(gateway.url, gateway.firstKey),
  );
  const oldSize = statSync(`${path}.old`).size;
  await askAnything(gateway.url, gateway.firstKey);
  expect(statSync(`${path}.old`).size).toBe(oldSize);
  expect(await gateway.stop()).toBe(0);
});

test("T-23.07 a log file that is a symbolic link stops the start", async () => {
  const dataDir = temporaryDirectory();
  const target = join(dataDir, "target");
  Bun.spawnSync(["ln", "-s", target, join(dataDir, "gateway.log")]);
  await expect(startLogging(dataDir)).rejects.toThrow(/ELOOP|symbolic/);
  expect(existsSync(target)).toBe(false);
});

/** A gateway whose stderr is a pipe of which nobody reads; its stdout tells where it listens. */
async function startUnread(stderr: "pipe" | "closed") {
  const dataDir = temporaryDirectory();
  const command = `exec "$0" src/main.ts start ${stderr === "closed" ? "2>&-" : ""}`;
  const child = Bun.spawn(["sh", "-c", command, process.execPath], {
    cwd: ROOT,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    env: {
      PATH: process.env["PATH"] ?? "",
      HOME: dataDir,
      BUN_CONFIG_MAX_HTTP_REQUESTS: "65535",
      BETTER_CCFLARE_DATA_DIR: dataDir,
      BETTER_CCFLARE_DRAIN_MS: "1000",
      LOG_LEVEL: "debug",
      PORT: "0",
    },
  });
  cleanups.push(() => child.kill("SIGKILL"));
  const reader = child.stdout.getReader();
  let said = "";
  while (!/ANTHROPIC_AUTH_TOKEN=\S+\s/.test(said)) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`it ended: ${said}`);
    said += Buffer.from(value).toString();
  }
  const url = /listens on (http:\/\/\S+)/.exec(said)?.[1] ?? "";
  return { child, url, key: /ANTHROPIC_AUTH_TOKEN=(\S+)/.exec(said)?.[1] ?? "" };
}

test.each(["pipe", "closed"] as const)(
  "T-23.10 stderr that nobody reads (%s) stalls nothing, and lets it stop",
  async (stderr) => {
    const { child, url, key } = await startUnread(stderr);
    // More than the 64 KiB that a pipe holds.
    let worstMs = 0;
    for (let at = 0; at < 500; at += 1) {
      const startMs = performance.now();
      await askAnything(url, key);
      worstMs = Math.max(worstMs, performance.now() - startMs);
    }
    expect(worstMs).toBeLessThan(2_000);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    child.kill("SIGTERM");
    expect(await child.exited).toBe(0);
  },
);

test("T-23.11 no signal and no bug makes the process write a report or a dump of itself", async () => {
  const directory = temporaryDirectory();
  const options = "--report-on-fatalerror --report-uncaught-exception --report-on-signal --heapsnapshot-signal=SIGUSR2";
  for (const signal of ["SIGUSR2", "SIGABRT"] as const) {
    const dataDir = join(directory, signal);
    const gateway = await startGateway({
      dataDir,
      env: { NODE_OPTIONS: `${options} --report-directory=${directory}` },
    });
    const { hostname, port } = new URL(gateway.url);
    connect(Number(port), hostname)
      .on("error", () => undefined)
      .destroy();
    gateway.signal(signal);
    await Promise.race([gateway.exited, Bun.sleep(300)]);
    gateway.signal("SIGKILL");
    await gateway.exited;
    const names = readdirSync(directory, { recursive: true, encoding: "utf8" });
    expect(names.filter((name) => /report|heapsnapshot|core|\.json$/.test(name))).toEqual([]);
  }
});

const DISK_BYTES = 1 << 20;
const disk = mountSmallDisk(DISK_BYTES);

afterAll(() => disk?.unmount());

test.skipIf(disk === null)(
  "T-23.08 a full disk under the log file costs lines, and no request (needs mount)",
  async () => {
    const path = join(disk?.path ?? "", "gateway.log");
    const gateway = await startGateway({ env: { LOG_FILE: path, LOG_LEVEL: "debug", LOG_FORMAT: "json" } });
    cleanups.push(() => gateway.stop());
    const { url, firstKey } = gateway;
    const lost = async () => {
      const metrics = await fetch(`${url}/metrics`, { headers: { "x-api-key": firstKey } });
      return Number(/^better_ccflare_log_dropped_total (\d+)$/m.exec(await metrics.text())?.[1]);
    };
    await askAnything(url, firstKey);
    await until(() => readFileSync(path, "utf8").includes("\n"));
    expect(await lost()).toBe(0);

    const filler = join(disk?.path ?? "", "filler");
    fill(filler);
    for (let at = 0; at < 200; at += 1) expect(await askAnything(url, firstKey)).toBe(503);
    expect(await lost()).toBeGreaterThan(0);

    rmSync(filler);
    const { length } = readFileSync(path, "utf8").split("\n");
    await until(
      () => readFileSync(path, "utf8").split("\n").length > length + 1,
      () => askAnything(url, firstKey),
    );
    // What the full disk cut off is a line of its own; every other one is whole.
    const broken = readFileSync(path, "utf8")
      .split("\n")
      .slice(0, -1)
      .filter((line) => !isJson(line));
    expect(broken.length).toBeLessThanOrEqual(1);
  },
);

function isJson(line: string): boolean {
  try {
    JSON.parse(line);
    return true;
  } catch {
    return line === "";
  }
}
