import { type Kysely, sql } from "kysely";

/** The audit log: who changed what. */
export async function auditSchema(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("audit_entries")
    .addColumn("seq", "integer", (column) => column.primaryKey().notNull())
    .addColumn("at_ms", "integer", (column) => column.notNull())
    .addColumn("entry", "text", (column) => column.notNull())
    .addColumn("hash", "blob", (column) => column.notNull())
    .modifyEnd(sql`strict`)
    .execute();
  await db.schema
    .createTable("audit_log")
    .addColumn("id", "text", (column) => column.primaryKey().notNull())
    .addColumn("generation", "integer", (column) => column.notNull())
    .addColumn("signing_key", "blob", (column) => column.notNull())
    .modifyEnd(sql`strict`)
    .execute();
  await db.schema
    .createTable("audit_checkpoints")
    .addColumn("seq", "integer", (column) => column.primaryKey().notNull())
    .addColumn("at_ms", "integer", (column) => column.notNull())
    .addColumn("statement", "text", (column) => column.notNull())
    .addColumn("signature", "blob", (column) => column.notNull())
    .modifyEnd(sql`strict`)
    .execute();
}
