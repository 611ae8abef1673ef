import { join } from "node:path";
import type { HealthyResult } from "./healthy-client.ts";
import { percentileMs, runHealthyClient } from "./healthy-client.ts";
import { reportedNumbers } from "./number-flags.ts";
import { isAlive, processCost } from "./process-cost.ts";
import type { Bench, System } from "./rig.ts";
import { withRig } from "./rig.ts";
import type { Row } from "./row.ts";
import { row } from "./row.ts";
import { MAX_HEALTHY_P99_MS } from "./scenario-held.ts";
import { LOAD_CORE } from "./spawned.ts";

const PARTS = ["headers", "body"] as const;
type Part = (typeof PARTS)[number];

const OPENING = 100;
const LINE_MS = 3_000;
/** About 15 s: longer than a header deadline, so that the closing of all of them falls into the measurement. */
const HEALTHY = { requests: 1000, pauseMs: 15, dropFirst: 20 };
const REPORT = ["open", "peakOpen", "opened", "closedByServer", "failed", "longestMs"] as const;
const MIB = 1024 * 1024;

type Slowed = {
  readonly report: Readonly<Record<(typeof REPORT)[number], number>>;
  readonly healthy: HealthyResult;
  readonly rssMib: number;
  readonly isAlive: boolean;
};

/** Connections whose request never gets complete, and a healthy client beside them. */
export function slowScenario(bench: Bench): Promise<readonly Row[]> {
  return withRig(bench, { intervalMs: 1000, eventsPerStream: 1 }, async (rig) => {
    const rows: Row[] = [];
    for (const part of PARTS) {
      const slowed = new Map<System["name"], Slowed>();
      for (const system of rig.systems) slowed.set(system.name, await attack(bench, system, part));
      rows.push(...rowsOf(part, bench.options.slowConnections, slowed));
    }
    return rows;
  });
}

async function attack({ yard, options, say }: Bench, system: System, part: Part): Promise<Slowed> {
  const flags = {
    port: system.plainPort,
    key: system.key,
    connections: options.slowConnections,
    opening: OPENING,
    "line-ms": LINE_MS,
    part,
  };
  const argv = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const client = yard.spawn({
    name: "client-slow",
    argv: [Bun.argv[0] ?? "bun", join(import.meta.dir, "client-slow.ts"), ...argv],
    core: LOAD_CORE,
  });
  try {
    const first = reportedNumbers(await client.line(), REPORT);
    say(`  ${system.name}: ${first.open} connections with slow ${part}`);
    const healthy = await runHealthyClient(yard, { ...HEALTHY, port: system.plainPort, key: system.key });
    client.say("report");
    const report = reportedNumbers(await client.line(), REPORT);
    return { report, healthy, rssMib: processCost(system.pid).rssBytes / MIB, isAlive: isAlive(system.pid) };
  } finally {
    await client.stop();
  }
}

function rowsOf(part: Part, connections: number, slowed: ReadonlyMap<System["name"], Slowed>): readonly Row[] {
  const [nginx, gateway] = [slowed.get("nginx"), slowed.get("gateway")];
  const figures = (pick: (one: Slowed) => number): Pick<Row, "nginx" | "gateway"> => ({
    nginx: nginx === undefined ? null : pick(nginx),
    gateway: gateway === undefined ? null : pick(gateway),
  });
  const beside = `beside ${connections} slow ${part}`;
  const closed = gateway?.report.closedByServer ?? 0;
  const longest = ((gateway?.report.longestMs ?? 0) / 1000).toFixed(1);
  return [
    row({
      name: `p50 of a healthy client ${beside}`,
      unit: "ms",
      ...figures((one) => percentileMs(one.healthy.latenciesUs, 0.5)),
    }),
    row({
      name: `p99 of a healthy client ${beside}`,
      unit: "ms",
      ...figures((one) => percentileMs(one.healthy.latenciesUs, 0.99)),
      limit: { kind: "valueAtMost", value: MAX_HEALTHY_P99_MS },
      problem: problemOf(gateway),
    }),
    row({
      name: `slow ${part} open at the peak`,
      unit: "conns",
      ...figures((one) => one.report.peakOpen),
      note: gateway === undefined ? "" : `the gateway closed ${closed}, after at most ${longest} s`,
    }),
    row({ name: `RSS ${beside}`, unit: "MiB", ...figures((one) => one.rssMib) }),
  ];
}

function problemOf(slowed: Slowed | undefined): string | null {
  if (slowed === undefined) return null;
  if (!slowed.isAlive) return "the gateway died";
  return slowed.healthy.failures === 0 ? null : `${slowed.healthy.failures} requests of the healthy client failed`;
}
