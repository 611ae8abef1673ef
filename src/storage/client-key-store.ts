import type { ClientKeyRecord, ClientKeyStore } from "../control/ports.ts";
import { clientKeyId } from "../domain/access/client-key-id.ts";
import { parseUserId } from "../domain/access/user-id.ts";
import { err, ok } from "../kernel/result.ts";
import { type EpochMs, epochMs } from "../kernel/time.ts";
import { accessFromText, accessToText } from "./client-key-access.ts";
import type { ClientKeysTable, WriteHandle } from "./schema.ts";
import { isUniqueViolation } from "./sqlite/sqlite-error.ts";

const MAX_CLIENT_KEYS = 200_000;
/** Twelve columns each, and SQLite takes 32,766 values at most. */
const RESEAL_ROWS = 1_000;
const PAGE_ROWS = 2_000;

/** When a key was last used is written by the ledger's ingestion, off the event loop (ledger/ingest-rows.ts). */
export function createClientKeyStore(db: WriteHandle): ClientKeyStore {
  return {
    async list() {
      // In pages: 100,000 rows at once leave 40 MiB of garbage behind.
      const records: ClientKeyRecord[] = [];
      for (let isMore = true; isMore && records.length < MAX_CLIENT_KEYS; ) {
        const page = await pageAfter(db, records.at(-1)?.id ?? "");
        for (const row of page) records.push(fromRow(row));
        isMore = page.length === PAGE_ROWS;
      }
      return records.sort(inOrder);
    },

    async insert(record) {
      try {
        await db.insertInto("client_keys").values(toRow(record)).execute();
        return ok(undefined);
      } catch (cause) {
        if (isUniqueViolation(cause)) return err("name_taken");
        throw cause;
      }
    },

    async revoke({ id, revokedAtMs, seal }) {
      const { numUpdatedRows } = await db
        .updateTable("client_keys")
        .set({ revoked_at_ms: revokedAtMs, seal })
        .where("id", "=", id)
        .where("revoked_at_ms", "is", null)
        .executeTakeFirst();
      return numUpdatedRows > 0n;
    },

    async supersede({ id, expiresAtMs, rotatedTo, seal }) {
      const { numUpdatedRows } = await db
        .updateTable("client_keys")
        .set({ expires_at_ms: expiresAtMs, rotated_to: rotatedTo, seal })
        .where("id", "=", id)
        .where("revoked_at_ms", "is", null)
        .where("rotated_to", "is", null)
        .executeTakeFirst();
      return numUpdatedRows > 0n;
    },

    async reseal(records) {
      for (let at = 0; at < records.length; at += RESEAL_ROWS) {
        await db
          .insertInto("client_keys")
          .values(records.slice(at, at + RESEAL_ROWS).map(toRow))
          .onConflict((conflict) =>
            conflict
              .column("id")
              .doUpdateSet((row) => ({ seal: row.ref("excluded.seal") }))
              .where("client_keys.seal", "is", null),
          )
          .execute();
      }
    },
  };
}

function pageAfter(db: WriteHandle, id: string): Promise<readonly ClientKeysTable[]> {
  return db.selectFrom("client_keys").selectAll().where("id", ">", id).orderBy("id").limit(PAGE_ROWS).execute();
}

/** Newest first, and by id among those of one instant. */
function inOrder(one: ClientKeyRecord, other: ClientKeyRecord): number {
  return other.createdAtMs - one.createdAtMs || (one.id < other.id ? -1 : 1);
}

function toRow(record: ClientKeyRecord): ClientKeysTable {
  return {
    id: record.id,
    name: record.name,
    hmac: record.hmac,
    pepper_version: record.pepperVersion,
    created_at_ms: record.createdAtMs,
    revoked_at_ms: record.revokedAtMs,
    expires_at_ms: record.expiresAtMs,
    last_used_at_ms: record.lastUsedAtMs,
    owner_id: record.ownerId,
    access: accessToText(record.access),
    rotated_to: record.rotatedTo,
    seal: record.seal,
  };
}

function fromRow(row: ClientKeysTable): ClientKeyRecord {
  const id = clientKeyId(row.id);
  return {
    id,
    name: row.name,
    hmac: row.hmac,
    pepperVersion: row.pepper_version,
    createdAtMs: epochMs(row.created_at_ms),
    revokedAtMs: instantOrNull(row.revoked_at_ms),
    expiresAtMs: instantOrNull(row.expires_at_ms),
    lastUsedAtMs: instantOrNull(row.last_used_at_ms),
    // An owner that is no user was not written by the gateway, and then the seal of the row does not fit.
    ownerId: row.owner_id === null ? null : parseUserId(row.owner_id),
    access: accessFromText(row.access, id),
    rotatedTo: row.rotated_to === null ? null : clientKeyId(row.rotated_to),
    seal: row.seal,
  };
}

function instantOrNull(value: number | null): EpochMs | null {
  return value === null ? null : epochMs(value);
}
