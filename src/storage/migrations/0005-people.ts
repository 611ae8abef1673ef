import { type ColumnDefinitionBuilder, type Kysely, sql } from "kysely";

const ofUser = (column: ColumnDefinitionBuilder) => column.notNull().references("users.id").onDelete("cascade");

/** Users, what they log in with, and what they are logged in by. */
export async function peopleSchema(db: Kysely<unknown>): Promise<void> {
  await createUsers(db);
  await createSessions(db);
  await createTokens(db);
}

async function createUsers(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("users")
    .addColumn("id", "text", (column) => column.primaryKey().notNull())
    .addColumn("name", "text", (column) => column.notNull())
    .addColumn("canonical_name", "text", (column) => column.notNull().unique())
    .addColumn("role", "text", (column) => column.notNull())
    .addColumn("password_hash", "text", (column) => column.notNull())
    .addColumn("password_until_ms", "integer")
    .addColumn("is_password_short", "integer", (column) => column.notNull())
    .addColumn("must_change_password", "integer", (column) => column.notNull())
    .addColumn("totp_seed", "blob")
    .addColumn("totp_last_step", "integer")
    .addColumn("disabled_at_ms", "integer")
    .addColumn("locked_out_at_ms", "integer")
    .addColumn("created_at_ms", "integer", (column) => column.notNull())
    .addColumn("last_login_at_ms", "integer")
    .modifyEnd(sql`strict`)
    .execute();
  await db.schema
    .createTable("recovery_codes")
    .addColumn("user_id", "text", ofUser)
    .addColumn("mac", "blob", (column) => column.notNull())
    .addPrimaryKeyConstraint("recovery_codes_key", ["user_id", "mac"])
    .modifyEnd(sql`strict, without rowid`)
    .execute();
  await db.schema
    .createTable("login_throttles")
    .addColumn("user_id", "text", ofUser)
    .addColumn("device_hash", "blob", (column) => column.notNull())
    .addColumn("failures", "integer", (column) => column.notNull())
    .addColumn("consecutive", "integer", (column) => column.notNull())
    .addColumn("window_start_ms", "integer", (column) => column.notNull())
    .addColumn("locked_until_ms", "integer", (column) => column.notNull())
    .addPrimaryKeyConstraint("login_throttles_key", ["user_id", "device_hash"])
    .modifyEnd(sql`strict, without rowid`)
    .execute();
}

/** The digest of the cookie is the key: a session is found by what proves it, in a table where nothing else lies. */
async function createSessions(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("user_sessions")
    .addColumn("hash", "blob", (column) => column.primaryKey().notNull())
    .addColumn("id", "text", (column) => column.notNull().unique())
    .addColumn("user_id", "text", ofUser)
    .addColumn("device_hash", "blob", (column) => column.notNull())
    .addColumn("ip", "text")
    .addColumn("created_at_ms", "integer", (column) => column.notNull())
    .addColumn("factor_at_ms", "integer", (column) => column.notNull())
    .addColumn("last_used_at_ms", "integer", (column) => column.notNull())
    .addColumn("absolute_until_ms", "integer", (column) => column.notNull())
    .modifyEnd(sql`strict`)
    .execute();
  await db.schema.createIndex("user_sessions_user").on("user_sessions").column("user_id").execute();
  await db.schema
    .createTable("pre_sessions")
    .addColumn("hash", "blob", (column) => column.primaryKey().notNull())
    .addColumn("user_id", "text", ofUser)
    .addColumn("device_hash", "blob")
    .addColumn("expires_at_ms", "integer", (column) => column.notNull())
    .modifyEnd(sql`strict`)
    .execute();
  await db.schema
    .createTable("login_devices")
    .addColumn("hash", "blob", (column) => column.primaryKey().notNull())
    .addColumn("user_id", "text", ofUser)
    .addColumn("last_used_at_ms", "integer", (column) => column.notNull())
    .modifyEnd(sql`strict`)
    .execute();
  await db.schema.createIndex("login_devices_user").on("login_devices").column("user_id").execute();
}

async function createTokens(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("admin_tokens")
    .addColumn("id", "text", (column) => column.primaryKey().notNull())
    .addColumn("owner_id", "text", ofUser)
    .addColumn("name", "text", (column) => column.notNull())
    .addColumn("mac", "blob", (column) => column.notNull())
    .addColumn("pepper_version", "integer", (column) => column.notNull())
    .addColumn("created_at_ms", "integer", (column) => column.notNull())
    .addColumn("expires_at_ms", "integer", (column) => column.notNull())
    .addColumn("revoked_at_ms", "integer")
    .addColumn("last_used_at_ms", "integer")
    .modifyEnd(sql`strict`)
    .execute();
  // A revoked token gives its name free.
  await sql`create unique index admin_tokens_active_name on admin_tokens (owner_id, name) where revoked_at_ms is null`.execute(
    db,
  );
  await db.schema
    .createTable("setup_secrets")
    .addColumn("id", "text", (column) => column.primaryKey().notNull())
    .addColumn("mac", "blob", (column) => column.notNull())
    .addColumn("pepper_version", "integer", (column) => column.notNull())
    .addColumn("expires_at_ms", "integer", (column) => column.notNull())
    .modifyEnd(sql`strict`)
    .execute();
}
