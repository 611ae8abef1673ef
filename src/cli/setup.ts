import type { Command } from "commander";
import { mintedSetupSchema, signedInSchema } from "../contract/sign-in.ts";
import type { AdminClient } from "./admin-client.ts";
import { type CliIo, emit } from "./cli-io.ts";
import { shortInstant } from "./table.ts";
import { readPassword } from "./user.ts";

type SetupOptions = { readonly name?: string; readonly passwordStdin?: boolean; readonly json?: boolean };

const EXAMPLES = `
Examples:
  setup                  # prints the setup secret, for POST /auth/setup
  setup --name alice     # makes the owner here and now; asks for the password`;

/** The first owner. Whoever may open the Unix socket may make one. */
export function addSetupCommand(program: Command, io: CliIo, client: AdminClient): void {
  program
    .command("setup")
    .description("Print the setup secret while there is no owner, or make the owner with it")
    .option("--name <name>", "make the owner of this name")
    .option("--password-stdin", "read the owner's password from standard input")
    .option("--json", "print JSON")
    .addHelpText("after", EXAMPLES)
    .action(async (options: SetupOptions) => {
      const isJson = options.json === true;
      if (options.name === undefined) {
        const minted = await client.post("/api/setup", mintedSetupSchema);
        emit(io, isJson, minted, ({ secret }) => secret);
        if (!isJson) io.stderr(`It is good for one owner, until ${shortInstant(minted.expiresAt)} UTC\n`);
        return;
      }
      const password = await readPassword(io, options, "Password of the owner, at least 15 characters: ");
      const { secret } = await client.post("/api/setup", mintedSetupSchema);
      const signedIn = await client.post("/auth/setup", signedInSchema, { secret, name: options.name, password });
      const { user } = signedIn;
      emit(io, isJson, { user }, () => `Made owner "${user?.name}". Enrol a second factor at the first login`);
    });
}
