import type { HealthyResult } from "./healthy-client.ts";
import { percentileMs, runHealthyClient } from "./healthy-client.ts";
import { descriptorLimit, isAlive, processCost } from "./process-cost.ts";
import type { Bench, System } from "./rig.ts";
import { withRig } from "./rig.ts";
import type { Row } from "./row.ts";
import { row } from "./row.ts";
import type { StreamReport } from "./stream-client.ts";
import { openStreams } from "./stream-client.ts";

const INTERVAL_MS = 3_000;
const EVENTS_PER_STREAM = 1_000;
const OPENING = 100;
const SPARE_DESCRIPTORS = 200;
const HEALTHY = { requests: 600, pauseMs: 10, dropFirst: 20 };
/** message_start, content_block_start and, within the time, at least one delta. */
const LEAST_EVENTS = 3;
const MAX_RSS_MIB = 700;
export const MAX_HEALTHY_P99_MS = 500;
const MIB = 1024 * 1024;

type Held = {
  readonly streams: StreamReport;
  readonly rssMib: number;
  readonly healthy: HealthyResult;
  readonly isAlive: boolean;
};

/** Many quiet streams at once, and a healthy client beside them. */
export function heldScenario(bench: Bench): Promise<readonly Row[]> {
  const { streams, note } = streamsThatFit(bench.options.heldStreams, descriptorLimit());
  return withRig(bench, { intervalMs: INTERVAL_MS, eventsPerStream: EVENTS_PER_STREAM }, async (rig) => {
    const held = new Map<System["name"], Held>();
    for (const system of rig.systems) held.set(system.name, await hold(bench, system, streams));
    const figures = (pick: (one: Held) => number): Pick<Row, "nginx" | "gateway"> => {
      const [nginx, gateway] = [held.get("nginx"), held.get("gateway")];
      return { nginx: nginx === undefined ? null : pick(nginx), gateway: gateway === undefined ? null : pick(gateway) };
    };
    const problem = problemOf(held.get("gateway"));
    return [
      row({
        name: "open streams held",
        unit: "streams",
        ...figures((one) => one.streams.open),
        limit: { kind: "valueAtLeast", value: streams },
        problem,
        note,
      }),
      row({
        name: `RSS with ${streams} open streams`,
        unit: "MiB",
        ...figures((one) => one.rssMib),
        limit: { kind: "valueAtMost", value: MAX_RSS_MIB },
      }),
      row({
        name: "p50 of a healthy client beside them",
        unit: "ms",
        ...figures((one) => percentileMs(one.healthy.latenciesUs, 0.5)),
      }),
      row({
        name: "p99 of a healthy client beside them",
        unit: "ms",
        ...figures((one) => percentileMs(one.healthy.latenciesUs, 0.99)),
        limit: { kind: "valueAtMost", value: MAX_HEALTHY_P99_MS },
      }),
    ];
  });
}

async function hold({ yard, options, say }: Bench, system: System, streams: number): Promise<Held> {
  const client = await openStreams(yard, { port: system.streamPort, key: system.key, streams, opening: OPENING });
  try {
    say(`  ${system.name}: ${client.first.open} of ${streams} streams open`);
    const requests = Math.min(HEALTHY.requests, options.latencyRequests);
    const healthy = await runHealthyClient(yard, { ...HEALTHY, requests, port: system.plainPort, key: system.key });
    // The last stream has to see one event too.
    await Bun.sleep(INTERVAL_MS);
    const report = await client.report();
    return { streams: report, rssMib: processCost(system.pid).rssBytes / MIB, healthy, isAlive: isAlive(system.pid) };
  } finally {
    await client.process.stop();
  }
}

function problemOf(held: Held | undefined): string | null {
  if (held === undefined) return null;
  if (!held.isAlive) return "the gateway died";
  if (held.healthy.failures > 0) return `${held.healthy.failures} requests of the healthy client failed`;
  if (held.streams.lost > 0) return `${held.streams.lost} streams were lost`;
  if (held.streams.lowestEvents < LEAST_EVENTS) return `a stream got ${held.streams.lowestEvents} events only`;
  return null;
}

/** A proxied stream takes two descriptors. The operating system's hard limit decides how many one process can have. */
export function streamsThatFit(
  wanted: number,
  descriptors: number,
): { readonly streams: number; readonly note: string } {
  const fit = Math.floor((descriptors - SPARE_DESCRIPTORS) / 2);
  if (fit >= wanted) return { streams: wanted, note: "" };
  return { streams: fit, note: `not ${wanted}: this machine allows ${descriptors} descriptors per process` };
}
