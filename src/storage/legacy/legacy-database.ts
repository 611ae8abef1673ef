import { Database } from "bun:sqlite";
import { statSync } from "node:fs";
import { err, ok, type Result } from "../../kernel/result.ts";
import { isBusy, sqliteCode } from "../sqlite/sqlite-error.ts";

/** One row of the old project's database: text, numbers, or null where it said nothing usable. */
export type LegacyRow = Readonly<Record<string, string | number | null>>;

export type LegacyDatabase = {
  accounts(): readonly LegacyRow[];
  clientKeys(): readonly LegacyRow[];
  /** In the order of their storage; each row is read when it is asked for. */
  requests(): Iterable<LegacyRow>;
  requestCount(): number;
  close(): void;
};

const TABLES = {
  accounts: [
    "id",
    "name",
    "provider",
    "api_key",
    "refresh_token",
    "access_token",
    "created_at",
    "priority",
    "paused",
    "custom_endpoint",
  ],
  api_keys: ["id", "name", "created_at", "last_used", "is_active"],
  requests: [
    "id",
    "timestamp",
    "method",
    "path",
    "account_used",
    "status_code",
    "success",
    "response_time_ms",
    "failover_attempts",
    "model",
    "cost_usd",
    "input_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "output_tokens",
    "api_key_id",
    "stream_terminal_state",
  ],
} as const;

type TableName = keyof typeof TABLES;

const MAX_ROWS: Record<TableName, number> = { accounts: 10_000, api_keys: 100_000, requests: 50_000_000 };
/** Longer text is cut: enough to recognise a credential that is too long, and little enough to hold. */
const MAX_TEXT = 16_384;
/** The old schema has 20 objects or so; a catalogue of millions is not one. */
const MAX_OBJECTS = 10_000;
const BUSY_TIMEOUT_MS = 5_000;

/** Opens for reading alone, and looks at nothing before the shape of the file is known. The error completes "Cannot import PATH: ...". */
export function openLegacyDatabase(path: string): Result<LegacyDatabase, string> {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return err("there is no such file");
  if (!stats.isFile()) return err("it is not a regular file");
  let database: Database | null = null;
  try {
    database = new Database(path, { readonly: true, strict: true });
    database.run(`pragma busy_timeout = ${BUSY_TIMEOUT_MS}`);
    // Nothing that somebody put into the schema may call functions with side effects, and no page may lie.
    database.run("pragma trusted_schema = off");
    database.run("pragma cell_size_check = on");
    database.run("pragma query_only = on");
    database.run("begin");
    const problem = shapeProblem(database);
    if (problem === null) return ok(readerOf(database));
    database.close();
    return err(problem);
  } catch (cause) {
    database?.close();
    return err(inWords(cause));
  }
}

/** What a read of the file may throw, for a person. */
export function inWords(cause: unknown): string {
  if (isBusy(cause)) return "another process holds it; stop the old gateway first";
  const code = sqliteCode(cause);
  if (code === "SQLITE_NOTADB") return "it is not a SQLite database";
  if (code !== null) return `SQLite cannot read it (${code})`;
  return cause instanceof Error ? cause.message : String(cause);
}

function shapeProblem(database: Database): string | null {
  const objects =
    database.query<{ total: number }, []>("select count(*) as total from sqlite_master").get()?.total ?? 0;
  if (objects > MAX_OBJECTS) return `its schema has ${objects} objects, more than ${MAX_OBJECTS}`;
  const find = database.query<{ type: string; sql: string | null }, [string]>(
    "select type, sql from sqlite_master where name = ? collate nocase",
  );
  for (const name of Object.keys(TABLES)) {
    const found = find.get(name);
    if (found === null) {
      if (name === "accounts") return "it has no table accounts: it is not a database of the old project";
      continue;
    }
    // A view or a virtual table runs code of the file's author while it is read.
    if (found.type !== "table" || /^\s*create\s+virtual/i.test(found.sql ?? "")) return `${name} is not a plain table`;
  }
  return null;
}

function readerOf(database: Database): LegacyDatabase {
  const rowsOf = (table: TableName): Iterable<LegacyRow> => {
    const sql = selectOf(database, table);
    return sql === null ? [] : database.query<LegacyRow, []>(sql).iterate();
  };
  return {
    accounts: () => [...rowsOf("accounts")],
    clientKeys: () => [...rowsOf("api_keys")],
    requests: () => rowsOf("requests"),
    requestCount() {
      if (selectOf(database, "requests") === null) return 0;
      return database.query<{ total: number }, []>("select count(*) as total from requests").get()?.total ?? 0;
    },
    close: () => database.close(),
  };
}

/** Null when the table, or its id, is not there. A column that is absent, or computed, reads as null. */
function selectOf(database: Database, table: TableName): string | null {
  const present = new Set(
    database
      .query<{ name: string; hidden: number }, [string]>("select name, hidden from pragma_table_xinfo(?)")
      .all(table)
      .filter(({ hidden }) => hidden === 0)
      .map(({ name }) => name.toLowerCase()),
  );
  if (!present.has("id")) return null;
  const columns = TABLES[table].map((name) => {
    if (!present.has(name)) return `null as "${name}"`;
    return `case typeof("${name}") when 'text' then substr("${name}", 1, ${MAX_TEXT}) when 'integer' then "${name}" when 'real' then "${name}" when 'blob' then substr(cast("${name}" as text), 1, ${MAX_TEXT}) end as "${name}"`;
  });
  return `select ${columns.join(", ")} from ${table} limit ${MAX_ROWS[table]}`;
}
