import type { Config } from "./config/config.ts";
import type { AccountService } from "./control/accounts.ts";
import { OPEN_DRAFT } from "./control/key-draft.ts";
import type { KeyService } from "./control/keys.ts";
import type { SetupService } from "./control/people.ts";

export type Welcome = {
  readonly url: string;
  readonly accounts: Pick<AccountService, "list">;
  readonly keys: Pick<KeyService, "list" | "create">;
  readonly setup: Pick<SetupService, "isDone" | "mint">;
  readonly config: Pick<Config, "hasAnthropicApiKey">;
};

/** Whoever starts the gateway for the first time is its operator: the key has no end and no limits. */
const FIRST_KEY = { ...OPEN_DRAFT, name: "default", expiresInMs: "never" } as const;

/** What a start prints: where to connect, and on the first one what to do next. */
export async function welcome({ url, accounts, keys, setup, config }: Welcome): Promise<string> {
  const firstKey = (await keys.list()).length === 0 ? await keys.create(FIRST_KEY) : null;
  const lines = [`better-ccflare listens on ${url}`];
  if (firstKey?.ok === true) {
    lines.push(
      "",
      "The first client key; it is shown this once:",
      `  export ANTHROPIC_BASE_URL=${url}`,
      `  export ANTHROPIC_AUTH_TOKEN=${firstKey.value.disclose()}`,
    );
  }
  if (!setup.isDone()) lines.push(...(await ownerLines(setup, url)));
  if (accounts.list().length === 0) {
    lines.push("", "There is no account yet. Add one:", ...addCommand(config.hasAnthropicApiKey));
  }
  return `${lines.join("\n")}\n`;
}

/** Until there is an owner, the admin API is the CLI's alone: nobody else can prove who they are. */
async function ownerLines(setup: Pick<SetupService, "mint">, url: string): Promise<readonly string[]> {
  const minted = await setup.mint();
  const command = "  npm run -s cli -- setup --name NAME   # asks for the password";
  if (minted === null) return ["", "There is no owner yet, so nobody can sign in. Make one:", command];
  return [
    "",
    "There is no owner yet, so nobody can sign in. The setup secret, good for one owner and 30 minutes:",
    `  ${minted.disclose()}`,
    `Use it at POST ${url}/auth/setup, or make the owner here:`,
    command,
  ];
}

/** Offers the key that is in the environment; the key itself is never read from there. */
function addCommand(hasAnthropicApiKey: boolean): readonly string[] {
  return hasAnthropicApiKey
    ? ['  printf %s "$ANTHROPIC_API_KEY" | npm run -s cli -- account add main --key-stdin']
    : ["  npm run -s cli -- account add main --key-stdin   # then paste the API key"];
}
