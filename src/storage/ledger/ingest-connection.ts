import type { Database } from "bun:sqlite";
import { statSync } from "node:fs";
import { openDatabase } from "../sqlite/open-database.ts";
import { createRowWriter } from "./ingest-rows.ts";
import type { SpoolRecord } from "./record-line.ts";

/** What the ingest thread asks of the database. Every call throws what the database says. */
export type IngestConnection = {
  /** Another file than the one that was opened, or none, is at the path now: what is written here would be lost. */
  isStale(): boolean;
  /** How many bytes of the segment are in the database. */
  positionOf(segment: string): number;
  /** Rows and position together, or nothing. */
  commit(records: readonly SpoolRecord[], segment: string, endBytes: number): void;
  /** Marks what an earlier process began and never settled; gives how many rows that were. */
  sweep(): number;
  /** A commit in WAL mode reaches the disk with the next checkpoint: tries one, and tells whether everything is there. */
  isOnDisk(): boolean;
  /** Segment names are never used twice, so a position without its file is of no use. */
  forgetPositionsExcept(segments: readonly string[]): void;
  close(): void;
};

export function openIngestConnection(path: string): IngestConnection {
  const inode = inodeOf(path);
  const database = openDatabase(path, "ingest");
  try {
    return connectionTo(database, () => inodeOf(path) !== inode);
  } catch (cause) {
    database.close();
    throw cause;
  }
}

function connectionTo(database: Database, isStale: () => boolean): IngestConnection {
  const rows = createRowWriter(database);
  const position = database.query<{ ingested_bytes: number }, [string]>(
    "select ingested_bytes from spool_positions where segment = ?",
  );
  const savePosition = database.query<unknown, [string, number]>(
    "insert into spool_positions (segment, ingested_bytes) values (?, ?) " +
      "on conflict (segment) do update set ingested_bytes = excluded.ingested_bytes",
  );

  return {
    isStale,
    positionOf: (segment) => position.get(segment)?.ingested_bytes ?? 0,
    commit(records, segment, endBytes) {
      inTransaction(database, () => {
        rows.write(records);
        savePosition.run(segment, endBytes);
      });
    },
    sweep() {
      return database.query("update requests set outcome = 'interrupted' where outcome = 'in_flight'").run().changes;
    },
    isOnDisk() {
      const row = database
        .query<{ busy: number; log: number; checkpointed: number }, []>("pragma wal_checkpoint(passive)")
        .get();
      return row !== null && row.busy === 0 && row.log === row.checkpointed;
    },
    forgetPositionsExcept(segments) {
      database
        .query("delete from spool_positions where segment not in (select value from json_each(?))")
        .run(JSON.stringify(segments));
    },
    close: () => database.close(),
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

function inodeOf(path: string): number | null {
  return statSync(path, { throwIfNoEntry: false })?.ino ?? null;
}
