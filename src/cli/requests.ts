import { type Command, InvalidArgumentError } from "commander";
import { type RequestWire, requestListSchema } from "../contract/requests.ts";
import type { AdminClient } from "./admin-client.ts";
import { type CliIo, emit } from "./cli-io.ts";
import { orDash, renderTable, shortInstant } from "./table.ts";

const MAX_LIMIT = 1000;

const EXAMPLES = `
Examples:
  requests --limit 20
  requests --json --limit 1000`;

export function addRequestsCommand(program: Command, io: CliIo, client: AdminClient): void {
  program
    .command("requests")
    .description("List requests, newest first")
    .option("--limit <number>", `1 to ${MAX_LIMIT}`, parseLimit, 50)
    .option("--json", "print JSON")
    .addHelpText("after", EXAMPLES)
    .action(async (options: { limit: number; json?: boolean }) => {
      const requests = await client.get(`/api/requests?limit=${options.limit}`, requestListSchema);
      emit(io, options.json === true, requests, renderRequests);
    });
}

function renderRequests(requests: readonly RequestWire[]): string {
  if (requests.length === 0) return "No requests yet";
  const rows = requests.map((request) => [
    shortInstant(request.startedAt),
    orDash(request.status),
    request.outcome,
    orDash(request.account),
    request.clientKey,
    orDash(request.model),
    String(request.attempts),
    orDash(inputTokens(request.usage)),
    orDash(request.usage.outputTokens),
    orDash(request.timing.totalMs === null ? null : Math.round(request.timing.totalMs)),
    request.id,
  ]);
  const header = ["STARTED (UTC)", "STATUS", "OUTCOME", "ACCOUNT", "KEY", "MODEL", "TRIES", "IN", "OUT", "MS", "ID"];
  return renderTable(header, rows, [6, 7, 8, 9]);
}

/** Every input token, cached or not; null when upstream said nothing. */
function inputTokens(usage: RequestWire["usage"]): number | null {
  const parts = [usage.inputTokens, usage.cacheWrite5mTokens, usage.cacheWrite1hTokens, usage.cacheReadTokens];
  const said = parts.filter((part) => part !== null);
  return said.length === 0 ? null : said.reduce((sum, part) => sum + part, 0);
}

function parseLimit(text: string): number {
  const limit = Number(text);
  if (/^[0-9]{1,4}$/.test(text) && limit >= 1 && limit <= MAX_LIMIT) return limit;
  throw new InvalidArgumentError(`It must be a whole number from 1 to ${MAX_LIMIT}.`);
}
