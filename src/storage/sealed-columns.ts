import { sql } from "kysely";
import type { SealedColumn } from "../control/vault-ports.ts";
import type { WriteHandle } from "./schema.ts";

/** Every column that holds envelopes. A new one must be added here, or a rotation destroys its key. */
export function createSealedColumns(db: WriteHandle): readonly SealedColumn[] {
  return [accountCredentials(db)];
}

function accountCredentials(db: WriteHandle): SealedColumn {
  return {
    purpose: "accounts",
    table: "accounts",
    column: "credential",
    async page(afterId, limit) {
      return db
        .selectFrom("accounts")
        .select(["id as rowId", "generation", "credential as envelope"])
        .where("id", ">", afterId)
        .orderBy("id")
        .limit(limit)
        .execute();
    },
    async replace({ rowId, generation, envelope: before }, envelope) {
      const { numUpdatedRows } = await db
        .updateTable("accounts")
        .set({ credential: envelope })
        .where("id", "=", rowId)
        .where("generation", "=", generation)
        .where("credential", "=", before)
        .executeTakeFirst();
      return numUpdatedRows > 0n;
    },
  };
}

/** How many live client keys each pepper still checks. A revoked key is never checked again. */
export async function pepperUses(db: WriteHandle): Promise<ReadonlyMap<number, number>> {
  const rows = await db
    .selectFrom("client_keys")
    .select(["pepper_version as id", sql<number>`count(*)`.as("uses")])
    .where("revoked_at_ms", "is", null)
    .groupBy("pepper_version")
    .limit(1000)
    .execute();
  return new Map(rows.map(({ id, uses }) => [id, uses]));
}
