import { type Command, InvalidArgumentError } from "commander";
import {
  type AddAccount,
  accountDetailSchema,
  accountListSchema,
  accountSchema,
  accountTestSchema,
  addedAccountSchema,
  removedAccountSchema,
} from "../contract/accounts.ts";
import { addByLogin, addLoginOptions, addReauthCommand, type LoginOptions } from "./account-login.ts";
import { renderAccount, renderAccounts } from "./account-view.ts";
import { type AdminClient, segment } from "./admin-client.ts";
import { CliFailure, type CliIo, EXIT, emit } from "./cli-io.ts";
import { readSecret } from "./read-secret.ts";
import { printable } from "./table.ts";

type JsonOption = { readonly json?: boolean };

type AddOptions = JsonOption & {
  readonly provider: "anthropic";
  readonly baseUrl?: string;
  readonly keyStdin?: boolean;
  readonly bearerStdin?: boolean;
  readonly priority?: number;
  readonly weight?: number;
  readonly organization?: string;
  readonly workspace?: string;
} & LoginOptions;

const ADD_EXAMPLES = `
Examples:
  account add work --provider anthropic --key-stdin < key.txt
  account add spare --provider anthropic --key-stdin --priority 200 --organization my-org
  account add login --oauth --client-id ID --authorize-url https://idp.example.com/authorize \\
    --token-url https://idp.example.com/token --scope inference --accept-terms`;

const LIST_EXAMPLES = `
Examples:
  account list
  account list --json`;

export function addAccountCommands(program: Command, io: CliIo, client: AdminClient): void {
  const account = program.command("account").description("Accounts that the gateway spreads requests over");
  const reach = { io, client };
  addReadCommands(account, reach);
  addAddCommand(account, reach);
  addSwitch(account, { verb: "pause", done: "Paused", help: "Use an account no more, until it is resumed" }, reach);
  addSwitch(account, { verb: "resume", done: "Resumed", help: "Use an account again and forget its benches" }, reach);
  addRemoveCommand(account, reach);
  addTestCommand(account, reach);
  addReauthCommand(account, reach);
}

type Reach = { readonly io: CliIo; readonly client: AdminClient };
type Switch = { readonly verb: "pause" | "resume"; readonly done: string; readonly help: string };

function addReadCommands(account: Command, { io, client }: Reach): void {
  account
    .command("list")
    .description("List accounts, first used first")
    .option("--json", "print JSON")
    .addHelpText("after", LIST_EXAMPLES)
    .action(async (options: JsonOption) => {
      emit(io, options.json === true, await client.get("/api/accounts", accountListSchema), renderAccounts);
    });

  account
    .command("show")
    .description("Show an account with its windows and models")
    .argument("<account>", "name or id")
    .option("--json", "print JSON")
    .action(async (nameOrId: string, options: JsonOption) => {
      const shown = await client.get(`/api/accounts/${segment(nameOrId)}`, accountDetailSchema);
      emit(io, options.json === true, shown, renderAccount);
    });
}

function addAddCommand(account: Command, reach: Reach): void {
  const add = account
    .command("add")
    .description("Add an account; its key is read from standard input, or asked for, never from the command line")
    .argument("<name>", "1 to 64 characters of A-Z, a-z, 0-9, dot, underscore, hyphen")
    .option("--provider <provider>", "anthropic", parseProvider, "anthropic")
    .option("--key-stdin", "the credential is an API key (sent as x-api-key)")
    .option("--bearer-stdin", "the credential is a bearer token (sent as Authorization)")
    .option("--base-url <url>", "where the provider is (default: https://api.anthropic.com)")
    .option("--priority <number>", "0 to 1000, lower is used first (default: 100)", parseWholeNumber)
    .option("--weight <number>", "1 to 1000, its share in the strategy weighted (default: 1)", parseWholeNumber)
    .option("--organization <id>", "the organization that owns its rate limits (default: learned from its answers)")
    .option("--workspace <id>", "the workspace that owns its prompt cache")
    .option("--json", "print JSON")
    .addHelpText("after", ADD_EXAMPLES);
  addLoginOptions(add).action((name: string, options: AddOptions) => addAccount(name, options, reach));
}

function addRemoveCommand(account: Command, reach: Reach): void {
  account
    .command("remove")
    .description("Remove an account and forget its credential")
    .argument("<account>", "name or id")
    .option("--yes", "do not ask")
    .option("--json", "print JSON")
    .action((nameOrId: string, options: JsonOption & { yes?: boolean }) => removeAccount(nameOrId, options, reach));
}

function addTestCommand(account: Command, { io, client }: Reach): void {
  account
    .command("test")
    .description("Ask the provider whether an account's credential works")
    .argument("<account>", "name or id")
    .option("--json", "print JSON")
    .action(async (nameOrId: string, options: JsonOption) => {
      const tested = await client.post(`/api/accounts/${segment(nameOrId)}/test`, accountTestSchema);
      emit(
        io,
        options.json === true,
        tested,
        ({ name, isOk, detail }) => `${isOk ? "ok" : "FAIL"}  ${name}  ${printable(detail)}`,
      );
      if (!tested.isOk) {
        throw new CliFailure(EXIT.refused, `Cannot use account "${tested.name}": ${tested.detail}`);
      }
    });
}

function addSwitch(parent: Command, { verb, done, help }: Switch, { io, client }: Reach): void {
  parent
    .command(verb)
    .description(help)
    .argument("<account>", "name or id")
    .option("--json", "print JSON")
    .action(async (nameOrId: string, options: JsonOption) => {
      const changed = await client.post(`/api/accounts/${segment(nameOrId)}/${verb}`, accountSchema);
      emit(io, options.json === true, changed, ({ name, state }) => `${done} account "${name}"; it is ${state}`);
    });
}

async function addAccount(name: string, options: AddOptions, { io, client }: Reach): Promise<void> {
  const ways = [options.keyStdin, options.bearerStdin, options.oauth].filter((way) => way === true);
  if (ways.length !== 1) {
    throw new CliFailure(EXIT.usage, "Cannot add account: give exactly one of --key-stdin, --bearer-stdin and --oauth");
  }
  if (options.oauth === true) return addByLogin(fieldsOf(name, options), options, { io, client });
  const credential = await readSecret(io, options.keyStdin === true ? "API key" : "Bearer token");
  const body: AddAccount = {
    ...fieldsOf(name, options),
    credential,
    credentialKind: options.keyStdin === true ? "api_key" : "bearer",
  };
  const added = await client.post("/api/accounts", addedAccountSchema, body);
  emit(
    io,
    options.json === true,
    added,
    ({ id, modelCount }) => `Added account "${name}" (${id}); ${modelCount} models`,
  );
  if (added.warning !== null) io.stderr(`warning: ${printable(added.warning)}\n`);
}

function fieldsOf(name: string, options: AddOptions) {
  return {
    name,
    provider: options.provider,
    ...(options.baseUrl === undefined ? {} : { baseUrl: options.baseUrl }),
    ...(options.priority === undefined ? {} : { priority: options.priority }),
    ...(options.weight === undefined ? {} : { weight: options.weight }),
    ...(options.organization === undefined ? {} : { organization: options.organization }),
    ...(options.workspace === undefined ? {} : { workspace: options.workspace }),
  };
}

async function removeAccount(nameOrId: string, options: JsonOption & { yes?: boolean }, { io, client }: Reach) {
  if (options.yes !== true) {
    if (!io.isTty) {
      throw new CliFailure(EXIT.usage, "Cannot remove account: nobody is there to ask", "give --yes");
    }
    const shown = await client.get(`/api/accounts/${segment(nameOrId)}`, accountSchema);
    const answer = await io.ask(`Remove account "${shown.name}" and forget its credential? [y/N] `, {
      isHidden: false,
    });
    if (!/^y(es)?$/i.test(answer.trim()))
      throw new CliFailure(EXIT.refused, "Cannot remove account: you did not confirm");
  }
  const removed = await client.remove(`/api/accounts/${segment(nameOrId)}`, removedAccountSchema);
  emit(io, options.json === true, removed, ({ name }) => `Removed account "${name}"`);
}

function parseProvider(text: string): "anthropic" {
  if (text === "anthropic") return text;
  throw new InvalidArgumentError("The only provider is anthropic.");
}

function parseWholeNumber(text: string): number {
  if (/^[0-9]{1,6}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It must be a whole number.");
}
