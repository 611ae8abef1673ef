import {
  DATA_KEY_PURPOSES,
  type DataKeyPurpose,
  type DataKeyStore,
  doesEncrypt,
  type WrappedDataKey,
} from "../control/vault-ports.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import { Secret } from "../kernel/secret.ts";
import type { EpochMs } from "../kernel/time.ts";
import { activeKeyOf, createDataKeyRing, type DataKeyRing, type Mac } from "./data-key-ring.ts";
import { drawDataKey, unwrapDataKeys } from "./data-keys.ts";
import { COUNT_BLOCK, createEncryptionCounts } from "./encryption-counts.ts";
import { dataKeyIdOf, type EnvelopeAddress, openEnvelope, sealEnvelope } from "./envelope.ts";
import type { MasterKey } from "./master-key.ts";

/** tampered: changed, or not of this address. unknown_key: its data key is not here. malformed: not an envelope. */
export type OpenProblem = "tampered" | "unknown_key" | "malformed";

export type Keyring = {
  seal(purpose: DataKeyPurpose, address: EnvelopeAddress, plain: Secret | Uint8Array): Uint8Array;
  open(purpose: DataKeyPurpose, address: EnvelopeAddress, envelope: Uint8Array): Result<Secret, OpenProblem>;
  /** One keyed hash per data key of the purpose, the active one first; a rotation gives another array. */
  macs(purpose: DataKeyPurpose): readonly [Mac, ...Mac[]];
  /** The keys themselves, for what changes them (vault.ts). */
  readonly ring: DataKeyRing;
  /** Overwrites data keys and master key. The keyring must not be used afterwards. */
  close(): void;
};

export type KeyringNeeds = {
  readonly masterKey: MasterKey;
  readonly store: DataKeyStore;
  readonly now: () => EpochMs;
};

/**
 * Opens the stored data keys and makes those that are missing.
 * @throws WrongMasterKey, DataKeyDamaged: before anything is written.
 */
export async function openKeyring({ masterKey, store, now }: KeyringNeeds): Promise<Keyring> {
  const stored = await store.list();
  const keys = await unwrapDataKeys(masterKey, stored);
  const takenIds = new Set(keys.map(({ id }) => id));
  const fresh: WrappedDataKey[] = [];
  for (const purpose of DATA_KEY_PURPOSES) {
    if (keys.some((key) => key.purpose === purpose && key.isActive)) continue;
    const drawn = await drawDataKey(masterKey, purpose, { nowMs: now(), takenIds });
    keys.push(drawn.open);
    takenIds.add(drawn.stored.id);
    fresh.push(drawn.stored);
  }
  if (fresh.length > 0) await store.insert(fresh);
  const counts = createEncryptionCounts(store);
  for (const { id, purpose, state, encryptions } of stored) {
    if (state !== "active" || !doesEncrypt(purpose)) continue;
    // What an earlier process reserved may be used up: this one begins a block of its own.
    await store.reserve(id, COUNT_BLOCK);
    counts.open(id, encryptions + COUNT_BLOCK);
  }
  for (const { id, purpose } of fresh) if (doesEncrypt(purpose)) counts.open(id, COUNT_BLOCK);
  return keyringOf(createDataKeyRing(masterKey, { keys, counts }));
}

function keyringOf(ring: DataKeyRing): Keyring {
  return {
    seal(purpose, address, plain) {
      const key = activeKeyOf(ring.all(), purpose);
      ring.counts.spend(key.id);
      if (!(plain instanceof Secret)) return sealEnvelope(key, address, plain);
      const bytes = Buffer.from(plain.reveal(), "utf8");
      try {
        return sealEnvelope(key, address, bytes);
      } finally {
        bytes.fill(0);
      }
    },

    open(purpose, address, envelope) {
      const id = dataKeyIdOf(envelope);
      if (!id.ok) return id;
      const key = ring.all().find((candidate) => candidate.id === id.value);
      if (key === undefined || key.purpose !== purpose) return err("unknown_key");
      const plain = openEnvelope(key, address, envelope);
      if (plain === null) return err("tampered");
      try {
        return ok(new Secret(`${address.table}.${address.column}`, plain.toString("utf8")));
      } finally {
        plain.fill(0);
      }
    },

    macs: ring.macs,
    ring,
    close: ring.close,
  };
}
