import { type Command, Option } from "commander";
import { doneSchema } from "../contract/sign-in.ts";
import { roleSchema, type UserWire, userListSchema, userSchema } from "../contract/users.ts";
import { type AdminClient, segment } from "./admin-client.ts";
import { CliFailure, type CliIo, EXIT, emit } from "./cli-io.ts";
import { renderTable, shortInstant } from "./table.ts";

type JsonOption = { readonly json?: boolean };

const CREATE_EXAMPLES = `
Examples:
  user create bob --role member            # asks for the password of the first login
  printf %s "$PASSWORD" | user create bob --role operator --password-stdin`;

/** People who sign in. Passwords come from a prompt or standard input, never from argv. */
export function addUserCommands(program: Command, io: CliIo, client: AdminClient): void {
  const user = program.command("user").description("People who may sign in, and what they may do");
  addCreate(user, io, client);

  user
    .command("list")
    .description("List users")
    .option("--json", "print JSON")
    .action(async (options: JsonOption) => {
      emit(io, options.json === true, await client.get("/api/users", userListSchema), renderUsers);
    });
  user
    .command("role")
    .description("Give a user another role; all sessions of theirs end")
    .argument("<user>", "name or id")
    .argument("<role>", roleSchema.options.join(", "))
    .option("--json", "print JSON")
    .action(async (nameOrId: string, role: string, options: JsonOption) => {
      const changed = await client.put(`/api/users/${segment(nameOrId)}/role`, userSchema, { role });
      emit(io, options.json === true, changed, (made) => `${made.name} is ${made.role} now`);
    });
  addPassword(user, io, client);
  addSwitch(user, { io, client, name: "disable", description: "Let a user in no more; their sessions and keys stop" });
  addSwitch(user, { io, client, name: "enable", description: "Let a user in again" });
  addSwitch(user, { io, client, name: "reset-mfa", description: "Forget a user's second factor and recovery codes" });
  addSwitch(user, { io, client, name: "end-sessions", description: "Sign a user out everywhere" });
  user
    .command("remove")
    .description("Remove a user")
    .argument("<user>", "name or id")
    .option("--json", "print JSON")
    .action(async (nameOrId: string, options: JsonOption) => {
      const done = await client.remove(`/api/users/${segment(nameOrId)}`, doneSchema);
      emit(io, options.json === true, done, () => `Removed user "${nameOrId}"`);
    });
}

type CreateOptions = JsonOption & { readonly role: string; readonly passwordStdin?: boolean };

function addCreate(user: Command, io: CliIo, client: AdminClient): void {
  user
    .command("create")
    .description("Create a user with a password for the first login, which must change it within 24 h")
    .argument("<name>", "1 to 64 characters of a-z, 0-9, dot, underscore, hyphen")
    .addOption(new Option("--role <role>", "what they may do").choices(roleSchema.options).default("member"))
    .option("--password-stdin", "read the password from standard input")
    .option("--json", "print JSON")
    .addHelpText("after", CREATE_EXAMPLES)
    .action(async (name: string, options: CreateOptions) => {
      const password = await readPassword(io, options);
      const created = await client.post("/api/users", userSchema, { name, role: options.role, password });
      emit(io, options.json === true, created, (made) => `Created ${made.role} "${made.name}" (${made.id})`);
    });
}

function addPassword(user: Command, io: CliIo, client: AdminClient): void {
  user
    .command("password")
    .description("Give a user a password for one login within 24 h")
    .argument("<user>", "name or id")
    .option("--password-stdin", "read the password from standard input")
    .option("--json", "print JSON")
    .action(async (nameOrId: string, options: JsonOption & { readonly passwordStdin?: boolean }) => {
      const password = await readPassword(io, options);
      const changed = await client.post(`/api/users/${segment(nameOrId)}/password`, userSchema, { password });
      emit(io, options.json === true, changed, (made) => `${made.name} has another password for one login`);
    });
}

type Switch = {
  readonly io: CliIo;
  readonly client: AdminClient;
  readonly name: string;
  readonly description: string;
};

function addSwitch(user: Command, { io, client, name, description }: Switch): void {
  user
    .command(name)
    .description(description)
    .argument("<user>", "name or id")
    .option("--json", "print JSON")
    .action(async (nameOrId: string, options: JsonOption) => {
      const changed = await client.post(`/api/users/${segment(nameOrId)}/${name}`, userSchema);
      emit(io, options.json === true, changed, (made) => renderUsers([made]));
    });
}

/** @throws CliFailure when nobody can be asked. */
export async function readPassword(
  io: CliIo,
  { passwordStdin }: { readonly passwordStdin?: boolean },
  question = "Password for the first login, at least 15 characters: ",
): Promise<string> {
  if (passwordStdin === true) return (await io.stdin()).replace(/\r?\n$/, "");
  if (!io.isTty) {
    throw new CliFailure(EXIT.usage, "Cannot ask for the password: nobody types here", "add --password-stdin");
  }
  return io.ask(question, { isHidden: true });
}

function renderUsers(users: readonly UserWire[]): string {
  if (users.length === 0) return "No users yet";
  const rows = users.map((user) => [
    user.name,
    user.id,
    user.role,
    user.state,
    user.hasTotp ? "yes" : "no",
    shortInstant(user.lastLoginAt),
  ]);
  return renderTable(["NAME", "ID", "ROLE", "STATE", "2ND FACTOR", "LAST LOGIN (UTC)"], rows);
}
