import type { Command } from "commander";
import { doneSchema } from "../contract/sign-in.ts";
import { createdTokenSchema, type TokenWire, tokenListSchema } from "../contract/tokens.ts";
import { type AdminClient, segment } from "./admin-client.ts";
import { type CliIo, emit } from "./cli-io.ts";
import { parseSpan } from "./key.ts";
import { renderTable, shortInstant } from "./table.ts";

type UserOption = { readonly user: string; readonly json?: boolean };

const OWNER = "whose token: name or id";

function ofUser({ user }: UserOption): string {
  return `?user=${encodeURIComponent(user)}`;
}

/** Admin tokens belong to a user; the Unix socket is nobody in particular, so each command says who is meant. */
export function addTokenCommands(program: Command, io: CliIo, client: AdminClient): void {
  const token = program.command("token").description("Admin tokens: what programs call the admin API with");

  token
    .command("create")
    .description("Create an admin token and print it, once")
    .argument("<name>", "1 to 64 characters of A-Z, a-z, 0-9, dot, underscore, hyphen")
    .requiredOption("--user <user>", OWNER)
    .option("--expires <span>", "after how long it is refused, at most 365d (default: 90d)", parseSpan)
    .option("--json", "print JSON")
    .action(async (name: string, options: UserOption & { readonly expires?: string }) => {
      const { user, expires } = options;
      const body = expires === undefined ? { user, name } : { user, name, expiresIn: expires };
      const created = await client.post("/api/tokens", createdTokenSchema, body);
      emit(io, options.json === true, created, (made) => made.token);
    });
  token
    .command("list")
    .description("List the admin tokens of a user, newest first")
    .requiredOption("--user <user>", OWNER)
    .option("--json", "print JSON")
    .action(async (options: UserOption) => {
      emit(io, options.json === true, await client.get(`/api/tokens${ofUser(options)}`, tokenListSchema), renderTokens);
    });
  token
    .command("revoke")
    .description("Revoke an admin token: it is refused at once")
    .argument("<token>", "name or id")
    .requiredOption("--user <user>", OWNER)
    .option("--json", "print JSON")
    .action(async (nameOrId: string, options: UserOption) => {
      const done = await client.remove(`/api/tokens/${segment(nameOrId)}${ofUser(options)}`, doneSchema);
      emit(io, options.json === true, done, () => `Revoked token "${nameOrId}"`);
    });
}

function renderTokens(tokens: readonly TokenWire[]): string {
  if (tokens.length === 0) return "No admin tokens yet";
  const rows = tokens.map((token) => [
    token.name,
    token.id,
    token.state,
    shortInstant(token.createdAt),
    shortInstant(token.expiresAt),
    shortInstant(token.lastUsedAt),
  ]);
  return renderTable(["NAME", "ID", "STATE", "CREATED (UTC)", "EXPIRES (UTC)", "LAST USED (UTC)"], rows);
}
