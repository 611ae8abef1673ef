import type { SQLQueryBindings } from "bun:sqlite";
import type { StoredAccount } from "../../control/ports.ts";
import { dataPathsOf } from "../data-directory.ts";
import { openDatabase } from "../sqlite/open-database.ts";

/** A client key of the old project: kept for its name and its history, never accepted. */
export type ImportedKey = {
  readonly id: string;
  readonly name: string;
  readonly createdAtMs: number;
  readonly revokedAtMs: number;
  readonly lastUsedAtMs: number | null;
};

/** A settled request, by the columns of `requests`. */
export type ImportedRequest = Readonly<Record<(typeof REQUEST_COLUMNS)[number], string | number | null>>;

export type ImportRows = {
  readonly accounts: readonly StoredAccount[];
  readonly clientKeys: readonly ImportedKey[];
  readonly requests: Iterable<ImportedRequest>;
};

export type WrittenRows = { readonly accounts: number; readonly clientKeys: number; readonly requests: number };

const REQUEST_COLUMNS = [
  "id",
  "started_at_ms",
  "client_key_id",
  "method",
  "path",
  "model",
  "is_stream",
  "request_bytes",
  "account_id",
  "outcome",
  "settled_at_ms",
  "status",
  "attempts",
  "total_ms",
  "has_usage",
  "input_tokens",
  "cache_write_5m_tokens",
  "cache_read_tokens",
  "output_tokens",
  "is_usage_partial",
  "cost_micro_usd",
] as const;

const ACCOUNT_COLUMNS =
  "id, name, provider, base_url, credential_kind, credential, generation, priority, weight, is_paused, created_at_ms, models";

/**
 * All rows in one transaction: a crash, or an exception while `requests` is read, leaves nothing. A row whose id is
 * there is left as it is, so a second import changes nothing. The caller holds the directory (`openStorage`).
 */
export function writeImport(dataDir: string, rows: ImportRows): WrittenRows {
  const database = openDatabase(dataPathsOf(dataDir).database, "control");
  try {
    const account = database.query(insertSql("accounts", ACCOUNT_COLUMNS.split(", ")));
    const key = database.query(
      insertSql("client_keys", [
        "id",
        "name",
        "hmac",
        "pepper_version",
        "created_at_ms",
        "revoked_at_ms",
        "last_used_at_ms",
      ]),
    );
    const request = database.query(insertSql("requests", REQUEST_COLUMNS));
    const written = database
      .transaction((): WrittenRows => {
        let [accounts, clientKeys, requests] = [0, 0, 0];
        for (const each of rows.accounts) accounts += account.run(...accountCells(each)).changes;
        for (const each of rows.clientKeys) clientKeys += key.run(...keyCells(each)).changes;
        for (const each of rows.requests) requests += request.run(...REQUEST_COLUMNS.map((name) => each[name])).changes;
        return { accounts, clientKeys, requests };
      })
      .immediate();
    // What was written is in the database file alone, where it can be looked through.
    database.run("pragma wal_checkpoint(truncate)");
    return written;
  } finally {
    database.close();
  }
}

function insertSql(table: string, columns: readonly string[]): string {
  const places = columns.map(() => "?").join(", ");
  return `insert into ${table} (${columns.join(", ")}) values (${places}) on conflict (id) do nothing`;
}

function accountCells(account: StoredAccount): SQLQueryBindings[] {
  return [
    account.id,
    account.name,
    account.provider,
    account.baseUrl,
    account.credentialKind,
    account.credential,
    account.generation,
    account.priority,
    account.weight,
    account.isPaused ? 1 : 0,
    account.createdAtMs,
    "[]",
  ];
}

/** No digest has no bytes, so nothing that is presented can ever match. */
function keyCells(key: ImportedKey): SQLQueryBindings[] {
  return [key.id, key.name, new Uint8Array(0), 0, key.createdAtMs, key.revokedAtMs, key.lastUsedAtMs];
}
