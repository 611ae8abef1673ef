import { seedKeys, seedLedger } from "./database-seed.ts";
import type { Gateway } from "./gateway.ts";
import { addAccount, startGateway, whyNoGateway } from "./gateway.ts";
import { startPeer } from "./peer-process.ts";
import { median } from "./percentile.ts";
import type { Bench } from "./rig.ts";
import type { Row } from "./row.ts";
import { row } from "./row.ts";
import { pairedRatio } from "./samples.ts";
import { runWrk, type WrkLoad, warmUp } from "./wrk.ts";

const BODY_BYTES = 1024;
/** "Flat", with room for the noise of a machine that does other work too. */
const MAX_GROWTH_RATIO = 1.15;
const PARALLEL_CALLS = 8;

/** Makes the gateway big, before it starts or through its own door. */
type Growth = {
  readonly what: string;
  readonly count: number;
  readonly fill?: (dataDir: string) => void;
  readonly add?: (gateway: Gateway) => Promise<void>;
};

/** CPU per request of a big gateway against a fresh one, measured in turn. */
export async function flatScenario(bench: Bench): Promise<readonly Row[]> {
  const missing = whyNoGateway();
  if (missing !== null)
    return [
      row({
        name: "cost stays flat",
        unit: "x",
        limit: { kind: "valueAtMost", value: MAX_GROWTH_RATIO },
        note: missing,
      }),
    ];
  const { manyAccounts, manyKeys, manyRows } = bench.options;
  const peer = await startPeer(bench.yard, { intervalMs: 1000, eventsPerStream: 1 });
  const growths: readonly Growth[] = [
    { what: "accounts", count: manyAccounts, add: (gateway) => addAccounts(gateway, manyAccounts, peer.port) },
    { what: "keys", count: manyKeys, fill: (dataDir) => seedKeys(dataDir, manyKeys) },
    { what: "ledger rows", count: manyRows, fill: (dataDir) => seedLedger(dataDir, manyRows) },
  ];
  const rows: Row[] = [];
  try {
    for (const growth of growths) rows.push(await compare(bench, peer.port, growth));
  } finally {
    await peer.process.stop();
  }
  return rows;
}

async function compare(bench: Bench, upstreamPort: number, { what, count, fill, add }: Growth): Promise<Row> {
  const small = await startGateway(bench.yard, { upstreamPort });
  const big = await startGateway(bench.yard, fill === undefined ? { upstreamPort } : { upstreamPort, fill });
  try {
    await add?.(big);
    bench.say(`  ${count} ${what} are there`);
    for (const gateway of [small, big]) await warmUp(bench.yard, loadOf(gateway));
    const costs = { small: [] as number[], big: [] as number[], failures: 0 };
    for (let round = 0; round < bench.options.rounds; round += 1) {
      for (const size of round % 2 === 0 ? (["small", "big"] as const) : (["big", "small"] as const)) {
        const load = loadOf(size === "small" ? small : big);
        const result = await runWrk(bench.yard, { ...load, seconds: bench.options.seconds });
        costs[size].push(result.cpuUsPerRequest);
        costs.failures += result.failures;
      }
    }
    return row({
      name: `CPU per request, ${count} ${what} over a fresh gateway`,
      unit: "x",
      gateway: pairedRatio(costs.small, costs.big),
      limit: { kind: "valueAtMost", value: MAX_GROWTH_RATIO },
      problem: costs.failures === 0 ? null : `${costs.failures} requests failed`,
      note: `${median(costs.small).toFixed(1)} us fresh, ${median(costs.big).toFixed(1)} us with ${count} ${what}`,
    });
  } finally {
    await big.process.stop();
    await small.process.stop();
  }
}

function loadOf({ process, port, key }: Gateway): Omit<WrkLoad, "seconds"> {
  return { port, systemPid: process.pid, key, bodyBytes: BODY_BYTES };
}

async function addAccounts(gateway: Gateway, count: number, upstreamPort: number): Promise<void> {
  const names = Array.from({ length: count }, (_, at) => `account-${at}`).values();
  const work = async () => {
    for (const name of names) await addAccount(gateway, name, upstreamPort);
  };
  await Promise.all(Array.from({ length: PARALLEL_CALLS }, work));
}
