import { randomBytes, randomInt, timingSafeEqual } from "node:crypto";
import type { DataKeyPurpose, WrappedDataKey } from "../control/vault-ports.ts";
import type { EpochMs } from "../kernel/time.ts";
import { KEY_BYTES } from "./aead.ts";
import type { DataKey } from "./envelope.ts";
import { DataKeyDamaged, WrongMasterKey } from "./keyring-error.ts";
import { lengthPrefixed, uint32, uint64 } from "./length-prefixed.ts";
import type { MasterKey } from "./master-key.ts";

export type OpenDataKey = DataKey & {
  readonly purpose: DataKeyPurpose;
  readonly isActive: boolean;
  readonly key: Buffer;
};

const MAX_DATA_KEY_ID = 2 ** 31 - 1;

/**
 * Opens stored data keys.
 * @throws WrongMasterKey when another master key wrapped one of them, DataKeyDamaged when one was changed.
 */
export function unwrapDataKeys(masterKey: MasterKey, stored: readonly WrappedDataKey[]): OpenDataKey[] {
  for (const { kekId } of stored) {
    if (kekId !== masterKey.id) throw new WrongMasterKey(kekId, masterKey.id);
  }
  return stored.map((wrapped) => {
    const key = masterKey.unwrap(wrapAddress(wrapped), wrapped.wrapped);
    if (key === null || key.length !== KEY_BYTES) throw new DataKeyDamaged(wrapped.id);
    return { id: wrapped.id, purpose: wrapped.purpose, isActive: wrapped.state === "active", key };
  });
}

export type DrawnDataKey = { readonly open: OpenDataKey; readonly stored: WrappedDataKey };

/** A fresh data key and its stored form. `takenIds` are never drawn again. */
export function drawDataKey(
  masterKey: MasterKey,
  purpose: DataKeyPurpose,
  context: { readonly nowMs: EpochMs; readonly takenIds: ReadonlySet<number> },
): DrawnDataKey {
  let id = randomInt(1, MAX_DATA_KEY_ID);
  while (context.takenIds.has(id)) id = randomInt(1, MAX_DATA_KEY_ID);
  const key = randomBytes(KEY_BYTES);
  const fields = { id, purpose, kekId: masterKey.id, createdAtMs: context.nowMs };
  const wrapped = masterKey.wrap(wrapAddress(fields), key);
  return { open: { id, purpose, isActive: true, key }, stored: { ...fields, wrapped, state: "active" } };
}

/**
 * The stored form of the same keys under another master key.
 * @throws DataKeyDamaged when one is stored that is not open here: it would be lost.
 */
export function rewrapDataKeys(
  masterKey: MasterKey,
  open: readonly OpenDataKey[],
  stored: readonly WrappedDataKey[],
): readonly WrappedDataKey[] {
  const byId = new Map(open.map((each) => [each.id, each]));
  return stored.map((before) => {
    const key = byId.get(before.id);
    if (key === undefined || key.purpose !== before.purpose) throw new DataKeyDamaged(before.id);
    const after = { ...before, kekId: masterKey.id };
    return { ...after, wrapped: masterKey.wrap(wrapAddress(after), key.key) };
  });
}

/** The stored keys that do not open to the very key that is open here; empty when all is well. */
export function differingKeys(
  masterKey: MasterKey,
  open: readonly OpenDataKey[],
  stored: readonly WrappedDataKey[],
): readonly number[] {
  const missing = open.filter(({ id }) => !stored.some((each) => each.id === id)).map(({ id }) => id);
  const differing = stored.filter((wrapped) => {
    const key = masterKey.unwrap(wrapAddress(wrapped), wrapped.wrapped);
    const held = open.find(({ id }) => id === wrapped.id);
    const isSame = key !== null && held !== undefined && key.length === KEY_BYTES && timingSafeEqual(key, held.key);
    key?.fill(0);
    return !isSame;
  });
  return [...missing, ...differing.map(({ id }) => id)];
}

/** security.md D3.4: LP("bccf", "dek", v1, dek_id, purpose, kek_id, created_at). */
function wrapAddress(key: Pick<WrappedDataKey, "id" | "purpose" | "kekId" | "createdAtMs">): Uint8Array {
  return lengthPrefixed([
    "bccf",
    "dek",
    Uint8Array.of(1),
    uint32(key.id),
    key.purpose,
    key.kekId,
    uint64(key.createdAtMs),
  ]);
}
