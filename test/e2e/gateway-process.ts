import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The product as an operator runs it: a process of its own, from source or, in CI, the compiled executable. */
export interface GatewayProcess {
  readonly url: string;
  readonly dataDir: string;
  readonly pid: number;
  /** The key that the first start printed. */
  readonly firstKey: string;
  /** Everything printed so far, stdout and stderr. */
  output(): string;
  cli(args: readonly string[], stdin?: string): Promise<CliResult>;
  /** `cli` with --json, parsed; throws when the exit code is not 0. */
  json<Value>(args: readonly string[], stdin?: string): Promise<Value>;
  addAccount(name: string, options: AddAccountOptions): Promise<void>;
  createKey(name: string): Promise<{ readonly id: string; readonly key: string }>;
  requests(limit?: number): Promise<readonly LedgerLine[]>;
  signal(name: NodeJS.Signals): void;
  /** Resolves with the exit code; null when a signal ended it. */
  readonly exited: Promise<number | null>;
  /** SIGTERM, waits for the exit, and removes the data directory unless it was given. */
  stop(): Promise<number | null>;
}

export type AddAccountOptions = {
  readonly baseUrl: string;
  readonly credential: string;
  readonly priority?: number;
  readonly organization?: string;
  readonly kind?: "key" | "bearer";
};

export type CliResult = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

/** `requests --json`, the fields that tests read (design.md section 7). */
export type LedgerLine = {
  readonly id: string;
  readonly status: number | null;
  readonly outcome: string;
  readonly account: string | null;
  readonly clientKey: string;
  readonly model: string | null;
  readonly stream: boolean;
  readonly attempts: number;
  readonly errorType: string | null;
  readonly usage: Readonly<Record<string, number | null>> | null;
  readonly timing: {
    readonly queueMs: number | null;
    readonly firstByteMs: number | null;
    readonly totalMs: number | null;
  };
};

export type GatewayOptions = {
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  /** Reuse a data directory, for restarts. It is not removed at the end. */
  readonly dataDir?: string;
};

const ROOT = join(import.meta.dir, "..", "..");
const START_MS = 20_000;

function command(): readonly string[] {
  const executable = process.env["BETTER_CCFLARE_EXECUTABLE"];
  return executable === undefined || executable === ""
    ? [process.execPath, join(ROOT, "src", "main.ts")]
    : [executable];
}

export async function startGateway(options: GatewayOptions = {}): Promise<GatewayProcess> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), "bccf-e2e-"));
  const env = {
    PATH: process.env["PATH"] ?? "",
    HOME: dataDir,
    // Bun keeps what it compiled under HOME: not in the data directory, whose contents tests look at.
    BUN_RUNTIME_TRANSPILER_CACHE_PATH: join(ROOT, ".cache", "transpiled"),
    BUN_CONFIG_MAX_HTTP_REQUESTS: "65535",
    BETTER_CCFLARE_DATA_DIR: dataDir,
    BETTER_CCFLARE_ALLOW_PRIVATE_UPSTREAMS: "1",
    RETRY_DELAY_MS: "10",
    PORT: "0",
    // As the raw clients of the tests name it.
    BETTER_CCFLARE_ALLOWED_HOSTS: "gateway",
    ...options.env,
  };
  const child = Bun.spawn([...command(), "start", ...(options.args ?? [])], {
    env,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  let text = "";
  const listening = Promise.withResolvers<string>();
  const collect = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      text += decoder.decode(chunk, { stream: true });
      const found = /listens on (https?:\/\/\S+)/.exec(text);
      if (found?.[1] !== undefined) listening.resolve(found[1]);
    }
  };
  const collected = Promise.all([collect(child.stdout), collect(child.stderr)]);
  const exited = child.exited.then(async () => {
    await collected;
    listening.reject(new Error(`Cannot start the gateway: it exited with ${child.exitCode}\n${text}`));
    return child.exitCode;
  });
  const timer = setTimeout(() => listening.reject(new Error(`Cannot start the gateway in time\n${text}`)), START_MS);
  // A failure before anybody awaits must not count as unhandled.
  listening.promise.catch(() => undefined);
  const url = await listening.promise.finally(() => clearTimeout(timer));
  const cli = (args: readonly string[], stdin?: string) => runCli(args, env, stdin);
  const gateway: GatewayProcess = {
    url,
    dataDir,
    pid: child.pid,
    get firstKey() {
      return /ANTHROPIC_AUTH_TOKEN=(\S+)/.exec(text)?.[1] ?? "";
    },
    output: () => text,
    cli,
    async json<Value>(args: readonly string[], stdin?: string): Promise<Value> {
      const result = await cli([...args, "--json"], stdin);
      if (result.code !== 0) {
        throw new Error(`Cannot run ${args.join(" ")}: exit ${result.code}\n${result.stderr}`);
      }
      return JSON.parse(result.stdout);
    },
    async addAccount(name, { baseUrl, credential, priority, organization, kind = "key" }) {
      await gateway.json(
        [
          ...["account", "add", name, "--base-url", baseUrl, `--${kind}-stdin`],
          ...(priority === undefined ? [] : ["--priority", String(priority)]),
          ...(organization === undefined ? [] : ["--organization", organization]),
        ],
        credential,
      );
    },
    createKey: (name) =>
      gateway.json(["key", "create", name, "--requests-per-minute", "none", "--concurrency", "none"]),
    requests: (limit = 100) => gateway.json(["requests", "--limit", String(limit)]),
    signal: (name) => child.kill(name),
    exited,
    async stop() {
      child.kill("SIGTERM");
      const code = await exited;
      if (options.dataDir === undefined) rmSync(dataDir, { recursive: true, force: true });
      return code;
    },
  };
  return gateway;
}

export async function runCli(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  stdin?: string,
): Promise<CliResult> {
  const child = Bun.spawn([...command(), ...args], {
    env: { ...env },
    stdin: stdin === undefined ? "ignore" : new TextEncoder().encode(stdin),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  await child.exited;
  return { code: child.exitCode, stdout, stderr };
}
