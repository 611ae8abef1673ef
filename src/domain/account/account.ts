import type { Brand } from "../../kernel/brand.ts";
import type { EpochMs } from "../../kernel/time.ts";

export type AccountId = Brand<string, "AccountId">;

/** Who owns the rate limits: the organization when it is known, else the account itself. */
export type LimitGroup = Brand<string, "LimitGroup">;

/** Who owns the prompt cache: a workspace of an organization. See `cacheGroupOf`. */
export type CacheGroup = Brand<string, "CacheGroup">;

/** Models that share one rate limit, e.g. "opus". See `modelClassOf`. */
export type ModelClass = Brand<string, "ModelClass">;

/** `api_key` goes upstream as `x-api-key`, `bearer` as `Authorization: Bearer`. */
export type CredentialKind = "api_key" | "bearer";

/** One credential at one provider, without the secret itself. */
export type Account = {
  readonly id: AccountId;
  /** Unique, 1..64 characters of [A-Za-z0-9._-]. */
  readonly name: string;
  readonly provider: "anthropic";
  /** Normalised: scheme, host, port and optional path prefix, no trailing slash. */
  readonly baseUrl: string;
  readonly credentialKind: CredentialKind;
  /** Lower is used first. 0..1000, default 100. */
  readonly priority: number;
  /** Share of the new work in the strategy `weighted`, against the others of its tier. 1..1000, default 1. */
  readonly weight: number;
  /** What the operator declared, else what the provider named in `anthropic-organization-id`; null while unknown. */
  readonly organization: string | null;
  readonly workspace: string | null;
  readonly isPaused: boolean;
  readonly createdAtMs: EpochMs;
  /** Models that the provider listed for this credential; empty when not known yet. */
  readonly models: readonly KnownModel[];
};

export type KnownModel = { readonly id: string; readonly displayName: string };

export function accountId(value: string): AccountId {
  return value as AccountId;
}

export function limitGroupOf(account: Pick<Account, "id" | "organization">): LimitGroup {
  return (
    account.organization === null ? `account:${account.id}` : `organization:${account.organization}`
  ) as LimitGroup;
}

/**
 * Accounts of one workspace read each other's prompt cache (protocol.md D). A credential without a declared workspace
 * is taken to be in the default one. An account of unknown organization shares its cache with nobody.
 */
export function cacheGroupOf(account: Pick<Account, "id" | "organization" | "workspace">): CacheGroup {
  return `${limitGroupOf(account)}/${account.workspace ?? "default"}` as CacheGroup;
}
