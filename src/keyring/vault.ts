import { currentActor } from "../control/acting.ts";
import type { AuditDraft, AuditedChanges } from "../control/audit-port.ts";
import { type Refusal, refusal } from "../control/refusal.ts";
import type { DataKeyReport, RotatedMasterKey, VaultService, VaultStatus } from "../control/vault.ts";
import type { DataKeyPurpose, DataKeyStore, VaultStore, WrappedDataKey } from "../control/vault-ports.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import type { EpochMs } from "../kernel/time.ts";
import type { Keyring } from "./keyring.ts";
import { MasterKeyRefused } from "./keyring-error.ts";
import type { MasterKey } from "./master-key.ts";
import type { MasterKeyPlace } from "./master-key-place.ts";
import { createReencryption, usesOf } from "./reencryption.ts";
import { verifyVault } from "./verify-vault.ts";

export type VaultNeeds = {
  readonly keyring: Keyring;
  readonly place: MasterKeyPlace;
  readonly dataKeys: DataKeyStore;
  readonly stored: VaultStore;
  readonly audit: AuditedChanges;
  readonly now: () => EpochMs;
  /** Told when sealing anew had to stop; it is tried again, at the latest by the next start. */
  readonly onFailure: (cause: unknown) => void;
  /** How long a replaced key is kept at least; default 60 s. */
  readonly graceMs?: number;
};

export type RunningVault = VaultService & {
  /** Takes up what an earlier process left. */
  start(): void;
  stop(): Promise<void>;
};

/** Older keys go when nothing needs them; this many means that something holds on to them all. */
const MAX_DATA_KEYS = 100;

export function createVault(needs: VaultNeeds): RunningVault {
  const reencryption = createReencryption(needs);
  let last: Promise<unknown> = Promise.resolve();
  /** One rotation at a time. */
  const inTurn = <Value>(work: () => Promise<Value>): Promise<Value> => {
    const turn = last.then(work, work);
    last = turn.catch(() => undefined);
    return turn;
  };
  const status = async (): Promise<VaultStatus> => ({
    masterKeyId: needs.keyring.ring.masterKeyId(),
    masterKeyKind: needs.place.kind,
    dataKeys: await reportKeys(needs),
    isReencrypting: reencryption.isRunning(),
  });

  return {
    status,
    rotateDataKeys: (purposes) =>
      inTurn(async () => {
        if ((await needs.dataKeys.list()).length + purposes.length > MAX_DATA_KEYS) return err(tooMany());
        for (const purpose of purposes) reencryption.replaced(await rotateDataKey(needs, purpose));
        return ok(await status());
      }),
    rotateMasterKey: (keyFile) => inTurn(() => rotateMasterKey(needs, keyFile)),
    verify: () => verifyVault(needs),
    start: reencryption.start,
    async stop() {
      await last;
      await reencryption.stop();
    },
  };
}

/** Gives the key that only opens from now on. */
async function rotateDataKey(needs: VaultNeeds, purpose: DataKeyPurpose): Promise<number> {
  const { ring } = needs.keyring;
  const before = ring.all().find((key) => key.purpose === purpose && key.isActive);
  if (before === undefined) throw new Error(`Cannot rotate the data key of ${purpose}: there is none`);
  const drawn = ring.draw(purpose, needs.now());
  const draft: AuditDraft = {
    code: "VLT001I",
    actor: currentActor(),
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

async function rotateMasterKey(needs: VaultNeeds, keyFile: string): Promise<Result<RotatedMasterKey, Refusal>> {
  const { keyring, place } = needs;
  const { ring } = keyring;
  requireOwnWrapping(await needs.dataKeys.list(), ring.masterKeyId());
  const prepared = prepare(place, keyFile, ring.masterKeyId());
  if (!prepared.ok) return prepared;
  const next = prepared.value;
  const previousMasterKeyId = ring.masterKeyId();
  const draft: AuditDraft = {
    code: "VLT003I",
    actor: currentActor(),
    object: { type: "master_key", id: next.id, name: null },
    before: { masterKeyId: previousMasterKeyId },
    after: { masterKeyId: next.id },
  };
  await needs.audit.change(draft, async ({ dataKeys }) => {
    const wrapped = ring.rewrapped(next, await dataKeys.list());
    for (const key of wrapped) await dataKeys.rewrap(key, previousMasterKeyId);
    // Read back before the commit: a key that does not open now would be lost for good.
    const differing = ring.differing(await dataKeys.list(), next);
    if (differing.length > 0) throw new Error(`Cannot wrap the data key ${differing[0]} anew: it does not open again`);
  });
  ring.useMasterKey(next);
  place.settle();
  return ok({ masterKeyId: next.id, previousMasterKeyId, nextStep: place.nextStep });
}

/** @throws Error when a commit went through that looked as if it had failed: keys under two master keys could not start. */
function requireOwnWrapping(stored: readonly WrappedDataKey[], masterKeyId: string): void {
  if (stored.every(({ kekId }) => kekId === masterKeyId)) return;
  throw new Error("Cannot change the keys: another master key wraps the stored ones; restart the gateway");
}

function prepare(place: MasterKeyPlace, keyFile: string, currentId: string): Result<MasterKey, Refusal> {
  try {
    const next = place.prepare(keyFile, currentId);
    if (next.id !== currentId) return ok(next);
    next.erase();
    return err(refusal("master_key_refused", "Cannot rotate the master key: the file holds the key that is in use"));
  } catch (cause) {
    if (!(cause instanceof MasterKeyRefused)) throw cause;
    return err(refusal("master_key_refused", cause.message, "newKeyFile"));
  }
}

async function reportKeys(needs: VaultNeeds): Promise<readonly DataKeyReport[]> {
  const uses = await usesOf(needs.stored);
  const reports = (await needs.dataKeys.list()).map(({ id, purpose, state, createdAtMs }) => ({
    id,
    purpose,
    isActive: state === "active",
    createdAtMs,
    uses: uses.get(id) ?? 0,
  }));
  return reports.sort(
    (a, b) =>
      a.purpose.localeCompare(b.purpose) || Number(b.isActive) - Number(a.isActive) || b.createdAtMs - a.createdAtMs,
  );
}

function tooMany(): Refusal {
  const fact = `there are ${MAX_DATA_KEYS} already; client keys that were made with old peppers keep them: make new ones and revoke those`;
  return refusal("too_many_data_keys", `Cannot make another data key: ${fact}`);
}
