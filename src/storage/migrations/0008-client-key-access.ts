import { type Kysely, sql } from "kysely";

/** What client keys may do and take, whose they are, and their rotation. Keys made before have no limits and no owner. */
export async function clientKeyAccessSchema(db: Kysely<unknown>): Promise<void> {
  const table = () => db.schema.alterTable("client_keys");
  await table().addColumn("owner_id", "text").execute();
  await table().addColumn("access", "text").execute();
  await table().addColumn("rotated_to", "text").execute();
  await table().addColumn("seal", "blob").execute();
  // A key that was rotated hands its name on while it is still accepted.
  await sql`drop index client_keys_active_name`.execute(db);
  await sql`create unique index client_keys_active_name on client_keys (name)
    where revoked_at_ms is null and rotated_to is null`.execute(db);
}
