import { statSync } from "node:fs";
import type { Command } from "commander";
import { type CheckWire, type DoctorWire, doctorSchema } from "../contract/health.ts";
import type { AdminClient } from "./admin-client.ts";
import { asCalled, CliFailure, type CliIo, EXIT, type ExitCode, emit } from "./cli-io.ts";
import { printable } from "./table.ts";

type Report = {
  readonly isOk: boolean;
  readonly version: string | null;
  readonly checks: readonly CheckWire[];
  /** Shell lines for the client; empty when the gateway does not answer. */
  readonly clientSetup: readonly string[];
};

const EXAMPLES = `
Examples:
  doctor
  doctor --json`;

export function addDoctorCommand(program: Command, io: CliIo, client: AdminClient): void {
  program
    .command("doctor")
    .description("Check everything that must be well for a client to be served; exits 1 when something is not")
    .option("--json", "print JSON")
    .addHelpText("after", EXAMPLES)
    .action(async (options: { json?: boolean }) => {
      const { report, exitCode } = await examine(io, client);
      emit(io, options.json === true, report, (found) => renderReport(io, found));
      if (exitCode === EXIT.ok) return;
      const failed = report.checks.filter(({ isOk }) => !isOk).map(({ name }) => name);
      throw new CliFailure(exitCode, `Cannot call this gateway healthy: ${failed.join(", ")}`);
    });
}

async function examine(io: CliIo, client: AdminClient): Promise<{ report: Report; exitCode: ExitCode }> {
  const found = await ask(client);
  if (found instanceof CliFailure) {
    const checks = [{ name: "server", isOk: false, detail: found.message, fix: found.fix }];
    return { report: { isOk: false, version: null, checks, clientSetup: [] }, exitCode: found.exitCode };
  }
  const checks = [versionCheck(io, found), socketCheck(io), ...found.checks].map((check) => ({
    ...check,
    fix: check.fix === null ? null : asCalled(io, check.fix),
  }));
  const isOk = checks.every((check) => check.isOk);
  const report = { isOk, version: found.version, checks, clientSetup: clientSetup(io, found) };
  return { report, exitCode: isOk ? EXIT.ok : EXIT.refused };
}

async function ask(client: AdminClient): Promise<DoctorWire | CliFailure> {
  try {
    return await client.get("/api/doctor", doctorSchema);
  } catch (failure) {
    if (failure instanceof CliFailure) return failure;
    throw failure;
  }
}

function versionCheck(io: CliIo, { version }: DoctorWire): CheckWire {
  const isOk = version === io.version;
  const detail = isOk ? `Answers, version ${version}` : `It runs version ${version}, this CLI is ${io.version}`;
  return { name: "server", isOk, detail, fix: isOk ? null : "Restart the gateway, so that both are the same" };
}

function socketCheck(io: CliIo): CheckWire {
  const mode = (statSync(io.socketPath, { throwIfNoEntry: false })?.mode ?? 0) & 0o777;
  const isOk = mode === 0o600;
  const detail = `${io.socketPath} has mode ${mode.toString(8).padStart(4, "0")}`;
  return { name: "admin socket", isOk, detail, fix: isOk ? null : `chmod 600 ${io.socketPath}` };
}

function clientSetup(io: CliIo, { dataPlaneUrl }: DoctorWire): readonly string[] {
  return [
    `export ANTHROPIC_BASE_URL=${dataPlaneUrl}`,
    `export ANTHROPIC_AUTH_TOKEN=YOUR_CLIENT_KEY  # printed once by: ${io.programName} key create NAME`,
    "export ENABLE_TOOL_SEARCH=true  # Claude Code turns MCP tool search off on other hosts without it",
  ];
}

function renderReport(io: CliIo, { checks, clientSetup: setup }: Report): string {
  const width = Math.max(...checks.map(({ name }) => name.length));
  const lines = checks.flatMap(({ name, isOk, detail, fix }) => [
    `${isOk ? "ok  " : "FAIL"}  ${name.padEnd(width)}  ${printable(detail)}`,
    ...(fix === null ? [] : [`      ${"".padEnd(width)}  fix: ${asCalled(io, fix)}`]),
  ]);
  return setup.length === 0
    ? lines.join("\n")
    : [...lines, "", "For the client:", ...setup.map((line) => `  ${line}`)].join("\n");
}
