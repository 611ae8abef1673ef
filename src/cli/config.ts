import type { Command } from "commander";
import { CliFailure, type CliIo, EXIT, emit } from "./cli-io.ts";

const EXAMPLES = `
Examples:
  config check
  config check --json`;

export function addConfigCommands(program: Command, io: CliIo): void {
  const config = program.command("config").description("The configuration of file, environment and flags");

  config
    .command("check")
    .description("Print the configuration that a start would use, redacted, or every mistake in it")
    .option("--json", "print JSON")
    .addHelpText("after", EXAMPLES)
    .action(async (options: { json?: boolean }) => {
      const report = await io.configCheck();
      emit(io, options.json === true, report.data, () => report.text);
      if (!report.isOk) throw new CliFailure(EXIT.refused, "Cannot start with this configuration");
    });
}
