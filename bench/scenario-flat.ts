import type { Gateway } from "./gateway.ts";
import { addAccount, callAdmin, startGateway, whyNoGateway } from "./gateway.ts";
import { seedLedger } from "./ledger-seed.ts";
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
const FILL_BUDGET_MS = 240_000;
const PARALLEL_CALLS = 8;

/** Makes the gateway big, and says how big it got within the time. */
type Fill = { readonly what: string; readonly fill: (gateway: Gateway) => Promise<number> };

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
  const fills: readonly Fill[] = [
    {
      what: "accounts",
      fill: (gateway) => repeat(manyAccounts, (at) => addAccount(gateway, `account-${at}`, peer.port)),
    },
    {
      what: "keys",
      fill: (gateway) => repeat(manyKeys, (at) => callAdmin(gateway, "/api/keys", { name: `key-${at}` })),
    },
    { what: "ledger rows", fill: async (gateway) => seedLedger(gateway.dataDir, manyRows) },
  ];
  const rows: Row[] = [];
  try {
    for (const fill of fills) rows.push(await compare(bench, peer.port, fill));
  } finally {
    await peer.process.stop();
  }
  return rows;
}

async function compare(bench: Bench, upstreamPort: number, { what, fill }: Fill): Promise<Row> {
  const small = await startGateway(bench.yard, { upstreamPort });
  const big = await startGateway(bench.yard, { upstreamPort });
  try {
    const startedAtMs = performance.now();
    const reached = await fill(big);
    bench.say(`  ${reached} ${what} in ${((performance.now() - startedAtMs) / 1000).toFixed(0)} s`);
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
      name: `CPU per request, ${reached} ${what} over a fresh gateway`,
      unit: "x",
      gateway: pairedRatio(costs.small, costs.big),
      limit: { kind: "valueAtMost", value: MAX_GROWTH_RATIO },
      problem: costs.failures === 0 ? null : `${costs.failures} requests failed`,
      note: `${median(costs.small).toFixed(1)} us fresh, ${median(costs.big).toFixed(1)} us with ${reached} ${what}`,
    });
  } finally {
    await big.process.stop();
    await small.process.stop();
  }
}

function loadOf({ process, port, key }: Gateway): Omit<WrkLoad, "seconds"> {
  return { port, systemPid: process.pid, key, bodyBytes: BODY_BYTES };
}

/** Calls `act` for 0, 1 ... until `count` or until the time is over. Gives the number of calls. */
async function repeat(count: number, act: (at: number) => Promise<unknown>): Promise<number> {
  const endsAtMs = performance.now() + FILL_BUDGET_MS;
  let next = 0;
  const work = async () => {
    while (next < count && performance.now() < endsAtMs) {
      const at = next;
      next += 1;
      await act(at);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL_CALLS }, work));
  return next;
}
