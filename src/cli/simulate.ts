import { type Command, InvalidArgumentError } from "commander";
import { accountListSchema } from "../contract/accounts.ts";
import { spanMs } from "../contract/span.ts";
import { strategySchema } from "../contract/strategy.ts";
import { type TraceRequestWire, traceSchema } from "../contract/trace.ts";
import { STRATEGIES, type StrategyName } from "../domain/selection/strategy-name.ts";
import type { AdminClient } from "./admin-client.ts";
import { CliFailure, type CliIo, EXIT, emit } from "./cli-io.ts";
import { parseSpan } from "./key.ts";
import { printable } from "./table.ts";

/** Some hundred bytes each, and a few thousand are replayed in a second. */
const MAX_REQUESTS = 200_000;

const EXAMPLES = `
Examples:
  simulate --since 7d --strategy least-used
  simulate --since 24h --json

Nothing is sent to the provider, and nothing changes. Limits are those that the provider's answers named.`;

type Options = { readonly since: string; readonly strategy?: StrategyName; readonly json?: boolean };

export function addSimulateCommand(program: Command, io: CliIo, client: AdminClient): void {
  program
    .command("simulate")
    .description("Replay the ledger with another strategy, beside the one that holds, before it is switched on")
    .option("--since <span>", "how far back, e.g. 7d", parseSpan, "7d")
    .option("--strategy <name>", `one of ${STRATEGIES.join(", ")} (default: all)`, parseStrategy)
    .option("--json", "print JSON")
    .addHelpText("after", EXAMPLES)
    .action((options: Options) => runSimulation(options, io, client));
}

async function runSimulation({ since, strategy, json }: Options, io: CliIo, client: AdminClient): Promise<void> {
  const accounts = await client.get("/api/accounts", accountListSchema);
  const { name: current } = await client.get("/api/strategy", strategySchema);
  const requests = await readTrace(client, since);
  const strategies = STRATEGIES.filter((name) => strategy === undefined || name === strategy || name === current);
  const sinceMs = io.nowMs() - (spanMs(since) ?? 0);
  const simulation = await io.simulate({ accounts, requests, strategies, sinceMs });
  if (simulation === null) {
    const fact = "it holds no request with usage, or no account can serve";
    throw new CliFailure(EXIT.refused, `Cannot replay the ledger of the last ${since}: ${fact}`);
  }
  for (const note of simulation.notes) io.stderr(`note: ${printable(note)}\n`);
  emit(io, json === true, simulation.data, () => `${simulation.text}The strategy that holds is ${current}`);
}

async function readTrace(client: AdminClient, since: string): Promise<readonly TraceRequestWire[]> {
  const requests: TraceRequestWire[] = [];
  let after = "";
  for (;;) {
    const page = await client.get(`/api/requests/trace?since=${since}${after}`, traceSchema);
    for (const request of page.requests) requests.push(request);
    if (page.next === null) return requests;
    if (requests.length >= MAX_REQUESTS) {
      const fact = `the ledger holds more than ${MAX_REQUESTS} requests of the last ${since}`;
      throw new CliFailure(EXIT.refused, `Cannot simulate: ${fact}`, "give a shorter --since");
    }
    after = `&after=${encodeURIComponent(page.next)}`;
  }
}

function parseStrategy(text: string): StrategyName {
  const found = STRATEGIES.find((name) => name === text);
  if (found !== undefined) return found;
  throw new InvalidArgumentError(`It is one of ${STRATEGIES.join(", ")}.`);
}
