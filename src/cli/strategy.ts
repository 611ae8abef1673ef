import type { Command } from "commander";
import { type SetStrategy, type StrategyWire, strategySchema } from "../contract/strategy.ts";
import type { AdminClient } from "./admin-client.ts";
import { type CliIo, emit } from "./cli-io.ts";

type JsonOption = { readonly json?: boolean };

const EXAMPLES = `
Examples:
  strategy show
  strategy set least-used
  strategy set session --json`;

export function addStrategyCommands(program: Command, io: CliIo, client: AdminClient): void {
  const strategy = program
    .command("strategy")
    .description("How the gateway chooses among accounts")
    .addHelpText("after", EXAMPLES);

  strategy
    .command("show")
    .description("Show the strategy that holds, who gave it, and the others")
    .option("--json", "print JSON")
    .action(async (options: JsonOption) => {
      emit(io, options.json === true, await client.get("/api/strategy", strategySchema), renderStrategy);
    });

  strategy
    .command("set")
    .description("Choose by another strategy from the next request on; conversations keep their homes")
    .argument("<name>", "as `strategy show` lists them")
    .option("--json", "print JSON")
    .action(async (name: string, options: JsonOption) => {
      const body: SetStrategy = { name };
      const set = await client.put("/api/strategy", strategySchema, body);
      emit(io, options.json === true, set, () => `The strategy is ${set.name} from the next request on`);
    });
}

function renderStrategy({ name, source, givenBy, strategies }: StrategyWire): string {
  const words = { configuration: `given by ${givenBy ?? "the configuration"}`, stored: "set", default: "the default" };
  return `${name} (${words[source]})\nOf: ${strategies.join(", ")}`;
}
