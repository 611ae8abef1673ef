import type { CredentialKind } from "../domain/account/account.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import type { Secret } from "../kernel/secret.ts";
import { parseLabel, parseName } from "./name.ts";
import type { BaseUrlRule } from "./ports.ts";
import { type Refusal, refusal } from "./refusal.ts";

const DEFAULT_BASE_URL = "https://api.anthropic.com";
const DEFAULT_PRIORITY = 100;
const MAX_PRIORITY = 1000;
const DEFAULT_WEIGHT = 1;
const MAX_WEIGHT = 1000;

export type AddAccountCommand = {
  readonly name: string;
  readonly provider: "anthropic";
  readonly credential: Secret;
  readonly credentialKind: CredentialKind;
  /** Null means https://api.anthropic.com. */
  readonly baseUrl: string | null;
  /** 0..1000, lower is used first. Null means 100. */
  readonly priority: number | null;
  /** 1..1000, share in the strategy `weighted`. Null means 1. */
  readonly weight: number | null;
  readonly organization: string | null;
  readonly workspace: string | null;
};

/** What every account has, however its credential comes. */
export type AccountFields = Omit<AddAccountCommand, "credential" | "credentialKind">;

/** A command whose every field keeps its rule. */
export type AccountDraft<Command extends AccountFields = AddAccountCommand> = Omit<
  Command,
  "baseUrl" | "priority" | "weight"
> & {
  readonly baseUrl: string;
  readonly priority: number;
  readonly weight: number;
};

/** The first field that breaks its rule refuses the whole command. */
export function parseAccountDraft<Command extends AccountFields>(
  command: Command,
  rule: BaseUrlRule,
): Result<AccountDraft<Command>, Refusal> {
  const name = parseName("add account", command.name);
  if (!name.ok) return name;
  const doing = `add account "${name.value}"`;

  const priority = command.priority ?? DEFAULT_PRIORITY;
  if (!Number.isInteger(priority) || priority < 0 || priority > MAX_PRIORITY) {
    const fact = `priority must be a whole number from 0 to ${MAX_PRIORITY}, not ${priority}`;
    return err(refusal("priority_out_of_range", `Cannot ${doing}: ${fact}`, "priority"));
  }
  const weight = command.weight ?? DEFAULT_WEIGHT;
  if (!Number.isInteger(weight) || weight < 1 || weight > MAX_WEIGHT) {
    const fact = `weight must be a whole number from 1 to ${MAX_WEIGHT}, not ${weight}`;
    return err(refusal("weight_out_of_range", `Cannot ${doing}: ${fact}`, "weight"));
  }
  const baseUrl = rule(command.baseUrl ?? DEFAULT_BASE_URL);
  if (!baseUrl.ok) return err(refusal("base_url_refused", `Cannot ${doing}: ${baseUrl.error}`, "baseUrl"));

  const organization = parseLabel(doing, "organization", command.organization);
  if (!organization.ok) return organization;
  const workspace = parseLabel(doing, "workspace", command.workspace);
  if (!workspace.ok) return workspace;

  return ok({ ...command, baseUrl: baseUrl.value, priority, weight });
}
