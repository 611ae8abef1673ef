import type { Database } from "bun:sqlite";
import { rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { openDatabase } from "../sqlite/open-database.ts";
import { createRowWriter, type RowWriter } from "./ingest-rows.ts";
import type { FromIngest, SegmentState } from "./protocol.ts";
import { openSegment, type SegmentReader, type SpoolBatch } from "./segment-reader.ts";

export type IngesterOptions = {
  readonly databasePath: string;
  readonly spoolDir: string;
  readonly isSwept: boolean;
  readonly report: (message: FromIngest) => void;
};

/** more: call again at once. release_pending: a finished segment waits for the disk. idle: nothing until `update`. */
export type IngestStep = "more" | "release_pending" | "idle";

export type Ingester = {
  update(segment: SegmentState): void;
  /**
   * One batch, one transaction.
   * @throws whatever the database or the disk says; nothing is lost, call `reset` and again later.
   */
  step(): IngestStep;
  /** Forgets the connection and every position read through it. */
  reset(): void;
};

type Segment = {
  state: SegmentState;
  /** As the database says; null until it was asked. */
  ingestedBytes: number | null;
  reader: SegmentReader | null;
};

type Connection = { readonly database: Database; readonly rows: RowWriter; readonly inode: number };

const NEWEST_UNKNOWN_MS = 0;

/**
 * Carries the spool into the database, exactly once: the rows and the position of the segment are committed together,
 * and a row that comes again changes nothing. A segment is deleted when its rows have reached the disk.
 */
export function createIngester({ databasePath, spoolDir, isSwept, report }: IngesterOptions): Ingester {
  // In the order of arrival: those of earlier processes come first.
  const segments = new Map<string, Segment>();
  let connection: Connection | null = null;
  let hasSwept = isSwept;

  const reset = (): void => {
    connection?.database.close();
    connection = null;
    for (const segment of segments.values()) segment.ingestedBytes = null;
  };

  const connected = (): Connection => {
    const inode = statSync(databasePath).ino;
    // The file was replaced or removed: what is written to the old one would be lost.
    if (connection !== null && connection.inode !== inode) reset();
    if (connection === null) {
      const database = openDatabase(databasePath, "ingest");
      try {
        forgetPositionsExcept(database, [...segments.keys()]);
        connection = { database, rows: createRowWriter(database), inode };
      } catch (cause) {
        database.close();
        throw cause;
      }
    }
    return connection;
  };

  const next = (): Segment | null => {
    for (const segment of segments.values()) {
      if (segment.state.isOwn && !hasSwept) return null;
      if (!isDone(segment)) return segment;
    }
    return null;
  };

  const ingest = (segment: Segment, { database, rows }: Connection): void => {
    const { name, bytes, isSealed } = segment.state;
    const fromBytes = segment.ingestedBytes ?? positionOf(database, name);
    segment.ingestedBytes = fromBytes;
    if (fromBytes >= bytes) return;
    segment.reader ??= openSegment(join(spoolDir, name));
    if (segment.reader === null) {
      // Somebody deleted it: there is nothing to wait for.
      segment.ingestedBytes = bytes;
      report({ kind: "unreadable", name, lines: 0, tornBytes: bytes - fromBytes });
      report({ kind: "ingested", name, bytes, newestMs: NEWEST_UNKNOWN_MS });
      return;
    }
    const batch = segment.reader.read(fromBytes, bytes, isSealed);
    inTransaction(database, () => {
      rows.write(batch.records);
      savePosition(database, name, batch.endBytes);
    });
    segment.ingestedBytes = batch.endBytes;
    reportBatch(report, name, batch);
  };

  const release = ({ database }: Connection): boolean => {
    const done = [...segments.values()].filter((segment) => segment.state.isSealed && isDone(segment));
    if (done.length === 0) return true;
    if (!isOnDisk(database)) return false;
    for (const { state, reader } of done) {
      reader?.close();
      rmSync(join(spoolDir, state.name), { force: true });
      segments.delete(state.name);
      report({ kind: "released", name: state.name });
    }
    forgetPositionsExcept(database, [...segments.keys()]);
    return true;
  };

  return {
    update(state) {
      const segment = segments.get(state.name);
      if (segment === undefined) segments.set(state.name, { state, ingestedBytes: null, reader: null });
      else segment.state = state;
    },

    step() {
      const segment = next();
      if (segment === null && hasSwept && segments.size === 0) return "idle";
      const open = connected();
      if (segment !== null) {
        ingest(segment, open);
        return "more";
      }
      if (!hasSwept) {
        const interruptedRows = sweep(open.database);
        hasSwept = true;
        report({ kind: "swept", interruptedRows });
        return "more";
      }
      return release(open) ? "idle" : "release_pending";
    },

    reset,
  };
}

/** Not `database.transaction`: its statements outlive `close`, and with them the file. */
function inTransaction(database: Database, action: () => void): void {
  database.run("begin immediate");
  try {
    action();
    database.run("commit");
  } catch (cause) {
    // The engine may have rolled back by itself, e.g. when the disk is full.
    if (database.inTransaction) database.run("rollback");
    throw cause;
  }
}

function isDone({ state, ingestedBytes }: Segment): boolean {
  return ingestedBytes !== null && ingestedBytes >= state.bytes;
}

function reportBatch(report: (message: FromIngest) => void, name: string, batch: SpoolBatch): void {
  const newestMs = batch.records.at(-1)?.cells.find((cell) => typeof cell === "number") ?? NEWEST_UNKNOWN_MS;
  report({ kind: "ingested", name, bytes: batch.endBytes, newestMs: Number(newestMs) });
  if (batch.unreadableLines > 0 || batch.tornBytes > 0) {
    report({ kind: "unreadable", name, lines: batch.unreadableLines, tornBytes: batch.tornBytes });
  }
}

function positionOf(database: Database, name: string): number {
  const row = database
    .query<{ ingested_bytes: number }, [string]>("select ingested_bytes from spool_positions where segment = ?")
    .get(name);
  return row?.ingested_bytes ?? 0;
}

function savePosition(database: Database, name: string, bytes: number): void {
  database
    .query(
      "insert into spool_positions (segment, ingested_bytes) values (?, ?) " +
        "on conflict (segment) do update set ingested_bytes = excluded.ingested_bytes",
    )
    .run(name, bytes);
}

/** Segment names are never used twice, so a position without its file is of no use. */
function forgetPositionsExcept(database: Database, names: readonly string[]): void {
  database
    .query("delete from spool_positions where segment not in (select value from json_each(?))")
    .run(JSON.stringify(names));
}

/** Rows that an earlier process began and never settled. */
function sweep(database: Database): number {
  return database.query("update requests set outcome = 'interrupted' where outcome = 'in_flight'").run().changes;
}

/** A commit in WAL mode reaches the disk with the next checkpoint; only then may the spool forget it. */
function isOnDisk(database: Database): boolean {
  const row = database
    .query<{ busy: number; log: number; checkpointed: number }, []>("pragma wal_checkpoint(passive)")
    .get();
  return row !== null && row.busy === 0 && row.log === row.checkpointed;
}
