import { type Kysely, sql } from "kysely";

/** What was pruned of the audit log, and how far each place elsewhere has taken it. */
export async function auditSinksSchema(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("audit_prunings")
    .addColumn("seq", "integer", (column) => column.primaryKey().notNull())
    .addColumn("at_ms", "integer", (column) => column.notNull())
    .addColumn("statement", "text", (column) => column.notNull())
    .addColumn("signature", "blob", (column) => column.notNull())
    .modifyEnd(sql`strict`)
    .execute();
  await db.schema
    .createTable("audit_sinks")
    .addColumn("name", "text", (column) => column.primaryKey().notNull())
    .addColumn("seq", "integer", (column) => column.notNull())
    .addColumn("is_after_checkpoint", "integer", (column) => column.notNull())
    .addColumn("since_ms", "integer", (column) => column.notNull())
    .modifyEnd(sql`strict`)
    .execute();
}
