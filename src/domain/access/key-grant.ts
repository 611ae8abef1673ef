import type { IpAddress, IpNetwork } from "./ip-address.ts";
import { isInNetwork } from "./ip-address.ts";

/** What a client key may do. Null: no such restriction. */
export type KeyGrant = {
  /** Exact model ids, or the beginning of one and a "*". */
  readonly models: readonly string[] | null;
  /** From where it may be used. */
  readonly networks: readonly IpNetwork[] | null;
};

export const OPEN_GRANT: KeyGrant = { models: null, networks: null };

/** An empty request model is no model that anybody allowed. */
export function isModelAllowed({ models }: KeyGrant, model: string | null): boolean {
  if (models === null) return true;
  return model !== null && models.some((pattern) => matches(pattern, model));
}

/** `address` is a plain one; null when it is not known, which no list allows. */
export function isAddressAllowed({ networks }: KeyGrant, address: IpAddress | null): boolean {
  if (networks === null) return true;
  return address !== null && networks.some((network) => isInNetwork(address, network));
}

function matches(pattern: string, model: string): boolean {
  return pattern.endsWith("*") ? model.startsWith(pattern.slice(0, -1)) : model === pattern;
}
