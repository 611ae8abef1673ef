import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHash } from "node:crypto";
import { existsSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startSimulator } from "../../sim/simulator.ts";
import { type GatewayOptions, runCli, startGateway } from "./gateway-process.ts";

setDefaultTimeout(20_000);

const EXECUTABLE = process.env["BETTER_CCFLARE_EXECUTABLE"] ?? "";
const KEY = Buffer.from(Array.from({ length: 32 }, (_, at) => at * 7 + 3)).toString("base64");
const OTHER_KEY = Buffer.from(Array.from({ length: 32 }, (_, at) => at * 5 + 1)).toString("base64");

const root = mkdtempSync(join(tmpdir(), "bccf-refused-"));
let directories = 0;
afterAll(() => rmSync(root, { recursive: true, force: true }));

function freshDirectory(): string {
  directories += 1;
  return join(root, String(directories));
}

/** Exit code and output of a start that must not succeed. */
async function refusedStart(options: GatewayOptions): Promise<{ readonly code: number; readonly output: string }> {
  let message = "";
  try {
    const gateway = await startGateway(options);
    await gateway.stop();
  } catch (failure) {
    message = failure instanceof Error ? failure.message : String(failure);
  }
  const [, code, output] = /exited with (\d+)\n(.*)$/s.exec(message) ?? [];
  if (code === undefined || output === undefined) throw new Error(`Cannot see a refusal: ${message}`);
  return { code: Number(code), output };
}

/** Content and time of every file below. */
function fingerprint(directory: string): readonly string[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .toSorted()
    .map((name) => {
      const stats = lstatSync(join(directory, name));
      const content = stats.isFile() ? readFileSync(join(directory, name)) : "";
      return `${name} ${stats.isFile() ? stats.mtimeMs : ""} ${createHash("sha256").update(content).digest("hex")}`;
    });
}

test("a second process on the same data directory is refused and leaves the first one alone", async () => {
  const dataDir = freshDirectory();
  const first = await startGateway({ dataDir });
  const { code, output } = await refusedStart({ dataDir });
  expect(code).toBe(1);
  expect(output).toContain(`Cannot open ${dataDir}: another process is using it`);
  expect(output).not.toContain("listens on");
  expect((await fetch(`${first.url}/readyz`)).status).toBe(200);
  expect((await first.cli(["account", "list"])).code).toBe(0);
  await first.stop();
});

test("a wrong master key is refused with exit 78, and nothing is written", async () => {
  const dataDir = freshDirectory();
  const simulator = await startSimulator();
  simulator.account("sk-sim-wrong-key");
  const right = await startGateway({ dataDir, env: { BETTER_CCFLARE_ENCRYPTION_KEY: KEY } });
  await right.addAccount("main", { baseUrl: simulator.url, credential: "sk-sim-wrong-key" });
  await right.stop();
  const before = fingerprint(dataDir);
  const { code, output } = await refusedStart({ dataDir, env: { BETTER_CCFLARE_ENCRYPTION_KEY: OTHER_KEY } });
  expect(code).toBe(78);
  expect(output).toContain("wrong master key");
  expect(output).not.toContain(KEY);
  expect(output).not.toContain(OTHER_KEY);
  expect(fingerprint(dataDir)).toEqual(before);
  const again = await startGateway({ dataDir, env: { BETTER_CCFLARE_ENCRYPTION_KEY: KEY } });
  expect((await again.cli(["account", "test", "main"])).code).toBe(0);
  await again.stop();
  await simulator.stop();
});

test("a master key file that is gone is not replaced by a fresh one", async () => {
  const dataDir = freshDirectory();
  await (await startGateway({ dataDir })).stop();
  rmSync(join(dataDir, "master.key"));
  const { code, output } = await refusedStart({ dataDir });
  expect(code).not.toBe(0);
  expect(output).toContain("put back the key that sealed this data");
  expect(existsSync(join(dataDir, "master.key"))).toBeFalse();
});

test("every mistake in the configuration is listed at once, and nothing is made", async () => {
  const dataDir = freshDirectory();
  const env = { PORT: "http", LOG_LEVEL: "loud", BETTER_CCFLARE_HOTS: "127.0.0.1", RETRY_ATTEMPTS: "0" };
  const { code, output } = await refusedStart({ dataDir, env });
  expect(code).toBe(2);
  expect(output).toContain("the configuration has 4 problems");
  for (const name of Object.keys(env)) expect(output).toContain(`Cannot use ${name}: `);
  expect(output).toContain("use BETTER_CCFLARE_HOST");
  expect(output.match(/fix: /g)).toHaveLength(4);
  expect(existsSync(dataDir)).toBeFalse();
});

test.each(["0.0.0.0", "::", "192.0.2.1"])("the host %s, which others can reach, is refused", async (host) => {
  const { code, output } = await refusedStart({ dataDir: freshDirectory(), args: ["--host", host] });
  expect(code).toBe(2);
  expect(output).toContain(`Cannot use --host: ${host} can be reached from other machines`);
  expect(output).toContain("reverse proxy with TLS");
});

test("a port that is taken is told in one sentence, and the directory is free for the next try", async () => {
  const taken = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } });
  const dataDir = freshDirectory();
  const { code, output } = await refusedStart({ dataDir, env: { PORT: String(taken.port) } });
  taken.stop(true);
  expect(code).toBe(1);
  expect(output).toMatch(new RegExp(`^Cannot listen on 127\\.0\\.0\\.1:${taken.port}: .*in use`, "m"));
  expect(output).not.toMatch(/^\s+at /m);
  const next = await startGateway({ dataDir });
  expect(next.firstKey).not.toBe("");
  await next.stop();
});

test.each([
  { argv: ["--prot", "1"], names: "--prot" },
  { argv: ["extra"], names: "extra" },
])("the command line $argv is refused with the usage", async ({ argv, names }) => {
  const { code, output } = await refusedStart({ dataDir: freshDirectory(), args: argv });
  expect(code).toBe(2);
  expect(output).toContain(names);
  expect(output).toContain("usage: better-ccflare start");
});

describe("without BUN_CONFIG_MAX_HTTP_REQUESTS", () => {
  const env = (dataDir: string) => ({
    PATH: process.env["PATH"] ?? "",
    // Bun keeps a cache of what it compiled there.
    HOME: root,
    BETTER_CCFLARE_DATA_DIR: dataDir,
    PORT: "0",
  });

  test.skipIf(EXECUTABLE !== "")("a start from source is refused and names it", async () => {
    const dataDir = freshDirectory();
    const { code, stderr } = await runCli(["start"], env(dataDir));
    expect(code).toBe(2);
    expect(stderr).toContain("Cannot use BUN_CONFIG_MAX_HTTP_REQUESTS: it is not set");
    expect(existsSync(dataDir)).toBeFalse();
  });

  test.skipIf(EXECUTABLE === "")("the executable starts itself again with it, as the same process", async () => {
    const child = Bun.spawn([EXECUTABLE, "start"], { env: env(freshDirectory()), stdout: "pipe", stderr: "inherit" });
    let output = "";
    for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
      output += chunk;
      if (output.includes("listens on ")) break;
    }
    expect(readFileSync(`/proc/${child.pid}/environ`, "utf8")).toContain("BUN_CONFIG_MAX_HTTP_REQUESTS=65535");
    child.kill("SIGTERM");
    expect(await child.exited).toBe(0);
  });
});

test("with ANTHROPIC_API_KEY set and no account, a start prints how to add it, and not the key", async () => {
  const canary = "sk-ant-api03-CANARY-in-the-environment";
  const gateway = await startGateway({ env: { ANTHROPIC_API_KEY: canary } });
  expect(gateway.output()).toContain('printf %s "$ANTHROPIC_API_KEY" | ');
  expect(gateway.output()).toContain("account add main --key-stdin");
  expect(await gateway.json<unknown[]>(["account", "list"])).toEqual([]);
  expect(gateway.output()).not.toContain("CANARY");
  await gateway.stop();
});

test("a data directory whose path no socket can have is refused, and the process ends", async () => {
  const { code, output } = await refusedStart({ dataDir: join(root, "x".repeat(120)) });
  expect(code).toBe(1);
  expect(output).toContain("a Unix socket path has at most");
});
