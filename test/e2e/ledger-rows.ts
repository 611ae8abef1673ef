import { Database } from "bun:sqlite";
import { join } from "node:path";
import type { RecordedRequest } from "../../sim/simulator.ts";

/** A row of the ledger, read past the product: what is on the disk counts, not what a report says of it. */
export type LedgerRow = {
  readonly id: string;
  readonly model: string | null;
  readonly outcome: string;
  readonly attempts: number;
  readonly status: number | null;
  readonly output_tokens: number | null;
};

const PAUSE_MS = 20;

export function readRows(dataDir: string): readonly LedgerRow[] {
  return withDatabase(dataDir, (database) =>
    database
      .query<LedgerRow, []>("select id, model, outcome, attempts, status, output_tokens from requests order by id")
      .all(),
  );
}

/** "ok", or the engine's complaints. */
export function integrityOf(dataDir: string): string {
  return withDatabase(dataDir, (database) =>
    database
      .query<{ integrity_check: string }, []>("pragma integrity_check")
      .all()
      .map(({ integrity_check }) => integrity_check)
      .join("; "),
  );
}

/** @throws Error when the rows do not come to satisfy `holds` in time */
export async function waitForRows(
  dataDir: string,
  holds: (rows: readonly LedgerRow[]) => boolean,
  waitMs = 15_000,
): Promise<readonly LedgerRow[]> {
  const untilMs = performance.now() + waitMs;
  for (;;) {
    const rows = readRows(dataDir);
    if (holds(rows)) return rows;
    if (performance.now() > untilMs) throw new Error(`Cannot see the rows in ${waitMs} ms: ${describe(rows)}`);
    await Bun.sleep(PAUSE_MS);
  }
}

export function countBy<Value>(values: Iterable<Value>, nameOf: (value: Value) => string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(nameOf(value), (counts.get(nameOf(value)) ?? 0) + 1);
  return counts;
}

/** The model of a recorded request, even of one whose body was cut. Null when it has none. */
export function modelOf({ body }: RecordedRequest): string | null {
  return /"model":"([^"]+)"/.exec(Buffer.from(body).toString("latin1"))?.[1] ?? null;
}

function describe(rows: readonly LedgerRow[]): string {
  const outcomes = countBy(rows, ({ outcome }) => outcome);
  return `${rows.length} rows, ${JSON.stringify(Object.fromEntries(outcomes))}`;
}

function withDatabase<Value>(dataDir: string, read: (database: Database) => Value): Value {
  const database = new Database(join(dataDir, "gateway.db"), { readonly: true });
  try {
    database.run("pragma busy_timeout = 2000");
    return read(database);
  } finally {
    database.close();
  }
}
