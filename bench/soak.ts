/**
 * Runs mixed traffic with 40 % aborted streams through the gateway and prints its memory over time.
 *
 *   bun bench/soak.ts [--seconds 600]
 *
 * Exit code 1: memory grows, requests fail, or connections stay open after the load has ended.
 */
import { join } from "node:path";
import { startGateway, whyNoGateway } from "./gateway.ts";
import { numberFlag, reportedNumbers } from "./number-flags.ts";
import { startPeer } from "./peer-process.ts";
import { openDescriptors, processCost } from "./process-cost.ts";
import type { SoakPoint } from "./soak-verdict.ts";
import { judgeSoak } from "./soak-verdict.ts";
import type { Spawned, Yard } from "./spawned.ts";
import { createYard, LOAD_CORE } from "./spawned.ts";

const DEFAULT_SECONDS = 600;
const MAX_SECONDS = 86_400;
const READ_EVERY_SECONDS = 10;
const PACE = { intervalMs: 5, eventsPerStream: 200 };
const WORKERS = { plain: 4, streams: 60 };
const SEED = 42;
/** Idle connections that may be left after the load: kept upstream connections, which are bounded. */
const MAX_LEFT_DESCRIPTORS = 100;
const SETTLE_MS = 3_000;
const REPORT = ["plain", "completed", "aborted", "failed"] as const;
const MIB = 1024 * 1024;

type SoakReport = Readonly<Record<(typeof REPORT)[number], number>>;

async function soak(yard: Yard, seconds: number): Promise<number> {
  const peer = await startPeer(yard, PACE);
  const gateway = await startGateway(yard, { upstreamPort: peer.port });
  const idleDescriptors = openDescriptors(gateway.process.pid);
  const flags = { port: gateway.port, key: gateway.key, ...WORKERS, events: PACE.eventsPerStream, seed: SEED };
  const client = yard.spawn({
    name: "client-soak",
    argv: [
      Bun.argv[0] ?? "bun",
      join(import.meta.dir, "client-soak.ts"),
      ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)]),
    ],
    core: LOAD_CORE,
  });
  print(["SECONDS", "RSS MiB", "HEAP MiB", "FDS", "CPU %", "PLAIN", "COMPLETED", "ABORTED", "FAILED"]);
  const points = await watch({ client, pid: gateway.process.pid, port: gateway.port, seconds });
  const last = await ask(client, "stop");
  await Bun.sleep(SETTLE_MS);
  const left = openDescriptors(gateway.process.pid) - idleDescriptors;
  const verdict = judgeSoak(points);
  const abortedRatio = last.aborted / Math.max(1, last.aborted + last.completed);
  process.stdout.write(
    `\n${verdict.text} (${verdict.mibPerHour.toFixed(0)} MiB per hour)\n` +
      `${(abortedRatio * 100).toFixed(0)} % of ${last.aborted + last.completed} streams were aborted, ${last.failed} requests failed\n` +
      `${left} descriptors are left open after the load, at most ${MAX_LEFT_DESCRIPTORS} may be\n`,
  );
  const isPassed = verdict.isFlat && last.failed === 0 && left <= MAX_LEFT_DESCRIPTORS;
  process.stdout.write(`${isPassed ? "PASS" : "FAIL"}\n`);
  return isPassed ? 0 : 1;
}

type Watched = { readonly client: Spawned; readonly pid: number; readonly port: number; readonly seconds: number };

async function watch({ client, pid, port, seconds }: Watched): Promise<readonly SoakPoint[]> {
  const points: SoakPoint[] = [];
  const startedAtMs = performance.now();
  let lastCpuUs = processCost(pid).cpuUs;
  for (let at = READ_EVERY_SECONDS; at <= seconds; at += READ_EVERY_SECONDS) {
    await Bun.sleep(Math.max(0, startedAtMs + at * 1000 - performance.now()));
    const cost = processCost(pid);
    const point = { seconds: at, rssMib: cost.rssBytes / MIB, descriptors: openDescriptors(pid) };
    points.push(point);
    const cpuPercent = (cost.cpuUs - lastCpuUs) / (READ_EVERY_SECONDS * 10_000);
    lastCpuUs = cost.cpuUs;
    const { plain, completed, aborted, failed } = await ask(client, "report");
    const figures = [point.rssMib.toFixed(1), await heapMib(port), point.descriptors, cpuPercent.toFixed(0)];
    print([at, ...figures, plain, completed, aborted, failed]);
  }
  return points;
}

async function ask(client: Spawned, question: "report" | "stop"): Promise<SoakReport> {
  client.say(question);
  return reportedNumbers(await client.line(), REPORT);
}

/** From the gateway's own metrics; "-" while it does not tell. */
async function heapMib(port: number): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
  const text = await answer.text();
  const bytes = /^(?:nodejs_heap_size_used_bytes|process_heap_bytes) ([\d.e+]+)$/mu.exec(text)?.[1];
  return bytes === undefined ? "-" : (Number(bytes) / MIB).toFixed(1);
}

function print(cells: readonly (string | number)[]): void {
  process.stdout.write(`${cells.map((cell) => String(cell).padStart(9)).join(" ")}\n`);
}

const missing = whyNoGateway();
if (missing !== null) throw new Error(`Cannot soak the gateway: ${missing}`);
const seconds = process.argv.includes("--seconds") ? numberFlag(process.argv, "seconds") : DEFAULT_SECONDS;
if (seconds > MAX_SECONDS) throw new Error(`Cannot soak for ${seconds} s: at most ${MAX_SECONDS} s`);
const yard = createYard();
process.once("SIGINT", () => void yard.close().then(() => process.exit(130)));
let exitCode = 1;
try {
  exitCode = await soak(yard, seconds);
} finally {
  await yard.close();
}
process.exit(exitCode);
