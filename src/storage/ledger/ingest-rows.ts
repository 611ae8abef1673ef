import type { Database, SQLQueryBindings, Statement } from "bun:sqlite";
import { BEGIN_COLUMNS, type BeginRecord, SETTLE_COLUMNS, type SettleRecord, type SpoolRecord } from "./record-line.ts";

/** Writes records in any order, any number of times, with the same result: the primary key decides. */
export type RowWriter = { write(records: readonly SpoolRecord[]): void };

type Pending = { begin: BeginRecord | null; settle: SettleRecord | null };

const SETTLED_AT = SETTLE_COLUMNS.indexOf("settled_at_ms");
const TOTAL = SETTLE_COLUMNS.indexOf("total_ms");
const SETTLED_ACCOUNT = SETTLE_COLUMNS.indexOf("account_id");
const BEGUN_ACCOUNT = BEGIN_COLUMNS.indexOf("account_id");

/** account_id is in both records: the one that answered, else the one that was tried first. */
const WHOLE_COLUMNS = [...BEGIN_COLUMNS.filter((name) => name !== "account_id"), ...SETTLE_COLUMNS];

/** To be called inside a transaction. */
export function createRowWriter(database: Database): RowWriter {
  const whole = database.prepare(insertSql(WHOLE_COLUMNS, setAll(WHOLE_COLUMNS)));
  const begun = database.prepare(
    insertSql(
      [...BEGIN_COLUMNS, "outcome", "attempts", "has_usage", "is_usage_partial"],
      // A settlement that came before keeps its outcome and its account.
      [
        ...setAll(BEGIN_COLUMNS.filter((name) => name !== "account_id")),
        "account_id = coalesce(requests.account_id, excluded.account_id)",
      ],
    ),
  );
  const settled = database.prepare(
    insertSql(WHOLE_COLUMNS, [
      ...setAll(SETTLE_COLUMNS.filter((name) => name !== "account_id")),
      "account_id = coalesce(excluded.account_id, requests.account_id)",
    ]),
  );

  return {
    write(records) {
      for (const [id, { begin, settle }] of byRequest(records)) {
        if (begin !== null && settle !== null) run(whole, wholeRow(id, begin, settle));
        else if (settle !== null) run(settled, orphanRow(id, settle));
        else if (begin !== null) run(begun, [id, ...begin.cells, "in_flight", 0, 0, 0]);
      }
    },
  };
}

function run(statement: Statement, row: SQLQueryBindings[]): void {
  statement.run(...row);
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

function wholeRow(id: string, begin: BeginRecord, settle: SettleRecord): SQLQueryBindings[] {
  const row = [id, ...begin.cells.slice(0, BEGUN_ACCOUNT), ...settle.cells];
  const at = 1 + BEGUN_ACCOUNT + SETTLED_ACCOUNT;
  row[at] ??= begin.cells[BEGUN_ACCOUNT] ?? null;
  return row;
}

/** Inserted only when the begin is nowhere, which takes a full disk and a full memory queue. */
function orphanRow(id: string, settle: SettleRecord): SQLQueryBindings[] {
  const startedAtMs = Number(settle.cells[SETTLED_AT]) - Number(settle.cells[TOTAL]);
  return [id, startedAtMs, "", "", "", null, 0, 0, ...settle.cells];
}

function insertSql(columns: readonly string[], onConflict: readonly string[]): string {
  const marks = columns.map(() => "?").join(", ");
  return (
    `insert into requests (id, ${columns.join(", ")}) values (?, ${marks}) ` +
    `on conflict (id) do update set ${onConflict.join(", ")}`
  );
}

function setAll(columns: readonly string[]): string[] {
  return columns.map((name) => `${name} = excluded.${name}`);
}
