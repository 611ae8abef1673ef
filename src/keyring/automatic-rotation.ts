import { type DataKeyPurpose, type DataKeyStore, doesEncrypt } from "../control/vault-ports.ts";
import type { EpochMs } from "../kernel/time.ts";
import type { EncryptionCounts } from "./encryption-counts.ts";

/** When a data key has sealed long enough. */
export type DataKeyLimits = {
  /** Default 2^24: two random 96-bit nonces are then the same with a chance of about 2^-49. */
  readonly encryptions: number;
  /** Default 90 days. */
  readonly ageMs: number;
  /** How often this is looked at; default one minute. */
  readonly checkMs: number;
};

export const DEFAULT_LIMITS: DataKeyLimits = { encryptions: 2 ** 24, ageMs: 90 * 24 * 60 * 60 * 1000, checkMs: 60_000 };

/** The purposes whose active data key has reached a limit. */
export async function wornPurposes(
  keys: { readonly store: Pick<DataKeyStore, "list">; readonly counts: EncryptionCounts },
  limits: DataKeyLimits,
  nowMs: EpochMs,
): Promise<readonly DataKeyPurpose[]> {
  const stored = await keys.store.list();
  return stored
    .filter(({ state, purpose }) => state === "active" && doesEncrypt(purpose))
    .filter(({ id, createdAtMs }) => {
      return keys.counts.made(id) >= limits.encryptions || nowMs - createdAtMs >= limits.ageMs;
    })
    .map(({ purpose }) => purpose);
}
