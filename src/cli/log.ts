import type { Command } from "commander";
import { type LogLevelWire, logLevelSchema } from "../contract/log-level.ts";
import type { AdminClient } from "./admin-client.ts";
import { type CliIo, emit } from "./cli-io.ts";

const EXAMPLES = `
Examples:
  log level
  log level debug`;

export function addLogCommands(program: Command, io: CliIo, client: AdminClient): void {
  const log = program.command("log").description("What the gateway's log prints").addHelpText("after", EXAMPLES);

  log
    .command("level")
    .description("Show the least level that is printed, or change it until the gateway stops")
    .argument("[level]", "trace, debug, info, warn, error or fatal")
    .option("--json", "print JSON")
    .action(async (level: string | undefined, options: { readonly json?: boolean }) => {
      const found =
        level === undefined
          ? await client.get("/api/log-level", logLevelSchema)
          : await client.put("/api/log-level", logLevelSchema, { level });
      emit(io, options.json === true, found, renderLevel);
    });
}

function renderLevel({ level, configured }: LogLevelWire): string {
  return level === configured
    ? `The log prints ${level} and above`
    : `The log prints ${level} and above; a restart goes back to ${configured}`;
}
