import { Database } from "bun:sqlite";

/**
 * control: few writes that must be durable when they return, on the event loop, so it hardly waits for a lock.
 * state: what the pool writes down every few seconds, on its own thread; a power cut may undo it.
 * ingest: many rows, on its own thread; the spool repeats what a power cut takes away.
 * read: cannot change anything.
 */
export type DatabaseRole = "control" | "state" | "ingest" | "read";

const BUSY_TIMEOUT_MS: Record<DatabaseRole, number> = { control: 5, state: 1000, ingest: 1000, read: 1000 };

/**
 * Opens an existing database file.
 * @throws SQLiteError when it is absent, locked in exclusive mode or not a database.
 */
export function openDatabase(path: string, role: DatabaseRole): Database {
  const database = new Database(
    path,
    role === "read" ? { readonly: true, strict: true } : { readwrite: true, strict: true },
  );
  try {
    database.run(`pragma busy_timeout = ${BUSY_TIMEOUT_MS[role]}`);
    // A view or trigger that somebody put into the file must not call functions with side effects.
    database.run("pragma trusted_schema = off");
    if (role !== "read") prepareWriter(database, role);
    return database;
  } catch (cause) {
    database.close();
    throw cause;
  }
}

function prepareWriter(database: Database, role: DatabaseRole): void {
  database.run("pragma journal_mode = wal");
  database.run("pragma foreign_keys = on");
  database.run(`pragma synchronous = ${role === "control" ? "full" : "normal"}`);
  // The ingest thread checkpoints after its commits; the event loop must not wait for that.
  if (role === "control") database.run("pragma wal_autocheckpoint = 0");
  // What was deleted (credentials, key hashes) is overwritten with zeros.
  if (role === "control") database.run("pragma secure_delete = on");
}
