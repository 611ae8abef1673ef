import { timingSafeEqual } from "node:crypto";
import type { ClientKeyRecord, KeyRing } from "../control/ports.ts";
import { parseClientKey } from "../domain/access/client-key.ts";
import type { ClientKeyId } from "../domain/access/client-key-id.ts";
import type { Caller, ClientKeys } from "../gateway/ports.ts";
import type { EpochMs } from "../kernel/time.ts";
import type { Mac } from "./data-key-ring.ts";
import type { Keyring } from "./keyring.ts";

/** The part of a stored key that the check needs. */
export type VerifiableKey = Pick<
  ClientKeyRecord,
  "id" | "name" | "hmac" | "pepperVersion" | "revokedAtMs" | "expiresAtMs"
>;

export type ClientKeyVerifier = ClientKeys &
  KeyRing & {
    set(record: VerifiableKey): void;
    /** Forgets every key that is not among these. */
    replaceAll(records: readonly VerifiableKey[]): void;
  };

type Entry = {
  readonly caller: Caller;
  readonly hmac: Uint8Array;
  readonly mac: Mac;
  readonly expiresAtMs: EpochMs | null;
  /** Stays true when the clock goes back. */
  hasExpired: boolean;
};

/**
 * The keys are found by their public id, not by their digest: an HMAC that was copied into another row then neither
 * hides its owner nor lets anybody in under the other name.
 */
export function createClientKeyVerifier(keyring: Keyring, now: () => EpochMs): ClientKeyVerifier {
  let entries = new Map<ClientKeyId, Entry>();

  const put = (into: Map<ClientKeyId, Entry>, record: VerifiableKey): void => {
    const entry = entryOf(record, keyring.macs("apikey-pepper"));
    if (entry === null) into.delete(record.id);
    else into.set(record.id, entry);
  };

  return {
    // hot path
    verify(presented) {
      const parsed = parseClientKey(presented);
      if (!parsed.ok || parsed.value.type !== "sk") return null;
      const entry = entries.get(parsed.value.keyId);
      if (entry === undefined || !timingSafeEqual(entry.mac.digest(presented), entry.hmac)) return null;
      if (entry.expiresAtMs !== null && now() >= entry.expiresAtMs) entry.hasExpired = true;
      return entry.hasExpired ? null : entry.caller;
    },
    set: (record) => put(entries, record),
    remove(id) {
      entries.delete(id);
    },
    replaceAll(records) {
      const next = new Map<ClientKeyId, Entry>();
      for (const record of records) put(next, record);
      entries = next;
    },
  };
}

/** Null when no presented key can match: revoked, of another pepper, or damaged. */
function entryOf(record: VerifiableKey, macs: readonly Mac[]): Entry | null {
  const mac = macs.find(({ version }) => version === record.pepperVersion);
  if (mac === undefined || record.revokedAtMs !== null || record.hmac.length !== 32) return null;
  return {
    caller: { keyId: record.id, keyName: record.name },
    hmac: record.hmac,
    mac,
    expiresAtMs: record.expiresAtMs,
    hasExpired: false,
  };
}
