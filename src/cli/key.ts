import { type Command, InvalidArgumentError } from "commander";
import { type CreateKey, createdKeySchema, type KeyWire, keyListSchema, keySchema } from "../contract/keys.ts";
import { spanMs } from "../contract/span.ts";
import { type AdminClient, segment } from "./admin-client.ts";
import { type CliIo, emit } from "./cli-io.ts";
import { renderTable, shortInstant } from "./table.ts";

type JsonOption = { readonly json?: boolean };

const CREATE_EXAMPLES = `
Examples:
  key create laptop
  key create ci --expires 90d --json`;

export function addKeyCommands(program: Command, io: CliIo, client: AdminClient): void {
  const key = program.command("key").description("Client keys: who may call the gateway");

  key
    .command("create")
    .description("Create a client key and print it, once")
    .argument("<name>", "1 to 64 characters of A-Z, a-z, 0-9, dot, underscore, hyphen")
    .option("--expires <span>", "after how long it is refused, e.g. 90d (default: never)", parseSpan)
    .option("--json", "print JSON")
    .addHelpText("after", CREATE_EXAMPLES)
    .action(async (name: string, options: JsonOption & { expires?: string }) => {
      const body: CreateKey = options.expires === undefined ? { name } : { name, expiresIn: options.expires };
      const created = await client.post("/api/keys", createdKeySchema, body);
      emit(io, options.json === true, created, (made) => made.key);
      if (options.json !== true) {
        io.stderr(`Created key "${created.name}" (${created.id}). It is not kept and cannot be shown again\n`);
      }
    });

  key
    .command("list")
    .description("List client keys, newest first")
    .option("--json", "print JSON")
    .action(async (options: JsonOption) => {
      emit(io, options.json === true, await client.get("/api/keys", keyListSchema), renderKeys);
    });

  key
    .command("revoke")
    .description("Revoke a client key: it is refused at once")
    .argument("<key>", "name or id")
    .option("--json", "print JSON")
    .action(async (nameOrId: string, options: JsonOption) => {
      const revoked = await client.remove(`/api/keys/${segment(nameOrId)}`, keySchema);
      emit(io, options.json === true, revoked, ({ id, name }) => `Revoked key "${name}" (${id})`);
    });
}

export function parseSpan(text: string): string {
  if (spanMs(text) !== null) return text;
  throw new InvalidArgumentError("It must be a whole number and one of s, m, h, d, w, like 24h.");
}

function renderKeys(keys: readonly KeyWire[]): string {
  if (keys.length === 0) return "No client keys yet";
  const rows = keys.map((key) => [
    key.name,
    key.id,
    key.state,
    shortInstant(key.createdAt),
    shortInstant(key.expiresAt),
    shortInstant(key.lastUsedAt),
  ]);
  return renderTable(["NAME", "ID", "STATE", "CREATED (UTC)", "EXPIRES (UTC)", "LAST USED (UTC)"], rows);
}
