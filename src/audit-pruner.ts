import { isSignedBy, signedBytes } from "./audit/checkpoint.ts";
import { hexOf, parseObject } from "./audit/line.ts";
import { prunedBytes, prunedStatement } from "./audit/pruned.ts";
import type { AuditKeeper } from "./audit-keeper.ts";
import { currentActor, SYSTEM } from "./control/acting.ts";
import type { AuditActor, AuditedChanges, AuditPruneReport, AuditPruning } from "./control/audit-port.ts";
import { type Refusal, refusal } from "./control/refusal.ts";
import type { Clock } from "./gateway/ports.ts";
import { err, ok, type Result } from "./kernel/result.ts";
import { type EpochMs, epochMs } from "./kernel/time.ts";
import type { Log } from "./observe/log.ts";
import type { AuditCheckpointRow, AuditLogStore } from "./storage/audit/audit-log-store.ts";

const DAY_MS = 86_400_000;
const ROWS_PER_DELETE = 1_000;

export type AuditPrunerNeeds = {
  readonly store: AuditLogStore;
  readonly keeper: AuditKeeper;
  readonly changes: AuditedChanges;
  readonly clock: Clock;
  readonly log: Log;
  /** No entry is removed before. */
  readonly retentionDays: number;
  /** Milliseconds that no clock setting changes. */
  readonly steadyMs: () => number;
};

export type AuditPruner = {
  prune(order: PruneOrder): Promise<Result<AuditPruneReport, Refusal>>;
  /** By itself. Never rejects. */
  daily(): Promise<void>;
};

type PruneOrder = { readonly olderThanDays: number | null; readonly isDryRun: boolean };

/** Removes what is older than its retention, and leaves a signed mark, so that the rest can be verified. */
export async function createAuditPruner(needs: AuditPrunerNeeds): Promise<AuditPruner> {
  const { store, clock, log, retentionDays } = needs;
  const startSeq = (await store.lastEntry())?.seq ?? 0;
  const startMs = clock.now();
  const startSteadyMs = needs.steadyMs();

  const prune = async (order: PruneOrder, actor: AuditActor): Promise<AuditPruneReport> => {
    const olderThanMs = epochMs(clock.now() - (order.olderThanDays ?? retentionDays) * DAY_MS);
    const found = await findPrunable(needs, olderThanMs);
    const report = { ...found.report, olderThanMs, isDryRun: order.isDryRun };
    if (found.checkpoint !== null && !order.isDryRun) await remove(needs, found.checkpoint, { actor, report });
    await deleteLeftovers(store);
    return report;
  };

  return {
    async prune(order) {
      if (order.olderThanDays !== null && order.olderThanDays < retentionDays) {
        const rule = `audit.retentionDays is ${retentionDays}; only the configuration can lower it`;
        const message = `Cannot prune entries of ${order.olderThanDays} days: ${rule}`;
        return err(refusal("retention_too_short", message, "olderThanDays"));
      }
      return ok(await prune(order, currentActor()));
    },
    async daily() {
      try {
        const jumpMs = Math.abs(clock.now() - startMs - (needs.steadyMs() - startSteadyMs));
        const order = { olderThanDays: null, isDryRun: true };
        const planned = await prune(order, SYSTEM);
        if (planned.prunedTo === null) return;
        // A clock that is wrong by years would remove everything: then a person decides.
        if (jumpMs > DAY_MS || planned.prunedTo >= startSeq) {
          log.error("The audit log is not pruned: the clock may be wrong", { count: planned.entries });
          return;
        }
        await prune({ ...order, isDryRun: false }, SYSTEM);
      } catch (cause) {
        log.error("The audit log cannot be pruned", { error: cause });
      }
    },
  };
}

type Found = {
  readonly checkpoint: AuditCheckpointRow | null;
  readonly report: Pick<AuditPruneReport, "prunedTo" | "entries" | "heldBack">;
};

/** Up to a checkpoint, so that the mark can name its signature, and never beyond what every sink has. */
async function findPrunable({ store, keeper }: AuditPrunerNeeds, olderThanMs: EpochMs): Promise<Found> {
  const slowest = keeper.slowest();
  const wanted = await store.checkpointBefore(olderThanMs, Number.MAX_SAFE_INTEGER);
  const checkpoint = await store.checkpointBefore(olderThanMs, slowest.seq);
  const before = (await store.pruning())?.seq ?? 0;
  const isNew = checkpoint !== null && checkpoint.seq > before;
  const isHeld = (wanted?.seq ?? 0) > (checkpoint?.seq ?? 0);
  return {
    checkpoint: isNew ? checkpoint : null,
    report: {
      prunedTo: isNew ? checkpoint.seq : null,
      entries: isNew ? checkpoint.seq - before : 0,
      heldBack: isHeld ? `the sink ${slowest.name} has entries up to ${slowest.seq} alone` : null,
    },
  };
}

type Removal = { readonly actor: AuditActor; readonly report: Pick<AuditPruneReport, "entries"> };

async function remove(needs: AuditPrunerNeeds, checkpoint: AuditCheckpointRow, removal: Removal): Promise<void> {
  const { store, keeper, changes, clock, log } = needs;
  const entry = await store.entry(checkpoint.seq);
  const hash = entry === null ? "" : hexOf(entry.hash);
  // The mark vouches for this hash from now on: it must be one that was signed.
  const isSigned = isSignedBy(keeper.publicKey, signedBytes(checkpoint.statement), checkpoint.signature);
  if (!isSigned || parseObject(checkpoint.statement)?.["hash"] !== hash) {
    throw new Error(
      `Cannot prune the audit log: entry ${checkpoint.seq} is not the one that was signed. Run audit verify`,
    );
  }
  const atMs = clock.now();
  const statement = prunedStatement({
    logId: keeper.logId,
    seq: checkpoint.seq,
    hash,
    at: new Date(atMs).toISOString(),
    previous: hexOf(checkpoint.signature),
  });
  const pruning: AuditPruning = {
    seq: checkpoint.seq,
    atMs,
    statement,
    signature: keeper.sign(prunedBytes(statement)),
  };
  await changes.change(
    {
      code: "AUD002I",
      actor: removal.actor,
      object: { type: "audit_log", id: keeper.logId, name: null },
      after: { prunedTo: checkpoint.seq, entries: removal.report.entries, head: hash },
    },
    ({ prunings }) => prunings.add(pruning),
  );
  await keeper.seal();
  try {
    await keeper.pruneFile(pruning, hash);
  } catch (cause) {
    // It is the safer of the two: what it keeps longer can still be verified.
    log.warn("The second sink of the audit log keeps what was pruned", { error: cause });
  }
}

/** A kill in between leaves rows before the mark: nobody reads them, and the next run removes them. */
async function deleteLeftovers(store: AuditLogStore): Promise<void> {
  for (let count = ROWS_PER_DELETE; count === ROWS_PER_DELETE; ) {
    count = await store.deletePruned(ROWS_PER_DELETE);
    // Requests have their turn between two batches.
    await Bun.sleep(0);
  }
}
