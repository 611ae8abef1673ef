import { type Kysely, sql } from "kysely";

/** The tables of the first release. */
export async function initialSchema(db: Kysely<unknown>): Promise<void> {
  await createKeyTables(db);
  await createAccountTables(db);
  await createLedgerTables(db);
}

async function createKeyTables(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("meta")
    .addColumn("key", "text", (column) => column.primaryKey().notNull())
    .addColumn("value", "text", (column) => column.notNull())
    .modifyEnd(sql`strict`)
    .execute();
  // From here on a stored secret without an envelope is an error, never passed through (security.md D3.8).
  await sql`insert into meta (key, value) values ('encryption_required', '1')`.execute(db);
  await db.schema
    .createTable("data_keys")
    .addColumn("id", "integer", (column) => column.primaryKey().notNull())
    .addColumn("purpose", "text", (column) => column.notNull())
    .addColumn("kek_id", "text", (column) => column.notNull())
    .addColumn("wrapped", "blob", (column) => column.notNull())
    .addColumn("created_at_ms", "integer", (column) => column.notNull())
    .addColumn("state", "text", (column) => column.notNull())
    .modifyEnd(sql`strict`)
    .execute();
}

async function createAccountTables(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("accounts")
    .addColumn("id", "text", (column) => column.primaryKey().notNull())
    .addColumn("name", "text", (column) => column.notNull().unique())
    .addColumn("provider", "text", (column) => column.notNull())
    .addColumn("base_url", "text", (column) => column.notNull())
    .addColumn("credential_kind", "text", (column) => column.notNull())
    .addColumn("credential", "blob", (column) => column.notNull())
    .addColumn("generation", "integer", (column) => column.notNull())
    .addColumn("priority", "integer", (column) => column.notNull())
    .addColumn("organization", "text")
    .addColumn("workspace", "text")
    .addColumn("is_paused", "integer", (column) => column.notNull())
    .addColumn("created_at_ms", "integer", (column) => column.notNull())
    .addColumn("models", "text", (column) => column.notNull())
    .modifyEnd(sql`strict`)
    .execute();
  await db.schema
    .createTable("client_keys")
    .addColumn("id", "text", (column) => column.primaryKey().notNull())
    .addColumn("name", "text", (column) => column.notNull())
    .addColumn("hmac", "blob", (column) => column.notNull())
    .addColumn("pepper_version", "integer", (column) => column.notNull())
    .addColumn("created_at_ms", "integer", (column) => column.notNull())
    .addColumn("revoked_at_ms", "integer")
    .addColumn("expires_at_ms", "integer")
    .addColumn("last_used_at_ms", "integer")
    .modifyEnd(sql`strict`)
    .execute();
  // A revoked key gives its name free.
  await sql`create unique index client_keys_active_name on client_keys (name) where revoked_at_ms is null`.execute(db);
}

async function createLedgerTables(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("requests")
    .addColumn("id", "text", (column) => column.primaryKey().notNull())
    .addColumn("started_at_ms", "integer", (column) => column.notNull())
    .addColumn("client_key_id", "text", (column) => column.notNull())
    .addColumn("method", "text", (column) => column.notNull())
    .addColumn("path", "text", (column) => column.notNull())
    .addColumn("model", "text")
    .addColumn("is_stream", "integer", (column) => column.notNull())
    .addColumn("request_bytes", "integer", (column) => column.notNull())
    .addColumn("account_id", "text")
    .addColumn("outcome", "text", (column) => column.notNull())
    .addColumn("settled_at_ms", "integer")
    .addColumn("status", "integer")
    .addColumn("attempts", "integer", (column) => column.notNull())
    .addColumn("queue_ms", "integer")
    .addColumn("first_byte_ms", "integer")
    .addColumn("total_ms", "integer")
    .addColumn("response_bytes", "integer")
    .addColumn("has_usage", "integer", (column) => column.notNull())
    .addColumn("input_tokens", "integer")
    .addColumn("cache_write_5m_tokens", "integer")
    .addColumn("cache_write_1h_tokens", "integer")
    .addColumn("cache_read_tokens", "integer")
    .addColumn("output_tokens", "integer")
    .addColumn("web_search_requests", "integer")
    .addColumn("web_fetch_requests", "integer")
    .addColumn("service_tier", "text")
    .addColumn("is_usage_partial", "integer", (column) => column.notNull())
    .addColumn("upstream_request_id", "text")
    .addColumn("error_type", "text")
    // Measured with 50,000 rows: 194 B per row against 268 B with a rowid and its second tree, at the same CPU.
    .modifyEnd(sql`strict, without rowid`)
    .execute();
  // Costs only the rows that are in flight; finds what a crash left without reading the whole ledger.
  await sql`create index requests_in_flight on requests (id) where outcome = 'in_flight'`.execute(db);
  await db.schema
    .createTable("spool_positions")
    .addColumn("segment", "text", (column) => column.primaryKey().notNull())
    .addColumn("ingested_bytes", "integer", (column) => column.notNull())
    .modifyEnd(sql`strict, without rowid`)
    .execute();
}
