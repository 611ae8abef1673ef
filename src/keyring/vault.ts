import { currentActor, SYSTEM } from "../control/acting.ts";
import type { AuditActor } from "../control/audit-port.ts";
import { type Refusal, refusal } from "../control/refusal.ts";
import type { DataKeyReport, VaultService, VaultStatus } from "../control/vault.ts";
import type { DataKeyPurpose, VaultStore } from "../control/vault-ports.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import { type DataKeyLimits, DEFAULT_LIMITS, wornPurposes } from "./automatic-rotation.ts";
import { type RotationNeeds, rotateDataKey, rotateMasterKey } from "./key-rotation.ts";
import { MasterKeyUnreachable } from "./keyring-error.ts";
import type { MasterKeySources } from "./master-key-source.ts";
import { createReencryption, usesOf } from "./reencryption.ts";
import { verifyVault } from "./verify-vault.ts";

export type VaultNeeds = RotationNeeds & {
  readonly sources: MasterKeySources;
  readonly stored: VaultStore;
  /** Told when sealing anew, or an automatic rotation, had to stop; it is tried again, at the latest by the next start. */
  readonly onFailure: (cause: unknown) => void;
  /** How long a replaced key is kept at least; default 60 s. */
  readonly graceMs?: number;
  readonly limits?: DataKeyLimits;
};

export type RunningVault = VaultService & {
  /** Takes up what an earlier process left, and replaces data keys that have sealed long enough. */
  start(): void;
  stop(): Promise<void>;
};

/** Older keys go when nothing needs them; this many means that something holds on to them all. */
const MAX_DATA_KEYS = 100;
/** The limits leave room for days; the log need not say so every minute. */
const AFTER_FAILURE_MS = 60 * 60 * 1000;

export function createVault(needs: VaultNeeds): RunningVault {
  const { keyring, limits = DEFAULT_LIMITS } = needs;
  const reencryption = createReencryption(needs);
  let source = needs.sources.configured;
  let timer: Timer | null = null;
  let isStopped = false;
  let last: Promise<unknown> = Promise.resolve();
  /** One rotation at a time. */
  const inTurn = <Value>(work: () => Promise<Value>): Promise<Value> => {
    const turn = last.then(work, work);
    last = turn.catch(() => undefined);
    return turn;
  };
  const status = async (): Promise<VaultStatus> => ({
    masterKeyId: keyring.ring.masterKeyId(),
    masterKeyKind: source.kind,
    isMasterKeyReachable: await keyring.ring.isMasterKeyReachable(),
    dataKeys: await reportKeys(needs),
    isReencrypting: reencryption.isRunning(),
  });
  const rotate = async (purposes: readonly DataKeyPurpose[], actor: AuditActor): Promise<Result<void, Refusal>> => {
    if ((await needs.dataKeys.list()).length + purposes.length > MAX_DATA_KEYS) return err(tooMany());
    return whileReachable(async () => {
      for (const purpose of purposes) reencryption.replaced(await rotateDataKey(needs, purpose, actor));
      return ok(undefined);
    });
  };
  /** False when a key should have been replaced and was not. */
  const rotateWorn = async (): Promise<boolean> => {
    const keys = { store: needs.dataKeys, counts: keyring.ring.counts };
    const worn = await wornPurposes(keys, limits, needs.now());
    if (worn.length === 0) return true;
    const rotated = await rotate(worn, SYSTEM);
    if (!rotated.ok) needs.onFailure(new Error(rotated.error.message));
    return rotated.ok;
  };
  /** One look at a time, and none while keys are being changed. */
  const look = (waitMs: number): void => {
    if (isStopped) return;
    timer = setTimeout(() => {
      const looked = inTurn(rotateWorn).catch((cause: unknown) => {
        needs.onFailure(cause);
        return false;
      });
      void looked.then((isWell) => look(isWell ? limits.checkMs : AFTER_FAILURE_MS));
    }, waitMs);
    timer.unref();
  };

  return {
    status,
    rotateDataKeys: (purposes) =>
      inTurn(async () => {
        const rotated = await rotate(purposes, currentActor());
        return rotated.ok ? ok(await status()) : rotated;
      }),
    rotateMasterKey: (order) =>
      inTurn(async () => {
        const to = order.to === null ? source : needs.sources.byKind[order.to];
        const rotated = await whileReachable(() => rotateMasterKey(needs, { source: to, from: source }, order));
        if (rotated.ok) source = to;
        return rotated;
      }),
    verify: () => verifyVault(needs),
    start() {
      reencryption.start();
      look(limits.checkMs);
    },
    async stop() {
      isStopped = true;
      if (timer !== null) clearTimeout(timer);
      await last;
      await reencryption.stop();
      await keyring.ring.counts.idle();
    },
  };
}

/** What was begun is undone by its transaction. */
async function whileReachable<Value>(work: () => Promise<Result<Value, Refusal>>): Promise<Result<Value, Refusal>> {
  try {
    return await work();
  } catch (cause) {
    if (!(cause instanceof MasterKeyUnreachable)) throw cause;
    return err(refusal("master_key_refused", cause.message));
  }
}

async function reportKeys(needs: VaultNeeds): Promise<readonly DataKeyReport[]> {
  const uses = await usesOf(needs.stored);
  const { counts } = needs.keyring.ring;
  const reports = (await needs.dataKeys.list()).map(({ id, purpose, state, createdAtMs, encryptions }) => ({
    id,
    purpose,
    isActive: state === "active",
    createdAtMs,
    encryptions: state === "active" ? counts.made(id) : encryptions,
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
