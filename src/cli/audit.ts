import { type Command, InvalidArgumentError } from "commander";
import { type AuditEntryWire, auditExportSchema, auditListSchema } from "../contract/audit.ts";
import { userListSchema } from "../contract/users.ts";
import type { AdminClient } from "./admin-client.ts";
import { addSinkCommands } from "./audit-sinks.ts";
import { CliFailure, type CliIo, EXIT, emit } from "./cli-io.ts";
import { orDash, renderTable, shortInstant } from "./table.ts";

const MAX_LIMIT = 1000;

const EXAMPLES = `
Examples:
  audit list --limit 20
  audit export > audit.jsonl
  audit verify
  audit sinks
  audit prune --dry-run
  audit verify --file audit.jsonl --public-key audit.pub`;

type JsonOption = { readonly json?: boolean };

export function addAuditCommands(program: Command, io: CliIo, client: AdminClient): void {
  const audit = program
    .command("audit")
    .description("Who changed what, and whether the record is intact")
    .addHelpText("after", EXAMPLES);

  audit
    .command("list")
    .description("List audit entries, newest first")
    .option("--limit <number>", `1 to ${MAX_LIMIT}`, parseLimit, 50)
    .option("--json", "print JSON")
    .action(async (options: JsonOption & { limit: number }) => {
      const entries = await client.get(`/api/audit?limit=${options.limit}`, auditListSchema);
      const isJson = options.json === true;
      const names = isJson ? new Map<string, string>() : await userNames(client);
      emit(io, isJson, entries.map(contentOf), (contents) => renderEntries(contents, names));
    });

  audit
    .command("export")
    .description("Print the whole log, one line per entry and checkpoint, for `audit verify` or tools/verify-audit.py")
    .action(() => printExport(io, client));

  audit
    .command("verify")
    .description("Check the data directory, or an export; needs no running gateway")
    .option("--file <path>", "an export; needs --public-key")
    .option("--public-key <path>", "the key from a place that nobody here can write (default: audit.pub)")
    .option("--json", "print JSON")
    .action(async (options: JsonOption & { file?: string; publicKey?: string }) => {
      if (options.file !== undefined && options.publicKey === undefined) {
        throw new CliFailure(EXIT.usage, "Cannot verify an export without --public-key");
      }
      const order = { file: options.file ?? null, publicKeyFile: options.publicKey ?? null };
      const found = await io.verifyAudit(order).catch((cause: unknown) => {
        throw new CliFailure(
          EXIT.refused,
          `Cannot verify: ${cause instanceof Error ? cause.message : "unknown error"}`,
        );
      });
      if (options.json === true || found.isOk) emit(io, options.json === true, found.data, () => found.text);
      if (!found.isOk) throw new CliFailure(EXIT.refused, found.text);
    });

  addSinkCommands(audit, io, client);
}

/** Entries hold the id of a user, because names change; a person reads names. Who was removed keeps the id. */
async function userNames(client: AdminClient): Promise<ReadonlyMap<string, string>> {
  const users = await client.get("/api/users", userListSchema);
  return new Map(users.map(({ id, name }) => [id, name]));
}

async function printExport(io: CliIo, client: AdminClient): Promise<void> {
  let path = "/api/audit/export";
  for (;;) {
    const { lines, next } = await client.get(path, auditExportSchema);
    for (const line of lines) io.stdout(`${line}\n`);
    if (next === null) return;
    path = `/api/audit/export?after=${next.after}&checkpoint=${next.checkpoint}`;
  }
}

/** As the gateway wrote it; what cannot be read is shown as its text. */
type Content = {
  readonly seq: number;
  readonly at?: string;
  readonly code?: string;
  readonly actor?: { readonly type?: string; readonly id?: string };
  readonly object?: { readonly type?: string; readonly id?: string; readonly name?: string | null };
  readonly reason?: string;
};

function contentOf({ seq, entry }: AuditEntryWire): Content {
  try {
    const content: Content = JSON.parse(entry);
    return { ...content, seq };
  } catch {
    return { seq, reason: entry };
  }
}

function renderEntries(entries: readonly Content[], names: ReadonlyMap<string, string>): string {
  if (entries.length === 0) return "No audit entries yet";
  const rows = entries.map(({ seq, at, code, actor, object, reason }) => [
    String(seq),
    shortInstant(at ?? null),
    orDash(code ?? null),
    `${actor?.type ?? "-"} ${names.get(actor?.id ?? "") ?? actor?.id ?? ""}`.trim(),
    `${object?.type ?? "-"} ${object?.name ?? object?.id ?? ""}`.trim(),
    orDash(reason ?? null),
  ]);
  return renderTable(["SEQ", "AT (UTC)", "CODE", "ACTOR", "OBJECT", "REASON"], rows, [0]);
}

function parseLimit(text: string): number {
  const limit = Number(text);
  if (/^[0-9]{1,4}$/.test(text) && limit >= 1 && limit <= MAX_LIMIT) return limit;
  throw new InvalidArgumentError(`It must be a whole number from 1 to ${MAX_LIMIT}.`);
}
