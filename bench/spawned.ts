import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The system under test has a core of its own; load, upstream and the benchmark itself share the other one. */
export const SYSTEM_CORE = 0;
export const LOAD_CORE = 1;

const STOP_WAIT_MS = 5_000;
const LINE_WAIT_MS = 60_000;

export type SpawnOptions = {
  readonly name: string;
  readonly argv: readonly string[];
  readonly core: number;
  readonly env?: Readonly<Record<string, string>>;
};

/** A child process that talks in lines. Its stderr goes to a file in the yard's folder. */
export interface Spawned {
  readonly pid: number;
  /** The next line of stdout. @throws Error when the process ends, or is silent for a minute */
  line(): Promise<string>;
  say(line: string): void;
  /** Closes the child's stdin: the load clients end then. */
  endInput(): void;
  /** SIGTERM, then SIGKILL after 5 s. Idempotent. */
  stop(): Promise<void>;
  /** All of stdout that `line` did not take, once the process has ended by itself. */
  finished(): Promise<{ readonly exitCode: number; readonly stdout: string }>;
  errors(): string;
}

/** Owns every process and file of one run. */
export interface Yard {
  readonly dir: string;
  folder(name: string): string;
  spawn(options: SpawnOptions): Spawned;
  /** Ends what is still running and removes the folder. */
  close(): Promise<void>;
}

export function createYard(): Yard {
  const dir = mkdtempSync(join(tmpdir(), "ccflare-bench-"));
  const children: Spawned[] = [];
  let serial = 0;
  return {
    dir,
    folder(name) {
      serial += 1;
      const path = join(dir, `${serial}-${name}`);
      mkdirSync(path, { mode: 0o700 });
      return path;
    },
    spawn(options) {
      serial += 1;
      const child = spawnPinned({ ...options, home: dir }, join(dir, `${serial}-${options.name}.stderr`));
      children.push(child);
      return child;
    },
    async close() {
      for (const child of children.toReversed()) await child.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function spawnPinned(options: SpawnOptions & { readonly home: string }, stderrPath: string): Spawned {
  const child = Bun.spawn(["taskset", "-c", String(options.core), ...options.argv], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: openSync(stderrPath, "a", 0o600),
    // Nothing of the operator's own settings or credentials reaches a system under test.
    env: { PATH: Bun.env["PATH"] ?? "/usr/bin:/bin:/usr/sbin", HOME: options.home, ...options.env },
  });
  const lines = readLines(child.stdout);
  const errors = () => readFileSync(stderrPath, "utf8").slice(-4_000);
  return {
    pid: child.pid,
    async line() {
      const next = await withDeadline(lines.next(), LINE_WAIT_MS, `${options.name} to print a line`);
      if (next.done === true) throw new Error(`Cannot go on with ${options.name}: it ended early\n${errors()}`);
      return next.value;
    },
    say(line) {
      void child.stdin.write(`${line}\n`);
      void child.stdin.flush();
    },
    endInput() {
      void child.stdin.end();
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGTERM");
      const killer = setTimeout(() => child.kill("SIGKILL"), STOP_WAIT_MS);
      await child.exited;
      clearTimeout(killer);
    },
    async finished() {
      const rest: string[] = [];
      for await (const line of lines) rest.push(line);
      return { exitCode: await child.exited, stdout: rest.join("\n") };
    },
    errors,
  };
}

async function* readLines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, undefined> {
  const decoder = new TextDecoder();
  let pending = "";
  for await (const chunk of stream) {
    const parts = (pending + decoder.decode(chunk, { stream: true })).split("\n");
    pending = parts.pop() ?? "";
    yield* parts;
  }
  if (pending !== "") yield pending;
  return undefined;
}

/** @throws Error that names `what` when it takes longer */
export async function withDeadline<Value>(work: Promise<Value>, waitMs: number, what: string): Promise<Value> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`Cannot wait for ${what}: ${waitMs} ms are over`)), waitMs);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}
