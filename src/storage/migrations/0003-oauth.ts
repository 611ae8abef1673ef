import { type Kysely, sql } from "kysely";

/** Logins that renew themselves, and logins under way. */
export async function oauthSchema(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("oauth_accounts")
    .addColumn("account_id", "text", (column) =>
      column.primaryKey().notNull().references("accounts.id").onDelete("cascade"),
    )
    .addColumn("client_id", "text", (column) => column.notNull())
    .addColumn("authorize_url", "text", (column) => column.notNull())
    .addColumn("token_url", "text", (column) => column.notNull())
    .addColumn("scopes", "text", (column) => column.notNull())
    .addColumn("refresh_token", "blob")
    .addColumn("issued_at_ms", "integer", (column) => column.notNull())
    .addColumn("expires_at_ms", "integer")
    .addColumn("state", "text", (column) => column.notNull())
    .addColumn("terms_accepted_at_ms", "integer", (column) => column.notNull())
    .addColumn("lease_owner", "text")
    .addColumn("lease_until_ms", "integer")
    .modifyEnd(sql`strict`)
    .execute();
  await db.schema
    .createTable("oauth_sessions")
    .addColumn("id", "text", (column) => column.primaryKey().notNull())
    .addColumn("owner", "text", (column) => column.notNull())
    .addColumn("sealed", "blob", (column) => column.notNull())
    .addColumn("state_hash", "blob", (column) => column.notNull())
    .addColumn("created_at_ms", "integer", (column) => column.notNull())
    .addColumn("expires_at_ms", "integer", (column) => column.notNull())
    .modifyEnd(sql`strict`)
    .execute();
}
