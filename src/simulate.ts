import type { TraceResult } from "../sim/replay/table.ts";
import type { Trace } from "../sim/replay/trace.ts";
import type { Simulation, SimulationOrder } from "./cli/cli-io.ts";
import { epochMs } from "./kernel/time.ts";
import { poolOfLedger } from "./ledger-pool.ts";
import { sessionsOf } from "./ledger-sessions.ts";

/** Chance is the same in every run, so that two runs differ by what changed. */
const SEED = 1;

/** Replays an operator's ledger against the pool as it is now. Null when there is nothing to replay. */
export async function simulate(order: SimulationOrder): Promise<Simulation | null> {
  // Loaded here alone: a gateway that serves real accounts never runs a line of the simulator.
  const { idealOf } = await import("../sim/replay/ideal.ts");
  const { optimumOf } = await import("../sim/replay/optimum.ts");
  const { replay } = await import("../sim/replay/replay.ts");
  const { GATEWAY_DEFAULTS } = await import("../sim/replay/gateway-defaults.ts");
  const { jsonOf, textOf } = await import("../sim/replay/table.ts");

  const found = traceOfLedger(order);
  if (found === null) return null;
  const { trace, notes } = found;
  const ideal = idealOf(trace);
  const result: TraceResult = {
    trace,
    offeredTokens: ideal.workTokens,
    optimum: optimumOf(trace, ideal, GATEWAY_DEFAULTS.maxWaitMs),
    reports: order.strategies.map((strategy) => replay(trace, ideal, { strategy, seed: SEED })),
  };
  const data: unknown = JSON.parse(jsonOf([result]));
  return { text: textOf([result]), data: { notes, results: data }, notes };
}

function traceOfLedger({ accounts, requests, sinceMs }: SimulationOrder) {
  const sessions = sessionsOf(requests);
  const pool = poolOfLedger({ accounts, requests, sinceMs });
  if (sessions.length === 0 || pool.credentials.length === 0) return null;
  const replayed = sessions.reduce((sum, { turns }) => sum + turns.length, 0);
  const unknown = requests.length - replayed;
  const ends = requests.map(({ startedAt, timing }) => Date.parse(startedAt) + (timing.totalMs ?? 0));
  const trace: Trace = {
    name: "ledger",
    summary: `${replayed} requests, ${pool.credentials.length} accounts as they are now`,
    startMs: epochMs(sessions.reduce((least, { startMs }) => Math.min(least, startMs), Number.POSITIVE_INFINITY)),
    endMs: epochMs(ends.reduce((latest, end) => Math.max(latest, end), 0)),
    credentials: pool.credentials,
    storms: [],
    sessions,
  };
  const notes =
    unknown === 0 ? [] : [`${unknown} requests without usage are left out: what they asked for is not known`];
  return { trace, notes: [...notes, ...pool.notes] };
}
