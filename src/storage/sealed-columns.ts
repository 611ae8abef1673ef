import { type RawBuilder, sql } from "kysely";
import type { SealedColumn, SealedValue } from "../control/vault-ports.ts";
import type { WriteHandle } from "./schema.ts";

type Place = Pick<SealedColumn, "purpose" | "table" | "column"> & {
  /** The primary key, a text. */
  readonly id: string;
  /** What the envelope is bound to besides its place, as an expression over the table. */
  readonly generation: RawBuilder<number>;
};

/** Every column that holds envelopes. A new one must be added here, or a rotation destroys the key that it needs. */
export function createSealedColumns(db: WriteHandle): readonly SealedColumn[] {
  const accounts = { purpose: "accounts", id: "id" } as const;
  const ofAccount = sql<number>`(select generation from accounts where accounts.id = oauth_accounts.account_id)`;
  const places: readonly Place[] = [
    { ...accounts, table: "accounts", column: "credential", generation: sql<number>`generation` },
    { ...accounts, table: "oauth_accounts", column: "refresh_token", id: "account_id", generation: ofAccount },
    { ...accounts, table: "oauth_sessions", column: "sealed", generation: sql<number>`1` },
    { purpose: "totp", table: "users", column: "totp_seed", id: "id", generation: sql<number>`1` },
    { purpose: "audit-sign", table: "audit_log", column: "signing_key", id: "id", generation: sql<number>`generation` },
  ];
  return places.map((place) => sealedColumn(db, place));
}

function sealedColumn(db: WriteHandle, place: Place): SealedColumn {
  const table = sql.table(place.table);
  const id = sql.ref(place.id);
  const column = sql.ref(place.column);
  const { generation } = place;
  return {
    purpose: place.purpose,
    table: place.table,
    column: place.column,
    async page(afterId, limit) {
      const page = sql<SealedValue>`
        select ${id} as "rowId", ${generation} as generation, ${column} as envelope from ${table}
        where ${id} > ${afterId} and ${column} is not null order by ${id} limit ${limit}`;
      return (await page.execute(db)).rows;
    },
    async replace(before, envelope) {
      const replaced = await sql`
        update ${table} set ${column} = ${envelope}
        where ${id} = ${before.rowId} and ${column} = ${before.envelope} and ${generation} = ${before.generation}
      `.execute(db);
      return (replaced.numAffectedRows ?? 0n) > 0n;
    },
  };
}

/** How many live keys, tokens and setup secrets each pepper still checks. What is revoked is never checked again. */
export async function pepperUses(db: WriteHandle): Promise<ReadonlyMap<number, number>> {
  const checked = sql<{ readonly id: number; readonly uses: number }>`
    select pepper_version as id, count(*) as uses from (
      select pepper_version from client_keys where revoked_at_ms is null
      union all select pepper_version from admin_tokens where revoked_at_ms is null
      union all select pepper_version from setup_secrets
    ) group by pepper_version limit 1000`;
  return new Map((await checked.execute(db)).rows.map(({ id, uses }) => [id, uses]));
}
