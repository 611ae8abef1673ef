import type { ClientKeyRecord, ClientKeyStore } from "../control/ports.ts";
import { clientKeyId } from "../domain/access/client-key-id.ts";
import { err, ok } from "../kernel/result.ts";
import { type EpochMs, epochMs } from "../kernel/time.ts";
import type { ClientKeysTable, WriteHandle } from "./schema.ts";
import { isUniqueViolation } from "./sqlite/sqlite-error.ts";

const MAX_CLIENT_KEYS = 200_000;

/** When a key was last used is written by the ledger's ingestion, off the event loop (ledger/ingest-rows.ts). */
export function createClientKeyStore(db: WriteHandle): ClientKeyStore {
  return {
    async list() {
      const rows = await db
        .selectFrom("client_keys")
        .selectAll()
        .orderBy("created_at_ms", "desc")
        .orderBy("id")
        .limit(MAX_CLIENT_KEYS)
        .execute();
      return rows.map(fromRow);
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

    async revoke(id, atMs) {
      const { numUpdatedRows } = await db
        .updateTable("client_keys")
        .set({ revoked_at_ms: atMs })
        .where("id", "=", id)
        .where("revoked_at_ms", "is", null)
        .executeTakeFirst();
      return numUpdatedRows > 0n;
    },
  };
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
  };
}

function fromRow(row: ClientKeysTable): ClientKeyRecord {
  return {
    id: clientKeyId(row.id),
    name: row.name,
    hmac: row.hmac,
    pepperVersion: row.pepper_version,
    createdAtMs: epochMs(row.created_at_ms),
    revokedAtMs: instantOrNull(row.revoked_at_ms),
    expiresAtMs: instantOrNull(row.expires_at_ms),
    lastUsedAtMs: instantOrNull(row.last_used_at_ms),
  };
}

function instantOrNull(value: number | null): EpochMs | null {
  return value === null ? null : epochMs(value);
}
