import type { Secret } from "../kernel/secret.ts";
import type { SettingValues } from "./settings.ts";

/** Everything that may be printed. `storage.dataDir` is absolute; `log.level` has `log.debug` applied. */
export type Config = SettingValues & {
  /** The file that was read; null when there was none. */
  readonly configPath: string | null;
  /** The name that gives the strategy, e.g. "LB_STRATEGY"; null when nobody gave one, so that a stored one counts. */
  readonly strategyGivenBy: string | null;
  /** Only noticed, so that a first start can offer to add it; the key itself is never kept. */
  readonly hasAnthropicApiKey: boolean;
  /** NODE_EXTRA_CA_CERTS, a file that the runtime reads by itself: its authorities are trusted as upstream's. */
  readonly furtherAuthoritiesFile: string | null;
};

/** Kept apart from `Config`, so that printing a configuration cannot print a secret. */
export type Secrets = {
  /** Base64 or hex of 32 bytes, as given by env or file. Null: the keyring makes or finds its own. */
  readonly encryptionKey: Secret | null;
  /** Words from which the master key is made. Never given together with `encryptionKey`. */
  readonly passphrase: Secret | null;
  /** Signs what goes to `audit.webhookUrl`. */
  readonly auditWebhook: Secret | null;
};

/** "command" is any CLI command that does not serve; it needs nothing that only the server needs. */
export type Purpose = "server" | "command";

/** One mistake. `reason` names the fact, `fix` what to do. Neither holds a secret. */
export type ConfigProblem = {
  /** As the operator wrote it: `PORT`, `--port` or `server.port`. */
  readonly key: string;
  readonly source: "flag" | "env" | "file" | "runtime";
  readonly reason: string;
  readonly fix: string;
};

/** The environment as it was given: unset is undefined. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** One mistake as one readable paragraph: "Cannot use PORT: "http" is not an integer from 0 to 65535. Fix: ...". */
export function renderProblem(problem: ConfigProblem): string {
  return `Cannot use ${problem.key}: ${problem.reason}\n  fix: ${problem.fix}`;
}

export function renderProblems(problems: readonly ConfigProblem[]): string {
  const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
  return [`Cannot start: the configuration has ${count}`, ...problems.map((problem) => renderProblem(problem))].join(
    "\n",
  );
}
