import type { Config } from "./config/config.ts";
import type { AccountService } from "./control/accounts.ts";
import type { KeyService } from "./control/keys.ts";

export type Welcome = {
  readonly url: string;
  readonly accounts: Pick<AccountService, "list">;
  readonly keys: Pick<KeyService, "list" | "create">;
  readonly config: Pick<Config, "hasAnthropicApiKey">;
};

const FIRST_KEY_NAME = "default";

/** What a start prints: where to connect, and on the first one what to do next. */
export async function welcome({ url, accounts, keys, config }: Welcome): Promise<string> {
  const firstKey = (await keys.list()).length === 0 ? await keys.create(FIRST_KEY_NAME, null) : null;
  const lines = [`better-ccflare listens on ${url}`];
  if (firstKey?.ok === true) {
    lines.push(
      "",
      "The first client key; it is shown this once:",
      `  export ANTHROPIC_BASE_URL=${url}`,
      `  export ANTHROPIC_AUTH_TOKEN=${firstKey.value.disclose()}`,
    );
  }
  if (accounts.list().length === 0) {
    lines.push("", "There is no account yet. Add one:", ...addCommand(config.hasAnthropicApiKey));
  }
  return `${lines.join("\n")}\n`;
}

/** Offers the key that is in the environment; the key itself is never read from there. */
function addCommand(hasAnthropicApiKey: boolean): readonly string[] {
  return hasAnthropicApiKey
    ? ['  printf %s "$ANTHROPIC_API_KEY" | npm run -s cli -- account add main --key-stdin']
    : ["  npm run -s cli -- account add main --key-stdin   # then paste the API key"];
}
