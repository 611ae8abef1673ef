import type { ClientKeyId } from "./client-key-id.ts";
import type { KeyGrant } from "./key-grant.ts";
import type { KeyLimits } from "./key-limits.ts";

/** What a client key may do and take. */
export type KeyAccess = {
  readonly grant: KeyGrant;
  readonly limits: KeyLimits;
  /** Whose meter counts: the first key of a rotation, so that the old and the new one share what they may take. */
  readonly meterId: ClientKeyId;
};
