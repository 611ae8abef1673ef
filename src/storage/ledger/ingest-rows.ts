import type { Database, SQLQueryBindings } from "bun:sqlite";
import { BEGIN_COLUMNS, FIRST_CELL, SETTLE_COLUMNS, type SpoolRecord } from "./record-line.ts";

/** Writes records in any order, any number of times, with the same result: the primary key decides. */
export type RowWriter = { write(records: readonly SpoolRecord[]): void };

type Pending = { begin: SpoolRecord | null; settle: SpoolRecord | null };

const STARTED_AT = FIRST_CELL + BEGIN_COLUMNS.indexOf("started_at_ms");
const CLIENT_KEY = FIRST_CELL + BEGIN_COLUMNS.indexOf("client_key_id");
const SETTLED_AT = FIRST_CELL + SETTLE_COLUMNS.indexOf("settled_at_ms");
const TOTAL = FIRST_CELL + SETTLE_COLUMNS.indexOf("total_ms");
const SETTLED_ACCOUNT = FIRST_CELL + SETTLE_COLUMNS.indexOf("account_id");
const BEGUN_ACCOUNT = FIRST_CELL + BEGIN_COLUMNS.indexOf("account_id");

/** account_id is in both records: the one that answered, else the one that was tried first. */
const WHOLE_COLUMNS = [...BEGIN_COLUMNS.filter((name) => name !== "account_id"), ...SETTLE_COLUMNS];

/** A key's "last used" is as fine as this: a busy key is written once a minute (security.md D6). */
const LAST_USED_GRAIN_MS = 60_000;

const ROW_WIDTH = 1 + WHOLE_COLUMNS.length;
/** Measured: 8 rows in one statement cost 3.9 us each, one by one 4.7. */
const ROWS_PER_INSERT = 8;
const BULK_WIDTH = ROWS_PER_INSERT * ROW_WIDTH;

/** `write` is to be called inside a transaction. Its statements are those of `database.query`, closed with the database. */
export function createRowWriter(database: Database): RowWriter {
  const whole = database.query(insertSql(WHOLE_COLUMNS, setAll(WHOLE_COLUMNS)));
  const wholes = database.query(insertSql(WHOLE_COLUMNS, setAll(WHOLE_COLUMNS), ROWS_PER_INSERT));
  const begun = database.query(
    insertSql(
      [...BEGIN_COLUMNS, "outcome", "attempts", "has_usage", "is_usage_partial"],
      // A settlement that came before keeps its outcome and its account.
      [
        ...setAll(BEGIN_COLUMNS.filter((name) => name !== "account_id")),
        "account_id = coalesce(requests.account_id, excluded.account_id)",
      ],
    ),
  );
  const settled = database.query(
    insertSql(WHOLE_COLUMNS, [
      ...setAll(SETTLE_COLUMNS.filter((name) => name !== "account_id")),
      "account_id = coalesce(excluded.account_id, requests.account_id)",
    ]),
  );

  const used = database.query(
    "update client_keys set last_used_at_ms = ?2 where id = ?1 and coalesce(last_used_at_ms, 0) <= ?2 - ?3",
  );

  const insertWhole = (rows: readonly SQLQueryBindings[]): void => {
    const inBulk = rows.length - (rows.length % BULK_WIDTH);
    for (let at = 0; at < inBulk; at += BULK_WIDTH) wholes.run(...rows.slice(at, at + BULK_WIDTH));
    for (let at = inBulk; at < rows.length; at += ROW_WIDTH) whole.run(...rows.slice(at, at + ROW_WIDTH));
  };

  return {
    write(records) {
      const rows: SQLQueryBindings[] = [];
      for (const [id, { begin, settle }] of byRequest(records)) {
        if (begin !== null && settle !== null) pushWholeRow(rows, begin, settle);
        else if (settle !== null) settled.run(...orphanRow(id, settle));
        else if (begin !== null) begun.run(id, ...begin.cells.slice(FIRST_CELL), "in_flight", 0, 0, 0);
      }
      insertWhole(rows);
      for (const [keyId, atMs] of lastUses(records)) used.run(keyId, atMs, LAST_USED_GRAIN_MS);
    },
  };
}

/** The newest begin of each key; a batch names few keys. */
function lastUses(records: readonly SpoolRecord[]): ReadonlyMap<string, number> {
  const uses = new Map<string, number>();
  for (const { kind, cells } of records) {
    const keyId = cells[CLIENT_KEY];
    const atMs = cells[STARTED_AT];
    if (kind === "begin" && typeof keyId === "string" && typeof atMs === "number") {
      uses.set(keyId, Math.max(atMs, uses.get(keyId) ?? 0));
    }
  }
  return uses;
}

/** Both records of a request in one batch, the usual case, cost one insert. */
function byRequest(records: readonly SpoolRecord[]): Map<string, Pending> {
  const requests = new Map<string, Pending>();
  for (const record of records) {
    let entry = requests.get(record.id);
    if (entry === undefined) {
      entry = { begin: null, settle: null };
      requests.set(record.id, entry);
    }
    if (record.kind === "begin") entry.begin = record;
    else entry.settle = record;
  }
  return requests;
}

/** The begin without its account, which is last, then the settlement, whose account is first. */
function pushWholeRow(row: SQLQueryBindings[], begin: SpoolRecord, settle: SpoolRecord): void {
  row.push(begin.id);
  for (let at = FIRST_CELL; at < BEGUN_ACCOUNT; at += 1) row.push(begin.cells[at] ?? null);
  row.push(settle.cells[SETTLED_ACCOUNT] ?? begin.cells[BEGUN_ACCOUNT] ?? null);
  for (let at = SETTLED_ACCOUNT + 1; at < settle.cells.length; at += 1) row.push(settle.cells[at] ?? null);
}

/** Inserted only when the begin is nowhere, which takes a full disk and a full memory queue. */
function orphanRow(id: string, settle: SpoolRecord): SQLQueryBindings[] {
  const startedAtMs = Number(settle.cells[SETTLED_AT]) - Number(settle.cells[TOTAL]);
  return [id, startedAtMs, "", "", "", null, 0, 0, ...settle.cells.slice(FIRST_CELL)];
}

function insertSql(columns: readonly string[], onConflict: readonly string[], rowCount = 1): string {
  const row = `(?${", ?".repeat(columns.length)})`;
  const rows = Array.from({ length: rowCount }, () => row).join(", ");
  return (
    `insert into requests (id, ${columns.join(", ")}) values ${rows} ` +
    `on conflict (id) do update set ${onConflict.join(", ")}`
  );
}

function setAll(columns: readonly string[]): string[] {
  return columns.map((name) => `${name} = excluded.${name}`);
}
