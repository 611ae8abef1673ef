import type { Command } from "commander";
import { type StatsLineWire, type StatsWire, statsSchema } from "../contract/requests.ts";
import type { AdminClient } from "./admin-client.ts";
import { type CliIo, emit } from "./cli-io.ts";
import { parseSpan } from "./key.ts";
import { renderTable, shortInstant } from "./table.ts";

const EXAMPLES = `
Examples:
  stats
  stats --since 7d --json`;

export function addStatsCommand(program: Command, io: CliIo, client: AdminClient): void {
  program
    .command("stats")
    .description("Add up requests and tokens, by account and by model")
    .option("--since <span>", "how far back, e.g. 7d", parseSpan, "24h")
    .option("--json", "print JSON")
    .addHelpText("after", EXAMPLES)
    .action(async (options: { since: string; json?: boolean }) => {
      const stats = await client.get(`/api/stats?since=${options.since}`, statsSchema);
      emit(io, options.json === true, stats, renderStats);
    });
}

function renderStats({ since, total, accounts, models }: StatsWire): string {
  const figures = ["REQUESTS", "OK", "FAILED", "LEFT", "RUNNING", "IN", "CACHE WRITE", "CACHE READ", "OUT"];
  const rightAligned = figures.map((_, at) => at + 1);
  const totals = renderTable(["TOTAL", ...figures], [["", ...lineCells(total)]], rightAligned);
  const byAccount = accounts.map((line) => [line.account ?? "(none)", ...lineCells(line)]);
  const byModel = models.map((line) => [line.model ?? "(none)", ...lineCells(line)]);
  return [
    `Since ${shortInstant(since)} UTC`,
    totals,
    renderTable(["ACCOUNT", ...figures], byAccount, rightAligned),
    renderTable(["MODEL", ...figures], byModel, rightAligned),
  ].join("\n\n");
}

function lineCells(line: StatsLineWire): readonly string[] {
  return [
    line.requests,
    line.completed,
    line.failed,
    line.clientGone,
    line.inFlight,
    line.inputTokens,
    line.cacheWrite5mTokens + line.cacheWrite1hTokens,
    line.cacheReadTokens,
    line.outputTokens,
  ].map(String);
}
