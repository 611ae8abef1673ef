/** The benchmark: nginx and the governed gateway in one run. @see README.md of this folder */

import { describeMachine } from "./machine.ts";
import type { BenchOptions, ScenarioName } from "./options.ts";
import { parseOptions } from "./options.ts";
import type { Bench } from "./rig.ts";
import type { Row } from "./row.ts";
import { printTable, row, verdictOf } from "./row.ts";
import { flatScenario } from "./scenario-flat.ts";
import { heldScenario } from "./scenario-held.ts";
import { keysScenario } from "./scenario-keys.ts";
import { latencyScenario } from "./scenario-latency.ts";
import { plainScenario } from "./scenario-plain.ts";
import { selectionScenario } from "./scenario-selection.ts";
import { slowScenario } from "./scenario-slow.ts";
import { sseScenario } from "./scenario-sse.ts";
import { createYard, LOAD_CORE } from "./spawned.ts";

const SCENARIOS: Readonly<Record<ScenarioName, (bench: Bench) => Promise<readonly Row[]>>> = {
  plain: plainScenario,
  latency: latencyScenario,
  sse: sseScenario,
  held: heldScenario,
  slow: slowScenario,
  flat: flatScenario,
  selection: selectionScenario,
  keys: keysScenario,
};

async function run(options: BenchOptions): Promise<readonly Row[]> {
  Bun.spawnSync(["taskset", "-cp", String(LOAD_CORE), String(process.pid)]);
  const yard = createYard();
  const say = (text: string) => process.stderr.write(`${text}\n`);
  const interrupt = () => void yard.close().then(() => process.exit(130));
  process.once("SIGINT", interrupt);
  process.once("SIGTERM", interrupt);
  const rows: Row[] = [];
  try {
    for (const name of options.only) {
      say(`${name} ...`);
      rows.push(...(await runScenario(name, { yard, options, say })));
    }
  } finally {
    await yard.close();
  }
  return rows;
}

/** A scenario that breaks is a failed row: the others are still worth printing. */
async function runScenario(name: ScenarioName, bench: Bench): Promise<readonly Row[]> {
  try {
    return await SCENARIOS[name](bench);
  } catch (cause) {
    bench.say(cause instanceof Error ? `${cause.stack}` : String(cause));
    const fact = cause instanceof Error ? (cause.message.split("\n")[0] ?? "") : String(cause);
    return [row({ name, unit: "-", problem: fact })];
  }
}

const options = parseOptions(process.argv.slice(2));
const rows = await run(options);
const judged = rows.map((one) => ({ ...one, verdict: verdictOf(one) }));
const machine = describeMachine();
process.stdout.write(
  options.isJson ? `${JSON.stringify({ machine, rows: judged }, null, 2)}\n` : `${machine}\n\n${printTable(rows)}\n`,
);
process.exit(judged.some(({ verdict }) => verdict === "FAIL") ? 1 : 0);
