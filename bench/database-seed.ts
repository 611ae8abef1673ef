import { Database } from "bun:sqlite";
import { randomBytes } from "node:crypto";
import { join } from "node:path";

const DATABASE = "gateway.db";
const BATCH_ROWS = 20_000;
/** One row per 100 ms, ending an hour ago: the gateway's own rows come after all of them. */
const ROW_SPACING_MS = 100;
const HOUR_MS = 3_600_000;
const KEY_ID_LENGTH = 10;
const HMAC_BYTES = 32;

/**
 * Puts finished requests into the ledger of a stopped gateway, past its back: through the front door a million of them
 * would take an hour. Knows the schema of migration 0001.
 */
export function seedLedger(dataDir: string, rows: number): void {
  const firstMs = Date.now() - HOUR_MS - rows * ROW_SPACING_MS;
  const statement = `
    insert into requests (id, started_at_ms, client_key_id, method, path, model, is_stream, request_bytes, outcome,
      settled_at_ms, status, attempts, queue_ms, first_byte_ms, total_ms, response_bytes, has_usage, input_tokens,
      output_tokens, is_usage_partial)
    values (?, ?, 'benchbench', 'POST', '/v1/messages', 'claude-sonnet-4-5-20250929', 0, 1024, 'completed',
      ?, 200, 1, 0, 5, 6, 1024, 1, 12, 210, 0)`;
  insertRows(dataDir, { statement, rows, valuesAt: (at) => ledgerValues(firstMs + at * ROW_SPACING_MS, at) });
}

function ledgerValues(startedAtMs: number, serial: number): readonly Value[] {
  return [uuidV7(startedAtMs, serial), startedAtMs, startedAtMs + 6];
}

/** Puts keys that nobody holds beside the one of the benchmark. The gateway reads them all when it starts. */
export function seedKeys(dataDir: string, rows: number): void {
  // The first row, of a key that the gateway made, has the pepper version in force.
  const statement = `
    insert into client_keys (id, name, hmac, pepper_version, created_at_ms)
    select ?, ?, ?, pepper_version, ? from client_keys where rowid = (select min(rowid) from client_keys)`;
  const nowMs = Date.now();
  const valuesAt = (at: number) => {
    const id = String(at).padStart(KEY_ID_LENGTH, "0");
    return [id, `seed-${at}`, randomBytes(HMAC_BYTES), nowMs];
  };
  insertRows(dataDir, { statement, rows, valuesAt });
  // As rows of a version that sealed none: the next start seals them instead of refusing them as forged.
  const database = new Database(join(dataDir, DATABASE), { readwrite: true });
  database.run("delete from meta where key = 'setting:clientKeysSealed'");
  database.close();
}

type Value = string | number | Uint8Array;
type Insert = {
  readonly statement: string;
  readonly rows: number;
  readonly valuesAt: (at: number) => readonly Value[];
};

function insertRows(dataDir: string, { statement, rows, valuesAt }: Insert): void {
  const database = new Database(join(dataDir, DATABASE), { readwrite: true });
  try {
    const insert = database.prepare(statement);
    const writeBatch = database.transaction((from: number, to: number) => {
      for (let at = from; at < to; at += 1) insert.run(...valuesAt(at));
    });
    for (let from = 0; from < rows; from += BATCH_ROWS) writeBatch(from, Math.min(rows, from + BATCH_ROWS));
  } finally {
    database.close();
  }
}

/** Sorts by time and then by `serial`, in the place of the random part. */
export function uuidV7(atMs: number, serial: number): string {
  const time = atMs.toString(16).padStart(12, "0");
  const tail = serial.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${tail}`;
}
