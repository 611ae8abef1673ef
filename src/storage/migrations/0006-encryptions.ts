import type { Kysely } from "kysely";

/** How many encryptions each data key has made, in blocks that are reserved ahead. */
export async function encryptionsSchema(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .alterTable("data_keys")
    .addColumn("encryptions", "integer", (column) => column.notNull().defaultTo(0))
    .execute();
}
