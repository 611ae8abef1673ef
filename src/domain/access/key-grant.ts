import { isInAny } from "./client-address.ts";
import type { IpAddress, IpNetwork } from "./ip-address.ts";

/** What a client key may be used for: each part of the Claude API that the gateway tells apart, and what is its own. */
export const KEY_SCOPES = [
  "messages",
  "count_tokens",
  "models",
  "batches",
  "files",
  "other",
  "metrics",
  "passthrough",
] as const;
export type KeyScope = (typeof KEY_SCOPES)[number];

/** What a client key may do. Null: no such restriction. */
export type KeyGrant = {
  /** Without a list every scope but `passthrough`, which must be named. */
  readonly scopes: readonly KeyScope[] | null;
  /** Exact model ids, or the beginning of one and a "*". */
  readonly models: readonly string[] | null;
  /** From where it may be used. */
  readonly networks: readonly IpNetwork[] | null;
};

export const OPEN_GRANT: KeyGrant = { scopes: null, models: null, networks: null };

// hot path
export function isScopeAllowed({ scopes }: KeyGrant, scope: KeyScope): boolean {
  return scopes === null ? scope !== "passthrough" : scopes.includes(scope);
}

/** An empty request model is no model that anybody allowed. */
// hot path
export function isModelAllowed({ models }: KeyGrant, model: string | null): boolean {
  if (models === null) return true;
  return model !== null && models.some((pattern) => matches(pattern, model));
}

/** `address` is a plain one; null when it is not known, which no list allows. */
// hot path
export function isAddressAllowed({ networks }: KeyGrant, address: IpAddress | null): boolean {
  return networks === null || isInAny(address, networks);
}

function matches(pattern: string, model: string): boolean {
  return pattern.endsWith("*") ? model.startsWith(pattern.slice(0, -1)) : model === pattern;
}
