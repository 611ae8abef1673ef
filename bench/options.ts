export const SCENARIO_NAMES = ["plain", "latency", "sse", "held", "slow", "flat", "selection", "keys"] as const;
export type ScenarioName = (typeof SCENARIO_NAMES)[number];

export type BenchOptions = {
  readonly only: readonly ScenarioName[];
  readonly isJson: boolean;
  /** Rounds of nginx and gateway in turn; the median of them is printed. */
  readonly rounds: number;
  /** Length of one load. */
  readonly seconds: number;
  readonly heldStreams: number;
  readonly slowConnections: number;
  readonly latencyRequests: number;
  readonly manyAccounts: number;
  readonly manyKeys: number;
  readonly manyRows: number;
};

const FULL = {
  rounds: 6,
  seconds: 4,
  heldStreams: 10_000,
  slowConnections: 10_000,
  latencyRequests: 1000,
  manyAccounts: 1000,
  manyKeys: 100_000,
  manyRows: 1_000_000,
};
const QUICK = {
  rounds: 2,
  seconds: 2,
  heldStreams: 1000,
  slowConnections: 1000,
  latencyRequests: 500,
  manyAccounts: 100,
  manyKeys: 1000,
  manyRows: 10_000,
};
type Sizes = typeof FULL;

const NUMBER_FLAGS: Readonly<Record<string, keyof Sizes>> = {
  "--rounds": "rounds",
  "--seconds": "seconds",
  "--streams": "heldStreams",
  "--slow": "slowConnections",
  "--latency-requests": "latencyRequests",
  "--accounts": "manyAccounts",
  "--keys": "manyKeys",
  "--rows": "manyRows",
};

export const USAGE = `Usage: bun run bench [--quick] [--json] [--only NAME]...
  NAME: ${SCENARIO_NAMES.join(", ")}
  sizes: ${Object.keys(NUMBER_FLAGS).join(", ")}, each with a whole number`;

/** @throws Error that shows the usage for an argument that nobody knows */
export function parseOptions(argv: readonly string[]): BenchOptions {
  const only: ScenarioName[] = [];
  const sizes: Sizes = { ...(argv.includes("--quick") ? QUICK : FULL) };
  for (let at = 0; at < argv.length; at += 1) {
    const name = argv[at] ?? "";
    if (name === "--quick" || name === "--json") continue;
    at += 1;
    const value = argv[at] ?? "";
    const size = NUMBER_FLAGS[name];
    if (name === "--only") only.push(scenarioName(value));
    else if (size !== undefined) sizes[size] = wholeNumber(name, value);
    else throw new Error(`Cannot read the arguments: "${name}" is not known\n${USAGE}`);
  }
  return { ...sizes, only: only.length === 0 ? SCENARIO_NAMES : only, isJson: argv.includes("--json") };
}

function scenarioName(text: string): ScenarioName {
  const found = SCENARIO_NAMES.find((name) => name === text);
  if (found === undefined) throw new Error(`Cannot read --only: "${text}" is not a scenario\n${USAGE}`);
  return found;
}

function wholeNumber(name: string, text: string): number {
  if (!/^[1-9]\d{0,7}$/u.test(text)) throw new Error(`Cannot read ${name}: "${text}" is not a whole number\n${USAGE}`);
  return Number(text);
}
