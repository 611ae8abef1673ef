import { currentActor } from "../control/acting.ts";
import type { AuditActor, AuditDraft, AuditedChanges } from "../control/audit-port.ts";
import { type Refusal, refusal } from "../control/refusal.ts";
import type { MasterKeyRotation, RotatedMasterKey } from "../control/vault.ts";
import type { DataKeyPurpose, DataKeyStore, WrappedDataKey } from "../control/vault-ports.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import type { EpochMs } from "../kernel/time.ts";
import type { Keyring } from "./keyring.ts";
import { MasterKeyRefused, MasterKeyUnreachable } from "./keyring-error.ts";
import type { MasterKey } from "./master-key.ts";
import type { MasterKeySource } from "./master-key-source.ts";

export type RotationNeeds = {
  readonly keyring: Keyring;
  readonly dataKeys: DataKeyStore;
  readonly audit: AuditedChanges;
  readonly now: () => EpochMs;
};

/** Gives the key that only opens from now on. */
export async function rotateDataKey(needs: RotationNeeds, purpose: DataKeyPurpose, actor: AuditActor): Promise<number> {
  const { ring } = needs.keyring;
  const before = ring.all().find((key) => key.purpose === purpose && key.isActive);
  if (before === undefined) throw new Error(`Cannot rotate the data key of ${purpose}: there is none`);
  const drawn = await ring.draw(purpose, needs.now());
  const draft: AuditDraft = {
    code: "VLT001I",
    actor,
    object: { type: "data_key", id: String(drawn.open.id), name: purpose },
    before: { dataKeyId: before.id },
    after: { dataKeyId: drawn.open.id },
  };
  await needs.audit.change(draft, async ({ dataKeys }) => {
    requireOwnWrapping(await dataKeys.list(), ring.masterKeyId());
    await dataKeys.demote(before.id);
    await dataKeys.insert([drawn.stored]);
  });
  ring.promote(drawn.open);
  return before.id;
}

/** `source` is where the new key comes from, `from` where the key in use came from. */
export async function rotateMasterKey(
  needs: RotationNeeds,
  { source, from }: { readonly source: MasterKeySource; readonly from: MasterKeySource },
  { file }: MasterKeyRotation,
): Promise<Result<RotatedMasterKey, Refusal>> {
  const { ring } = needs.keyring;
  requireOwnWrapping(await needs.dataKeys.list(), ring.masterKeyId());
  const previousMasterKeyId = ring.masterKeyId();
  const prepared = await prepare(source, file, previousMasterKeyId);
  if (!prepared.ok) return prepared;
  const next = prepared.value;
  const draft: AuditDraft = {
    code: "VLT003I",
    actor: currentActor(),
    object: { type: "master_key", id: next.id, name: null },
    before: { masterKeyId: previousMasterKeyId, source: from.kind },
    after: { masterKeyId: next.id, source: source.kind },
  };
  await needs.audit.change(draft, async ({ dataKeys }) => {
    const wrapped = await ring.rewrapped(next, await dataKeys.list());
    for (const key of wrapped) await dataKeys.rewrap(key, previousMasterKeyId);
    // Read back before the commit: a key that does not open now would be lost for good.
    const differing = await ring.differing(await dataKeys.list(), next);
    if (differing.length > 0) throw new Error(`Cannot wrap the data key ${differing[0]} anew: it does not open again`);
  });
  ring.useMasterKey(next);
  source.settle();
  const nextStep = source.nextStep(from.kind);
  return ok({ masterKeyKind: source.kind, masterKeyId: next.id, previousMasterKeyId, nextStep });
}

/** @throws Error when a commit went through that looked as if it had failed: keys under two master keys could not start. */
function requireOwnWrapping(stored: readonly WrappedDataKey[], masterKeyId: string): void {
  if (stored.every(({ kekId }) => kekId === masterKeyId)) return;
  throw new Error("Cannot change the keys: another master key wraps the stored ones; restart the gateway");
}

async function prepare(
  source: MasterKeySource,
  file: string | null,
  currentKekId: string,
): Promise<Result<MasterKey, Refusal>> {
  try {
    const next = await source.prepare({ file, currentKekId });
    if (next.id !== currentKekId) return ok(next);
    next.erase();
    return err(refusal("master_key_refused", "Cannot rotate the master key: the file holds the key that is in use"));
  } catch (cause) {
    if (!(cause instanceof MasterKeyRefused || cause instanceof MasterKeyUnreachable)) throw cause;
    return err(refusal("master_key_refused", cause.message, "newKeyFile"));
  }
}
