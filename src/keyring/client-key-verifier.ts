import { timingSafeEqual } from "node:crypto";
import type { ClientKeyRecord, KeyRing } from "../control/ports.ts";
import { parseClientKey } from "../domain/access/client-key.ts";
import type { ClientKeyId } from "../domain/access/client-key-id.ts";
import type { Caller, ClientKeys } from "../gateway/ports.ts";
import type { EpochMs } from "../kernel/time.ts";
import type { Keyring } from "./keyring.ts";

/** The part of a stored key that the check needs. */
export type VerifiableKey = Pick<
  ClientKeyRecord,
  "id" | "name" | "hmac" | "pepperVersion" | "access" | "revokedAtMs" | "expiresAtMs"
>;

export type ClientKeyVerifier = ClientKeys &
  KeyRing & {
    set(record: VerifiableKey): void;
    /** Forgets every key that is not among these. */
    replaceAll(records: readonly VerifiableKey[]): void;
  };

type Entry = {
  readonly id: ClientKeyId;
  readonly caller: Caller;
  readonly hmac: Uint8Array;
  readonly pepperVersion: number;
  readonly expiresAtMs: EpochMs | null;
  /** Stays true when the clock goes back. */
  hasExpired: boolean;
  /** Another one whose HMAC begins alike: by chance, or because a row was copied. */
  next: Entry | null;
};

/** By id, and by the first bytes of the HMAC. Chained, not in arrays: among 100,000 keys those took 10 MiB. */
type Index = { readonly byId: Map<ClientKeyId, Entry>; readonly byHmac: Map<number, Entry> };

type Presented = { readonly digest: Uint8Array; readonly pepperVersion: number };

const HMAC_BYTES = 32;

/**
 * A key is found by its HMAC, never by its id: whether the id exists changes nothing until the secret is right, so the
 * time tells nobody which ids there are. The id counts all the same: an HMAC that was copied into another row neither
 * hides its owner nor lets anybody in under the other name.
 */
export function createClientKeyVerifier(keyring: Keyring, now: () => EpochMs): ClientKeyVerifier {
  let index = emptyIndex();

  return {
    // hot path
    verify(presented) {
      const parsed = parseClientKey(presented);
      if (!parsed.ok || parsed.value.type !== "sk") return null;
      const { keyId } = parsed.value;
      for (const mac of keyring.macs("apikey-pepper")) {
        const entry = find(index, keyId, { digest: mac.digest(presented), pepperVersion: mac.version });
        if (entry === null) continue;
        if (entry.expiresAtMs !== null && now() >= entry.expiresAtMs) entry.hasExpired = true;
        return entry.hasExpired ? null : entry.caller;
      }
      return null;
    },
    set: (record) => put(index, record),
    remove: (id) => drop(index, id),
    replaceAll(records) {
      const next = emptyIndex();
      for (const record of records) put(next, record);
      index = next;
    },
  };
}

function emptyIndex(): Index {
  return { byId: new Map(), byHmac: new Map() };
}

// hot path
function find({ byHmac }: Index, id: ClientKeyId, { digest, pepperVersion }: Presented): Entry | null {
  for (let entry = byHmac.get(prefixOf(digest)) ?? null; entry !== null; entry = entry.next) {
    const isSameRow = entry.id === id && entry.pepperVersion === pepperVersion;
    if (isSameRow && timingSafeEqual(digest, entry.hmac)) return entry;
  }
  return null;
}

function put(index: Index, record: VerifiableKey): void {
  drop(index, record.id);
  const entry = entryOf(record);
  if (entry === null) return;
  index.byId.set(entry.id, entry);
  const prefix = prefixOf(entry.hmac);
  entry.next = index.byHmac.get(prefix) ?? null;
  index.byHmac.set(prefix, entry);
}

function drop({ byId, byHmac }: Index, id: ClientKeyId): void {
  const entry = byId.get(id);
  if (entry === undefined) return;
  byId.delete(id);
  const prefix = prefixOf(entry.hmac);
  const first = byHmac.get(prefix);
  if (first === entry) {
    if (entry.next === null) byHmac.delete(prefix);
    else byHmac.set(prefix, entry.next);
    return;
  }
  let before = first;
  while (before !== undefined && before.next !== entry) before = before.next ?? undefined;
  if (before !== undefined) before.next = entry.next;
}

/** Null when no presented key can match: revoked, or damaged. */
function entryOf(record: VerifiableKey): Entry | null {
  if (record.revokedAtMs !== null || record.hmac.length !== HMAC_BYTES) return null;
  return {
    id: record.id,
    caller: { keyId: record.id, keyName: record.name, access: record.access },
    hmac: record.hmac,
    pepperVersion: record.pepperVersion,
    expiresAtMs: record.expiresAtMs,
    hasExpired: false,
    next: null,
  };
}

/** 32 bits: among 100,000 keys about one pair shares them. */
function prefixOf(hmac: Uint8Array): number {
  return ((hmac[0] ?? 0) << 24) | ((hmac[1] ?? 0) << 16) | ((hmac[2] ?? 0) << 8) | (hmac[3] ?? 0);
}
