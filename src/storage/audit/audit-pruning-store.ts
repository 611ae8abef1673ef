import type { AuditPruning, PruningStore } from "../../control/audit-port.ts";
import { epochMs } from "../../kernel/time.ts";
import type { ReadHandle, WriteHandle } from "../schema.ts";

export function createPruningStore(db: WriteHandle): PruningStore {
  return {
    async add({ seq, atMs, statement, signature }) {
      await db.insertInto("audit_prunings").values({ seq, at_ms: atMs, statement, signature }).execute();
    },
  };
}

/** The one that holds; null when nothing was ever pruned. */
export async function lastPruning(db: ReadHandle): Promise<AuditPruning | null> {
  const row = await db
    .selectFrom("audit_prunings")
    .select(["seq", "at_ms as atMs", "statement", "signature"])
    .orderBy("seq", "desc")
    .limit(1)
    .executeTakeFirst();
  return row === undefined ? null : { ...row, atMs: epochMs(row.atMs) };
}

/** Deletes what stands before the mark, at most `limit` entries and their checkpoints; how many entries were deleted. */
export async function deletePruned(db: WriteHandle, seq: number, limit: number): Promise<number> {
  const last = await db
    .selectFrom("audit_entries")
    .select("seq")
    .where("seq", "<=", seq)
    .orderBy("seq")
    .limit(limit)
    .execute();
  const upTo = last.at(-1)?.seq;
  if (upTo === undefined) return 0;
  await db.deleteFrom("audit_entries").where("seq", "<=", upTo).execute();
  // The checkpoint at the mark stays: the next one names its signature.
  await db.deleteFrom("audit_checkpoints").where("seq", "<=", upTo).where("seq", "<", seq).execute();
  return last.length;
}
