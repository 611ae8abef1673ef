import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { DEFAULT_STRATEGY, STRATEGIES, type StrategyName } from "../../src/domain/selection/strategy-name.ts";
import { runTrace } from "./run-traces.ts";
import { jsonOf, markdownOf, seedsMarkdownOf, textOf } from "./table.ts";
import { TRACES, type TraceName } from "./traces.ts";

const USAGE = `Usage: bun run replay --trace T [--strategy S] [--seed N] [--json | --markdown]
       bun run replay --all [--seed N] [--json | --markdown]
       bun run replay --page docs/guide/strategies.md

  --trace     ${Object.keys(TRACES).join(", ")}
  --strategy  ${STRATEGIES.join(", ")}; without it all of them
  --seed      whole number, default 1: the same seed gives the same table
  --all       every trace with every strategy
  --page      writes the tables between the two marks of that page (docs/guide/strategies.md), for five seeds
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
  if (typeof wanted === "string") {
    writePage(wanted);
    return;
  }
  const results = wanted.traces.map((name) => runTrace(name, wanted));
  process.stdout.write(`${wanted.print(results)}\n`);
}

/** Null when the usage text is asked for; text is the page to write. */
function readArguments(): Wanted | string | null {
  const { values } = parseArgs({
    options: {
      trace: { type: "string" },
      strategy: { type: "string" },
      seed: { type: "string", default: "1" },
      all: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      markdown: { type: "boolean", default: false },
      page: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return null;
  if (values.page !== undefined) return values.page;
  const { trace, strategy, all } = values;
  if (!all && trace === undefined) throw new Error("Cannot replay: name a --trace, or ask for --all");
  return {
    traces: Object.keys(TRACES).filter((name): name is TraceName => all || name === known("trace", trace, TRACES)),
    strategies: STRATEGIES.filter((name) => strategy === undefined || name === known("strategy", strategy, STRATEGIES)),
    seed: readSeed(values.seed),
    print: values.json ? jsonOf : values.markdown ? markdownOf : textOf,
  };
}

const PAGE_BEGINS = "<!-- replay begins -->";
const PAGE_ENDS = "<!-- replay ends -->";
const SEEDS = [1, 2, 3, 4, 5];

function writePage(path: string): void {
  const page = readFileSync(path, "utf8");
  const [before, rest] = page.split(PAGE_BEGINS);
  const after = rest?.split(PAGE_ENDS)[1];
  if (before === undefined || after === undefined) {
    throw new Error(`Cannot write the tables into ${path}: it lacks the mark "${PAGE_BEGINS}" or "${PAGE_ENDS}"`);
  }
  const names = Object.keys(TRACES) as TraceName[];
  const tables = markdownOf(names.map((name) => runTrace(name, { strategies: STRATEGIES, seed: 1 })));
  const bySeed = SEEDS.map((seed) => names.map((name) => runTrace(name, { strategies: [DEFAULT_STRATEGY], seed })));
  const seeds = `### ${DEFAULT_STRATEGY} with five seeds\n\nShare of the optimum, and cache reads kept.\n\n${seedsMarkdownOf(bySeed)}`;
  writeFileSync(path, `${before}${PAGE_BEGINS}\n\n${tables}\n${seeds}\n${PAGE_ENDS}${after}`);
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
