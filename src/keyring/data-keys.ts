import { randomBytes, randomInt, timingSafeEqual } from "node:crypto";
import { type DataKeyPurpose, doesEncrypt, type WrappedDataKey } from "../control/vault-ports.ts";
import type { EpochMs } from "../kernel/time.ts";
import { KEY_BYTES } from "./aead.ts";
import { COUNT_BLOCK } from "./encryption-counts.ts";
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
export async function unwrapDataKeys(masterKey: MasterKey, stored: readonly WrappedDataKey[]): Promise<OpenDataKey[]> {
  for (const { kekId } of stored) {
    if (kekId !== masterKey.id) throw new WrongMasterKey(kekId, masterKey.id);
  }
  const open: OpenDataKey[] = [];
  for (const wrapped of stored) {
    const key = await masterKey.unwrap(wrapAddress(wrapped), wrapped.wrapped);
    if (key === null || key.length !== KEY_BYTES) throw new DataKeyDamaged(wrapped.id);
    open.push({ id: wrapped.id, purpose: wrapped.purpose, isActive: wrapped.state === "active", key });
  }
  return open;
}

export type DrawnDataKey = { readonly open: OpenDataKey; readonly stored: WrappedDataKey };

/** A fresh data key and its stored form. `takenIds` are never drawn again. */
export async function drawDataKey(
  masterKey: MasterKey,
  purpose: DataKeyPurpose,
  context: { readonly nowMs: EpochMs; readonly takenIds: ReadonlySet<number> },
): Promise<DrawnDataKey> {
  let id = randomInt(1, MAX_DATA_KEY_ID);
  while (context.takenIds.has(id)) id = randomInt(1, MAX_DATA_KEY_ID);
  const key = randomBytes(KEY_BYTES);
  const fields = { id, purpose, kekId: masterKey.id, createdAtMs: context.nowMs };
  const wrapped = await masterKey.wrap(wrapAddress(fields), key);
  // Its first block is reserved with its birth.
  const encryptions = doesEncrypt(purpose) ? COUNT_BLOCK : 0;
  return { open: { id, purpose, isActive: true, key }, stored: { ...fields, wrapped, encryptions, state: "active" } };
}

/**
 * The stored form of the same keys under another master key.
 * @throws DataKeyDamaged when one is stored that is not open here: it would be lost.
 */
export async function rewrapDataKeys(
  masterKey: MasterKey,
  open: readonly OpenDataKey[],
  stored: readonly WrappedDataKey[],
): Promise<readonly WrappedDataKey[]> {
  const byId = new Map(open.map((each) => [each.id, each]));
  const rewrapped: WrappedDataKey[] = [];
  for (const before of stored) {
    const key = byId.get(before.id);
    if (key === undefined || key.purpose !== before.purpose) throw new DataKeyDamaged(before.id);
    const after = { ...before, kekId: masterKey.id };
    rewrapped.push({ ...after, wrapped: await masterKey.wrap(wrapAddress(after), key.key) });
  }
  return rewrapped;
}

/** The stored keys that do not open to the very key that is open here; empty when all is well. */
export async function differingKeys(
  masterKey: MasterKey,
  open: readonly OpenDataKey[],
  stored: readonly WrappedDataKey[],
): Promise<readonly number[]> {
  const differing = open.filter(({ id }) => !stored.some((each) => each.id === id)).map(({ id }) => id);
  for (const wrapped of stored) {
    const key = await masterKey.unwrap(wrapAddress(wrapped), wrapped.wrapped);
    const held = open.find(({ id }) => id === wrapped.id);
    const isSame = key !== null && held !== undefined && key.length === KEY_BYTES && timingSafeEqual(key, held.key);
    key?.fill(0);
    if (!isSame) differing.push(wrapped.id);
  }
  return differing;
}

/** LP("bccf", "dek", v1, dek_id, purpose, kek_id, created_at). */
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
