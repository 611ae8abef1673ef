import type { AuditLine } from "../../audit/line.ts";
import type { AuditPlace, AuditPruning } from "../../control/audit-port.ts";
import { type EpochMs, epochMs } from "../../kernel/time.ts";
import type { WriteHandle } from "../schema.ts";
import { deletePruned, lastPruning } from "./audit-pruning-store.ts";

/** `signingKey` is an envelope that only the keyring can open. */
export type AuditLogRow = { readonly id: string; readonly generation: number; readonly signingKey: Uint8Array };

export type AuditEntryRow = {
  readonly seq: number;
  readonly atMs: EpochMs;
  readonly entry: string;
  readonly hash: Uint8Array;
};

export type AuditCheckpointRow = {
  readonly seq: number;
  readonly atMs: EpochMs;
  readonly statement: string;
  readonly signature: Uint8Array;
};

export type PlacedLine = { readonly line: AuditLine; readonly place: AuditPlace; readonly atMs: EpochMs };

export const LOG_START: AuditPlace = { seq: 0, isAfterCheckpoint: true };

export type AuditLogStore = {
  /** Null before the first start. */
  log(): Promise<AuditLogRow | null>;
  createLog(row: AuditLogRow): Promise<void>;
  entry(seq: number): Promise<AuditEntryRow | null>;
  /** Null when there is none. */
  lastEntry(): Promise<AuditEntryRow | null>;
  lastCheckpoint(): Promise<AuditCheckpointRow | null>;
  /** The newest made before `beforeMs` that covers no entry after `maxSeq`; null when there is none. */
  checkpointBefore(beforeMs: EpochMs, maxSeq: number): Promise<AuditCheckpointRow | null>;
  addCheckpoint(row: AuditCheckpointRow): Promise<void>;
  /** Newest first, `limit` 1..1000. */
  newest(limit: number): Promise<readonly AuditEntryRow[]>;
  /** What was removed for good; null when nothing. */
  pruning(): Promise<AuditPruning | null>;
  /** Deletes up to `limit` entries that stand before the mark, with their checkpoints; how many. */
  deletePruned(limit: number): Promise<number>;
  /**
   * Entries with each checkpoint right behind the entry that it covers; about `limit` lines, 1..1000. Before the place
   * where the log begins there is the mark of what was pruned, and nothing else.
   */
  linesAfter(place: AuditPlace, limit: number): Promise<readonly PlacedLine[]>;
};

/** Entries are written by `AuditedChanges` alone. */
export function createAuditLogStore(db: WriteHandle): AuditLogStore {
  const entries = () => db.selectFrom("audit_entries").select(["seq", "at_ms as atMs", "entry", "hash"]);
  const checkpoints = () =>
    db.selectFrom("audit_checkpoints").select(["seq", "at_ms as atMs", "statement", "signature"]);
  return {
    async log() {
      const row = await db.selectFrom("audit_log").selectAll().limit(1).executeTakeFirst();
      return row === undefined ? null : { id: row.id, generation: row.generation, signingKey: row.signing_key };
    },
    async createLog({ id, generation, signingKey }) {
      await db.insertInto("audit_log").values({ id, generation, signing_key: signingKey }).execute();
    },
    async entry(seq) {
      return timed((await entries().where("seq", "=", seq).executeTakeFirst()) ?? null);
    },
    async lastEntry() {
      return timed((await entries().orderBy("seq", "desc").limit(1).executeTakeFirst()) ?? null);
    },
    async lastCheckpoint() {
      return timed((await checkpoints().orderBy("seq", "desc").limit(1).executeTakeFirst()) ?? null);
    },
    async checkpointBefore(beforeMs, maxSeq) {
      const before = checkpoints().where("at_ms", "<", beforeMs).where("seq", "<=", maxSeq);
      return timed((await before.orderBy("seq", "desc").limit(1).executeTakeFirst()) ?? null);
    },
    pruning: () => lastPruning(db),
    async deletePruned(limit) {
      const mark = await lastPruning(db);
      return mark === null ? 0 : deletePruned(db, mark.seq, limit);
    },
    async addCheckpoint({ seq, atMs, statement, signature }) {
      await db.insertInto("audit_checkpoints").values({ seq, at_ms: atMs, statement, signature }).execute();
    },
    async newest(limit) {
      return (await entries().orderBy("seq", "desc").limit(limit).execute()).map(timedRow);
    },
    async linesAfter(asked, limit) {
      const mark = await lastPruning(db);
      const isBefore = mark !== null && asked.seq < mark.seq;
      const place = isBefore ? { seq: mark.seq, isAfterCheckpoint: true } : asked;
      const found = await entries().where("seq", ">", place.seq).orderBy("seq").limit(limit).execute();
      const lastSeq = found.at(-1)?.seq ?? place.seq;
      const signed = await checkpoints()
        .where("seq", place.isAfterCheckpoint ? ">" : ">=", place.seq)
        .where("seq", "<=", lastSeq)
        .orderBy("seq")
        .limit(limit)
        .execute();
      const lines = inOrder(found.map(timedRow), signed.map(timedRow));
      return isBefore ? [markLine(mark), ...lines] : lines;
    },
  };
}

function markLine({ seq, statement, signature, atMs }: AuditPruning): PlacedLine {
  return { line: { type: "pruned", statement, signature }, place: { seq, isAfterCheckpoint: true }, atMs };
}

function inOrder(entries: readonly AuditEntryRow[], checkpoints: readonly AuditCheckpointRow[]): PlacedLine[] {
  const lines: PlacedLine[] = [];
  for (const { seq, atMs, entry, hash } of entries) {
    lines.push({ line: { type: "entry", entry, hash }, place: { seq, isAfterCheckpoint: false }, atMs });
  }
  for (const { seq, atMs, statement, signature } of checkpoints) {
    const line: AuditLine = { type: "checkpoint", statement, signature };
    lines.push({ line, place: { seq, isAfterCheckpoint: true }, atMs });
  }
  return lines.sort(
    (left, right) =>
      left.place.seq - right.place.seq || Number(left.place.isAfterCheckpoint) - Number(right.place.isAfterCheckpoint),
  );
}

type Timed<Row> = Omit<Row, "atMs"> & { readonly atMs: EpochMs };

function timedRow<Row extends { readonly atMs: number }>(row: Row): Timed<Row> {
  return { ...row, atMs: epochMs(row.atMs) };
}

function timed<Row extends { readonly atMs: number }>(row: Row | null): Timed<Row> | null {
  return row === null ? null : timedRow(row);
}
