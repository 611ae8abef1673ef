import { type Command, InvalidArgumentError } from "commander";
import { type AuditPruneWire, type AuditSinkWire, auditPruneSchema, auditSinkListSchema } from "../contract/audit.ts";
import type { AdminClient } from "./admin-client.ts";
import { type CliIo, emit } from "./cli-io.ts";
import { orDash, renderTable, shortInstant } from "./table.ts";

type JsonOption = { readonly json?: boolean };

export function addSinkCommands(audit: Command, io: CliIo, client: AdminClient): void {
  audit
    .command("sinks")
    .description("Show where copies of the log go, and how far behind they are")
    .option("--json", "print JSON")
    .action(async (options: JsonOption) => {
      emit(io, options.json === true, await client.get("/api/audit/sinks", auditSinkListSchema), renderSinks);
    });

  audit
    .command("prune")
    .description("Remove entries whose time is over; the gateway does it once a day by itself")
    .option("--older-than <days>", "like 400d; not less than audit.retentionDays, which is the default", parseDays)
    .option("--dry-run", "only say what would be removed")
    .option("--json", "print JSON")
    .action(async (options: JsonOption & { olderThan?: number; dryRun?: boolean }) => {
      const body = { olderThanDays: options.olderThan ?? null, isDryRun: options.dryRun === true };
      const pruned = await client.post("/api/audit/prune", auditPruneSchema, body);
      emit(io, options.json === true, pruned, renderPruned);
    });
}

function renderSinks(sinks: readonly AuditSinkWire[]): string {
  const rows = sinks.map((sink) => [
    sink.name,
    sink.target,
    sink.state,
    String(sink.takenSeq),
    String(sink.pendingEntries),
    shortInstant(sink.behindSince),
    orDash(sink.problem),
  ]);
  return renderTable(["SINK", "TARGET", "STATE", "HAS", "WAITING", "BEHIND SINCE (UTC)", "PROBLEM"], rows, [3, 4]);
}

function renderPruned({ prunedTo, entries, olderThan, isDryRun, heldBack }: AuditPruneWire): string {
  const done =
    prunedTo === null
      ? `Nothing is older than ${olderThan}`
      : `${isDryRun ? "Would remove" : "Removed"} ${entries} entries, up to ${prunedTo}: older than ${olderThan}`;
  return heldBack === null ? done : `${done}\nMore is old enough, but ${heldBack}`;
}

function parseDays(text: string): number {
  const days = Number(/^([1-9][0-9]{0,4})d?$/.exec(text)?.[1]);
  if (Number.isInteger(days)) return days;
  throw new InvalidArgumentError("It must be whole days, like 400d.");
}
