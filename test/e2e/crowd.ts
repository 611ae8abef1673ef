import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export type CrowdMode = "slow-heads" | "slow-bodies" | "streams";

export type CrowdReport = {
  readonly open: number;
  readonly opened: number;
  /** Streams that were answered with another status than 200. */
  readonly refused: number;
  /** Connections that could not be made. */
  readonly failed: number;
  readonly closedByServer: number;
  readonly events: number;
  readonly bytes: number;
};

/** Connections held by processes of their own. */
export interface Crowd {
  report(): Promise<CrowdReport>;
  stop(): Promise<void>;
}

export type CrowdOptions = {
  readonly mode: CrowdMode;
  readonly port: number;
  readonly key: string;
  readonly connections: number;
};

const PER_PROCESS = 2_500;
const LINE_WAIT_MS = 120_000;

/** Resolves when every member has begun, or cannot. */
export async function gatherCrowd({ mode, port, key, connections }: CrowdOptions): Promise<Crowd> {
  const processes = Math.ceil(connections / PER_PROCESS);
  const members = Array.from({ length: processes }, (_, at) => {
    const share = Math.floor(connections / processes) + (at < connections % processes ? 1 : 0);
    return startMember([mode, String(port), key, String(share)]);
  });
  await Promise.all(members.map((member) => member.line()));
  return {
    async report() {
      for (const member of members) member.ask();
      const reports = await Promise.all(members.map((member) => member.line()));
      return reports.reduce(added);
    },
    async stop() {
      await Promise.all(members.map((member) => member.stop()));
    },
  };
}

function added(left: CrowdReport, right: CrowdReport): CrowdReport {
  return {
    open: left.open + right.open,
    opened: left.opened + right.opened,
    refused: left.refused + right.refused,
    failed: left.failed + right.failed,
    closedByServer: left.closedByServer + right.closedByServer,
    events: left.events + right.events,
    bytes: left.bytes + right.bytes,
  };
}

function startMember(args: readonly string[]) {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "crowd-client.ts"), ...args], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  const lines = linesOf(child.stdout);
  return {
    ask() {
      void child.stdin.write("report\n");
      void child.stdin.flush();
    },
    async line(): Promise<CrowdReport> {
      const timer = setTimeout(() => child.kill("SIGKILL"), LINE_WAIT_MS);
      const next = await lines.next();
      clearTimeout(timer);
      if (next.done === true) throw new Error("Cannot hear from the crowd: a process of it ended");
      return JSON.parse(next.value);
    },
    async stop() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, undefined> {
  const decoder = new TextDecoder();
  let pending = "";
  for await (const chunk of stream) {
    const parts = (pending + decoder.decode(chunk, { stream: true })).split("\n");
    pending = parts.pop() ?? "";
    yield* parts;
  }
  return undefined;
}

/** Resident memory of a process, in MiB. */
export function rssMib(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Math.round(Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN) / 1024);
}

/** Open descriptors of a process. */
export function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** A proxied stream takes two descriptors in the gateway: the operating system's hard limit decides how many fit. */
export function streamsThatFit(wanted: number): number {
  const SPARE = 200;
  const hard = Number(/^Max open files\s+\d+\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1] ?? 1024);
  return Math.min(wanted, Math.floor((hard - SPARE) / 2));
}
