import { Database } from "bun:sqlite";
import { readdirSync } from "node:fs";
import { join } from "node:path";

const BATCH_ROWS = 20_000;
/** One row per 100 ms, ending an hour ago: the gateway's own rows come after all of them. */
const ROW_SPACING_MS = 100;
const HOUR_MS = 3_600_000;

/**
 * Puts finished requests into the ledger of a running gateway, past its back: through the front door a million of them
 * would take an hour. Knows the schema of migration 0001.
 * @returns how many rows were written
 */
export function seedLedger(dataDir: string, rows: number): number {
  const file = readdirSync(dataDir).find((name) => name.endsWith(".db"));
  if (file === undefined) throw new Error(`Cannot seed the ledger: ${dataDir} holds no database`);
  const database = new Database(join(dataDir, file));
  try {
    database.run("pragma busy_timeout = 10000");
    const insert = database.prepare(`
      insert into requests (id, started_at_ms, client_key_id, method, path, model, is_stream, request_bytes, outcome,
        settled_at_ms, status, attempts, queue_ms, first_byte_ms, total_ms, response_bytes, has_usage, input_tokens,
        output_tokens, is_usage_partial)
      values (?, ?, 'benchbench', 'POST', '/v1/messages', 'claude-sonnet-4-5-20250929', 0, 1024, 'completed',
        ?, 200, 1, 0, 5, 6, 1024, 1, 12, 210, 0)`);
    const firstMs = Date.now() - HOUR_MS - rows * ROW_SPACING_MS;
    const writeBatch = database.transaction((from: number, to: number) => {
      for (let at = from; at < to; at += 1) {
        const startedAtMs = firstMs + at * ROW_SPACING_MS;
        insert.run(uuidV7(startedAtMs, at), startedAtMs, startedAtMs + 6);
      }
    });
    for (let from = 0; from < rows; from += BATCH_ROWS) writeBatch(from, Math.min(rows, from + BATCH_ROWS));
    return rows;
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
