import { join } from "node:path";
import { verifyAudit } from "./audit-verify.ts";
import { EXIT } from "./cli/cli-io.ts";
import { splitGlobalFlags } from "./cli/global-flags.ts";
import { runCli } from "./cli/run-cli.ts";
import { SOCKET_NAME } from "./cli/socket-name.ts";
import { createTerminalIo } from "./cli/terminal-io.ts";
import type { Environment } from "./config/config.ts";
import { renderProblems } from "./config/config.ts";
import { describeConfig, renderDescription } from "./config/describe-config.ts";
import { takeEnvironment } from "./config/environment.ts";
import { type LoadedConfig, loadConfig } from "./config/load-config.ts";
import { readFile } from "./config/read-file.ts";
import type { ConfigFlags } from "./config/setting.ts";
import { ROUTES } from "./http/routes/route-rows.ts";
import { importOld } from "./import-old.ts";
import { err } from "./kernel/result.ts";
import { tlsFilesProblem } from "./open-tls.ts";
import { simulate } from "./simulate.ts";
import { start } from "./start.ts";
import { systemClock } from "./system-clock.ts";
import { VERSION } from "./version.ts";

/** One command line, to its exit code. */
export async function runCommand(argv: readonly string[]): Promise<number> {
  const env = takeEnvironment();
  if (argv[0] === "start") {
    return start(argv.slice(1), env);
  }
  const split = splitGlobalFlags(argv);
  if (!split.ok) {
    process.stderr.write(`${split.error}\n`);
    return EXIT.usage;
  }
  const { flags, rest } = split.value;
  const loaded = loadConfig({ flags, env, readFile, purpose: "command" });
  if (!loaded.ok && !isConfigCheck(rest)) {
    process.stderr.write(`${renderProblems(loaded.error)}\n`);
    return EXIT.usage;
  }
  const dataDir = loaded.ok ? loaded.value.config.storage.dataDir : "";
  const io = createTerminalIo({
    socketPath: join(dataDir, SOCKET_NAME),
    version: VERSION,
    programName: env["BETTER_CCFLARE_PROGRAM"] ?? "better-ccflare",
    routes: () => ROUTES,
    configCheck: async () => checkConfig(flags, env),
    simulate,
    importOld: async (order) => (loaded.ok ? importOld(order, loaded.value) : err(renderProblems(loaded.error))),
    verifyAudit: (order) => verifyAudit(dataDir, order),
    nowMs: Date.now,
  });
  return runCli(rest, io);
}

function isConfigCheck(argv: readonly string[]): boolean {
  return argv[0] === "config" && argv[1] === "check";
}

/** As a start would read it, so that what passes here starts. */
function checkConfig(flags: ConfigFlags, env: Environment) {
  const loaded = loadConfig({ flags, env, readFile, purpose: "command" });
  if (!loaded.ok) {
    return { isOk: false, text: renderProblems(loaded.error), data: { problems: loaded.error } };
  }
  const { config, secrets, warnings }: LoadedConfig = loaded.value;
  const tlsProblem = tlsFilesProblem(config, systemClock);
  if (tlsProblem !== null) return { isOk: false, text: tlsProblem, data: { problems: [tlsProblem] } };
  const description = describeConfig(config, secrets);
  const text = [renderDescription(description), ...warnings.map((warning) => `warning: ${warning}`)].join("\n");
  return { isOk: true, text, data: { ...description, warnings } };
}
