import { parseArgs } from "node:util";
import { STRATEGIES, type StrategyName } from "../../src/domain/selection/strategy-name.ts";
import { runTrace } from "./run-traces.ts";
import { jsonOf, markdownOf, textOf } from "./table.ts";
import { TRACES, type TraceName } from "./traces.ts";

const USAGE = `Usage: bun run replay --trace T [--strategy S] [--seed N] [--json | --markdown]
       bun run replay --all [--seed N] [--json | --markdown]

  --trace     ${Object.keys(TRACES).join(", ")}
  --strategy  ${STRATEGIES.join(", ")}; without it all of them
  --seed      whole number, default 1: the same seed gives the same table
  --all       every trace with every strategy
`;

type Wanted = {
  readonly traces: readonly TraceName[];
  readonly strategies: readonly StrategyName[];
  readonly seed: number;
  readonly print: typeof textOf;
};

function main(): void {
  const wanted = readArguments();
  if (wanted === null) {
    process.stdout.write(USAGE);
    return;
  }
  const results = wanted.traces.map((name) => runTrace(name, wanted));
  process.stdout.write(`${wanted.print(results)}\n`);
}

/** Null when the usage text is asked for. */
function readArguments(): Wanted | null {
  const { values } = parseArgs({
    options: {
      trace: { type: "string" },
      strategy: { type: "string" },
      seed: { type: "string", default: "1" },
      all: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      markdown: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return null;
  const { trace, strategy, all } = values;
  if (!all && trace === undefined) throw new Error("Cannot replay: name a --trace, or ask for --all");
  return {
    traces: Object.keys(TRACES).filter((name): name is TraceName => all || name === known("trace", trace, TRACES)),
    strategies: STRATEGIES.filter((name) => strategy === undefined || name === known("strategy", strategy, STRATEGIES)),
    seed: readSeed(values.seed),
    print: values.json ? jsonOf : values.markdown ? markdownOf : textOf,
  };
}

function known(what: string, name: string | undefined, names: object): string {
  const list: readonly string[] = Array.isArray(names) ? names : Object.keys(names);
  if (name === undefined || !list.includes(name)) {
    throw new Error(`Cannot replay ${what} "${name}": it is one of ${list.join(", ")}`);
  }
  return name;
}

function readSeed(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new Error(`Cannot read the seed "${text}": it is a whole number up to 999999999`);
  return Number(text);
}

try {
  main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
  process.exitCode = 2;
}
