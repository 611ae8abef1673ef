import { sql } from "kysely";
import type { AuditPlace } from "../../control/audit-port.ts";
import { type EpochMs, epochMs } from "../../kernel/time.ts";
import type { WriteHandle } from "../schema.ts";

/** How far a place elsewhere has taken the log, and since when it is used. */
export type SinkCursor = { readonly place: AuditPlace; readonly sinceMs: EpochMs };

export type AuditSinkStore = {
  /** Null when it was never used. */
  cursor(name: string): Promise<SinkCursor | null>;
  keep(name: string, cursor: SinkCursor): Promise<void>;
  /** Bytes of the entries after `fromSeq` up to `toSeq`, about. */
  entryBytes(fromSeq: number, toSeq: number): Promise<number>;
};

export function createAuditSinkStore(db: WriteHandle): AuditSinkStore {
  return {
    async cursor(name) {
      const row = await db.selectFrom("audit_sinks").selectAll().where("name", "=", name).executeTakeFirst();
      if (row === undefined) return null;
      const place = { seq: row.seq, isAfterCheckpoint: row.is_after_checkpoint === 1 };
      return { place, sinceMs: epochMs(row.since_ms) };
    },
    async keep(name, { place, sinceMs }) {
      const values = { seq: place.seq, is_after_checkpoint: place.isAfterCheckpoint ? (1 as const) : (0 as const) };
      await db
        .insertInto("audit_sinks")
        .values({ name, since_ms: sinceMs, ...values })
        .onConflict((conflict) => conflict.column("name").doUpdateSet(values))
        .execute();
    },
    async entryBytes(fromSeq, toSeq) {
      const row = await db
        .selectFrom("audit_entries")
        .select(sql<number>`coalesce(sum(length(entry)), 0)`.as("bytes"))
        .where("seq", ">", fromSeq)
        .where("seq", "<=", toSeq)
        .executeTakeFirst();
      return row?.bytes ?? 0;
    },
  };
}
