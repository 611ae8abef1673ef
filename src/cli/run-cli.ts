import { Command, CommanderError } from "commander";
import { addAccountCommands } from "./account.ts";
import { createAdminClient } from "./admin-client.ts";
import { addAuditCommands } from "./audit.ts";
import { asCalled, CliFailure, type CliIo, EXIT } from "./cli-io.ts";
import { addConfigCommands } from "./config.ts";
import { addDoctorCommand } from "./doctor.ts";
import { addExplainCommand } from "./explain.ts";
import { addImportCommand } from "./import.ts";
import { addKeyCommands } from "./key.ts";
import { addVaultCommands } from "./keys.ts";
import { addLogCommands } from "./log.ts";
import { addRequestsCommand } from "./requests.ts";
import { addRoutesCommand } from "./routes.ts";
import { addSetupCommand } from "./setup.ts";
import { addSimulateCommand } from "./simulate.ts";
import { addStatsCommand } from "./stats.ts";
import { addStrategyCommands } from "./strategy.ts";
import { printable } from "./table.ts";
import { addTokenCommands } from "./token.ts";
import { addUserCommands } from "./user.ts";

/** Runs one command. `argv` holds the arguments without program and global flags (`splitGlobalFlags`). Gives the exit code: 0 ok, 1 refused, 2 usage, 3 unreachable. */
export async function runCli(argv: readonly string[], io: CliIo): Promise<number> {
  try {
    await createProgram(io).parseAsync([...argv], { from: "user" });
    return EXIT.ok;
  } catch (failure) {
    if (failure instanceof CommanderError) return failure.exitCode === 0 ? EXIT.ok : EXIT.usage;
    if (!(failure instanceof CliFailure)) throw failure;
    io.stderr(`error: ${printable(failure.message)}\n`);
    if (failure.fix !== null) io.stderr(`fix: ${asCalled(io, failure.fix)}\n`);
    return failure.exitCode;
  }
}

function createProgram(io: CliIo): Command {
  const program = new Command(io.programName)
    .description("Runs the gateway (`start`), and talks to the one that runs")
    .version(io.version)
    .addHelpText(
      "after",
      "\nstart --help says how to run the gateway itself.\nAnywhere: --data-dir PATH and --config PATH say which gateway is meant",
    )
    .exitOverride()
    .showHelpAfterError("(add --help for the options)")
    .configureOutput({
      writeOut: io.stdout,
      writeErr: io.stderr,
      outputError: (text, write) => write(withoutValues(text)),
    });
  const client = createAdminClient(io.socketPath);
  addAccountCommands(program, io, client);
  addKeyCommands(program, io, client);
  addUserCommands(program, io, client);
  addTokenCommands(program, io, client);
  addSetupCommand(program, io, client);
  addVaultCommands(program, io, client);
  addRequestsCommand(program, io, client);
  addExplainCommand(program, io, client);
  addStatsCommand(program, io, client);
  addStrategyCommands(program, io, client);
  addSimulateCommand(program, io, client);
  addAuditCommands(program, io, client);
  addLogCommands(program, io, client);
  addDoctorCommand(program, io, client);
  addConfigCommands(program, io);
  addImportCommand(program, io);
  addRoutesCommand(program, io);
  return program;
}

/** commander repeats the argument at fault, and a person may have put a key there (`--key=sk-ant-...`). */
function withoutValues(text: string): string {
  return text.replaceAll(/(--[a-z-]+)=[^\s']*/gi, "$1=...").replaceAll(/(sk-ant-|ccf_|bccf_)[A-Za-z0-9_-]+/g, "$1...");
}
