import type { ConfigProblem, Environment } from "./config.ts";
import { nearest } from "./nearest.ts";
import { placedSettings } from "./settings.ts";

const PREFIX = "BETTER_CCFLARE_";

export const ENCRYPTION_KEY_ENV = "BETTER_CCFLARE_ENCRYPTION_KEY";
export const PASSPHRASE_FILE_ENV = "BETTER_CCFLARE_PASSPHRASE_FILE";
export const WEBHOOK_SECRET_FILE_ENV = "BETTER_CCFLARE_AUDIT_WEBHOOK_SECRET_FILE";
export const CONFIG_PATH_ENV = "BETTER_CCFLARE_CONFIG_PATH";

/** Names whose value is a secret: never printed, removed from `process.env` once read. */
export const SECRET_ENV_NAMES = [ENCRYPTION_KEY_ENV, "DATABASE_URL", "REDIS_URL", "ANTHROPIC_API_KEY"] as const;

/** Not settings: where the tests find the executable, and how the launcher says that it was called. */
const TOOL_NAMES = ["BETTER_CCFLARE_EXECUTABLE", "BETTER_CCFLARE_PROGRAM"];

/** Prefixed names that are a mistake: nobody reads them. */
export function unknownEnvNames(env: Environment): readonly ConfigProblem[] {
  const settings = placedSettings().flatMap(({ setting }) => (setting.env === undefined ? [] : [setting.env]));
  const secrets = [ENCRYPTION_KEY_ENV, `${ENCRYPTION_KEY_ENV}_FILE`, PASSPHRASE_FILE_ENV, WEBHOOK_SECRET_FILE_ENV];
  const offered = [...settings, ...secrets, CONFIG_PATH_ENV];
  const known = new Set([...offered, ...TOOL_NAMES]);
  return Object.keys(env)
    .filter((name) => name.toUpperCase().startsWith(PREFIX) && env[name] !== undefined && !known.has(name))
    .map((name) => ({
      key: name,
      source: "env",
      reason: "no setting has this name",
      fix: `use ${nearest(name, offered) ?? CONFIG_PATH_ENV}, which is written most like it, or unset it`,
    }));
}

/** Names that belong to the product but not to this version: setting them would promise what does not happen. */
export function namesOfLaterVersions(env: Environment): readonly ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  for (const [base, engine] of [
    ["DATABASE_URL", "PostgreSQL"],
    ["REDIS_URL", "Redis or Valkey"],
  ] as const) {
    for (const key of [base, `${base}_FILE`].filter((name) => env[name] !== undefined)) {
      const reason = `this version runs as one process on SQLite and does not use ${engine}`;
      problems.push({ key, source: "env", reason, fix: `unset ${key}` });
    }
  }
  return problems;
}
