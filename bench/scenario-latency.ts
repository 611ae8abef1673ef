import { percentileMs, runHealthyClient } from "./healthy-client.ts";
import type { Bench } from "./rig.ts";
import { withRig } from "./rig.ts";
import type { Row } from "./row.ts";
import { row } from "./row.ts";

const BLOCKS = 5;
const DROP_FIRST = 100;
const MAX_ADDED_P99_MS = 1;

type Way = {
  readonly name: "direct" | "nginx" | "gateway";
  readonly port: number;
  readonly key: string;
  readonly latenciesUs: number[];
};

/** What a request at an idle machine waits longer because something stands between it and upstream. */
export function latencyScenario(bench: Bench): Promise<readonly Row[]> {
  return withRig(bench, { intervalMs: 1000, eventsPerStream: 1 }, async (rig) => {
    const through: Way[] = rig.systems.map(({ name, plainPort, key }) => ({
      name,
      port: plainPort,
      key,
      latenciesUs: [],
    }));
    const direct: Way = { name: "direct", port: rig.peer.port, key: through[0]?.key ?? "", latenciesUs: [] };
    let failures = 0;
    // Block 0 warms up. Blocks are short and alternate, so that noise meets all three alike.
    for (let block = 0; block <= BLOCKS; block += 1) {
      for (const way of [direct, ...through]) {
        const result = await measure(bench, way);
        failures += result.failures;
        if (block > 0) way.latenciesUs.push(...result.latenciesUs);
      }
    }
    const problem = failures === 0 ? null : `${failures} requests failed`;
    return [addedRow({ direct, through, ratio: 0.5, problem }), addedRow({ direct, through, ratio: 0.99, problem })];
  });
}

function measure({ yard, options }: Bench, { port, key }: Way) {
  return runHealthyClient(yard, {
    port,
    key,
    requests: options.latencyRequests + DROP_FIRST,
    pauseMs: 0,
    dropFirst: DROP_FIRST,
  });
}

type Added = {
  readonly direct: Way;
  readonly through: readonly Way[];
  readonly ratio: number;
  readonly problem: string | null;
};

function addedRow({ direct, through, ratio, problem }: Added): Row {
  const directMs = percentileMs(direct.latenciesUs, ratio);
  const added = (name: Way["name"]) => {
    const way = through.find((one) => one.name === name);
    return way === undefined ? null : percentileMs(way.latenciesUs, ratio) - directMs;
  };
  return row({
    name: `added p${ratio * 100}, 1 connection`,
    unit: "ms",
    nginx: added("nginx"),
    gateway: added("gateway"),
    limit: ratio === 0.99 ? { kind: "valueAtMost", value: MAX_ADDED_P99_MS } : null,
    problem,
    note: `over direct: ${directMs.toFixed(3)} ms`,
  });
}
