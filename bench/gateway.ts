import { existsSync } from "node:fs";
import { join } from "node:path";
import { freePort, waitForAnswer } from "./loopback-port.ts";
import type { Spawned, Yard } from "./spawned.ts";
import { LOAD_CORE, SYSTEM_CORE } from "./spawned.ts";

const MAIN = join(import.meta.dir, "..", "src", "main.ts");
const READY_WAIT_MS = 20_000;
const CREDENTIAL = "sk-ant-api03-bench-not-a-real-key";

/** The governed gateway: key check, pool, metering and ledger are on, as an operator runs it. */
export type Gateway = {
  readonly process: Spawned;
  readonly port: number;
  /** A client key of this gateway, good for this run alone. */
  readonly key: string;
  readonly dataDir: string;
  /** From the last start of its process until /healthz answered. */
  readonly startMs: number;
};

export type GatewayOptions = {
  readonly upstreamPort: number;
  /** Runtime flags before the entry file, e.g. `--cpu-prof`. */
  readonly bunFlags?: readonly string[];
  /** Fills the data directory while the gateway is stopped, after its account and key were made. */
  readonly fill?: (dataDir: string) => void;
  /** Starts it once more behind the fill: what is done once with rows of an older version is not what is measured. */
  readonly isSettled?: boolean;
};

/** Null says why: the benchmark then shows nginx alone. */
export function whyNoGateway(): string | null {
  return existsSync(MAIN) ? null : `${MAIN} does not exist`;
}

export async function startGateway(yard: Yard, options: GatewayOptions): Promise<Gateway> {
  const place = { dataDir: yard.folder("gateway"), port: freePort(), bunFlags: options.bunFlags ?? [] };
  const first = await launch(yard, place);
  const env = environment(place);
  const baseUrl = `http://127.0.0.1:${options.upstreamPort}`;
  const account = [
    "account",
    "add",
    "bench",
    "--provider",
    "anthropic",
    "--base-url",
    baseUrl,
    "--key-stdin",
    "--json",
  ];
  await runCli(yard, { env, argv: account, stdin: CREDENTIAL });
  const unlimited = ["--requests-per-minute", "none", "--concurrency", "none"];
  const created = await runCli(yard, { env, argv: ["key", "create", "bench", "--json", ...unlimited], stdin: "" });
  const gateway = { ...first, port: place.port, key: textField(created, "key"), dataDir: place.dataDir };
  if (options.fill === undefined) return gateway;
  await first.process.stop();
  options.fill(place.dataDir);
  if (options.isSettled === true) await (await launch(yard, place)).process.stop();
  return { ...gateway, ...(await launch(yard, place)) };
}

type Place = { readonly dataDir: string; readonly port: number; readonly bunFlags: readonly string[] };

async function launch(yard: Yard, place: Place): Promise<Pick<Gateway, "process" | "startMs">> {
  const startedAtMs = performance.now();
  const argv = [Bun.argv[0] ?? "bun", ...place.bunFlags, MAIN, "start"];
  const process = yard.spawn({ name: "gateway", argv, core: SYSTEM_CORE, env: environment(place) });
  try {
    await waitForAnswer(`http://127.0.0.1:${place.port}/healthz`, READY_WAIT_MS);
  } catch (cause) {
    throw new Error(`Cannot start the gateway\n${process.errors()}`, { cause });
  }
  return { process, startMs: performance.now() - startedAtMs };
}

/** One call of the admin API through the gateway's own socket. @throws Error for a refusal */
async function callAdmin(gateway: Gateway, path: string, body: object): Promise<string> {
  const answer = await fetch(`http://localhost${path}`, {
    method: "POST",
    unix: join(gateway.dataDir, "control.sock"),
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`Cannot post to ${path}: status ${answer.status}, ${text.slice(0, 300)}`);
  return text;
}

export async function addAccount(gateway: Gateway, name: string, upstreamPort: number): Promise<void> {
  const baseUrl = `http://127.0.0.1:${upstreamPort}`;
  const body = { name, provider: "anthropic", baseUrl, credential: CREDENTIAL, credentialKind: "api_key" };
  await callAdmin(gateway, "/api/accounts", body);
}

function environment({ dataDir, port }: Pick<Place, "dataDir" | "port">): Record<string, string> {
  return {
    // Bun reads it before any code runs, so the launcher sets it, and so must whoever starts the entry file directly.
    BUN_CONFIG_MAX_HTTP_REQUESTS: "65535",
    PORT: String(port),
    BETTER_CCFLARE_DATA_DIR: dataDir,
    BETTER_CCFLARE_ALLOW_PRIVATE_UPSTREAMS: "1",
  };
}

type CliCall = { readonly env: Record<string, string>; readonly argv: readonly string[]; readonly stdin: string };

async function runCli(yard: Yard, { env, argv, stdin }: CliCall): Promise<string> {
  const cli = yard.spawn({ name: "cli", argv: [Bun.argv[0] ?? "bun", MAIN, ...argv], core: LOAD_CORE, env });
  cli.say(stdin);
  cli.endInput();
  const { exitCode, stdout } = await cli.finished();
  if (exitCode !== 0)
    throw new Error(`Cannot run ${argv.slice(0, 2).join(" ")}: exit code ${exitCode}\n${cli.errors()}`);
  return stdout;
}

function textField(json: string, name: string): string {
  const parsed: unknown = JSON.parse(json);
  const value: unknown = new Map(Object.entries(typeof parsed === "object" && parsed !== null ? parsed : {})).get(name);
  if (typeof value !== "string") throw new Error(`Cannot read "${name}" of the answer: it is not a text`);
  return value;
}
