import { processCost } from "./process-cost.ts";
import type { Bench, Rig, System } from "./rig.ts";
import { inTurn, withRig } from "./rig.ts";
import type { Row } from "./row.ts";
import { row } from "./row.ts";
import type { Samples } from "./samples.ts";
import { medians, noSamples } from "./samples.ts";
import { runWrk, type WrkLoad, warmUp } from "./wrk.ts";

const SIZES = [
  { label: "1 KB", bodyBytes: 1024 },
  { label: "100 KB", bodyBytes: 102_400 },
];
const MAX_RATIO = 2.5;
const MIB = 1024 * 1024;

/** CPU per whole request, with governance on, against bare `proxy_pass`. */
export function plainScenario(bench: Bench): Promise<readonly Row[]> {
  return withRig(bench, { intervalMs: 1000, eventsPerStream: 1 }, async (rig) => {
    const rows: Row[] = [];
    for (const size of SIZES) rows.push(...(await measureSize(bench, rig, size)));
    return [...rows, rssRow(rig.systems)];
  });
}

type Size = (typeof SIZES)[number];
type Tally = { readonly cpu: Samples; readonly speed: Samples; failures: number };

async function measureSize(bench: Bench, rig: Rig, size: Size): Promise<readonly Row[]> {
  const tally: Tally = { cpu: noSamples(), speed: noSamples(), failures: 0 };
  for (const system of rig.systems) await warmUp(bench.yard, loadOf(system, size));
  for (let round = 0; round < bench.options.rounds; round += 1) {
    for (const system of inTurn(rig.systems, round)) {
      const result = await runWrk(bench.yard, { ...loadOf(system, size), seconds: bench.options.seconds });
      tally.cpu.get(system.name)?.push(result.cpuUsPerRequest);
      tally.speed.get(system.name)?.push(result.requestsPerSecond);
      tally.failures += result.failures;
      bench.say(`  ${size.label} ${system.name}: ${result.cpuUsPerRequest.toFixed(1)} us, ${result.requests} requests`);
    }
  }
  const problem = tally.failures === 0 ? null : `${tally.failures} requests failed`;
  return [
    row({
      name: `CPU per request, ${size.label} body`,
      unit: "us",
      ...medians(tally.cpu),
      limit: { kind: "ratioAtMost", value: MAX_RATIO },
      problem,
    }),
    row({ name: `requests, ${size.label} body, 32 connections`, unit: "1/s", ...medians(tally.speed) }),
  ];
}

function loadOf(system: System, { bodyBytes }: Size): Omit<WrkLoad, "seconds"> {
  return { port: system.plainPort, systemPid: system.pid, key: system.key, bodyBytes };
}

function rssRow(systems: readonly System[]): Row {
  const rss = new Map(systems.map((system) => [system.name, processCost(system.pid).rssBytes / MIB]));
  return row({
    name: "RSS after these requests",
    unit: "MiB",
    nginx: rss.get("nginx") ?? null,
    gateway: rss.get("gateway") ?? null,
  });
}
