import type { ClientKeyRecord, ClientKeyStore } from "../control/ports.ts";
import { type ClientKeyId, clientKeyId } from "../domain/access/client-key-id.ts";
import { err, ok } from "../kernel/result.ts";
import { type EpochMs, epochMs } from "../kernel/time.ts";
import type { ClientKeysTable, WriteHandle } from "./schema.ts";
import { isUniqueViolation } from "./sqlite/sqlite-error.ts";

const MAX_CLIENT_KEYS = 200_000;
const TOUCH_FLUSH_MS = 10_000;

export type SqliteClientKeyStore = ClientKeyStore & {
  /** Writes what `touch` collected. Never rejects: when a key was last used is best effort. */
  flush(): Promise<void>;
};

export function createClientKeyStore(db: WriteHandle): SqliteClientKeyStore {
  let touched = new Map<ClientKeyId, EpochMs>();
  let flushTimer: Timer | null = null;

  /** One transaction, and one fsync, for every key that was used since the last. */
  const flushTouches = async (): Promise<void> => {
    if (flushTimer !== null) clearTimeout(flushTimer);
    flushTimer = null;
    const batch = touched;
    touched = new Map();
    if (batch.size === 0) return;
    try {
      await db.transaction().execute(async (transaction) => {
        for (const [id, atMs] of batch) await saveTouch(transaction, id, atMs);
      });
    } catch {
      // Tried again with the next flush, unless the key was used once more.
      for (const [id, atMs] of batch) if (!touched.has(id)) touched.set(id, atMs);
    }
  };

  return {
    async list() {
      await flushTouches();
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

    async touch(id, atMs) {
      if (touched.size < MAX_CLIENT_KEYS || touched.has(id))
        touched.set(id, epochMs(Math.max(atMs, touched.get(id) ?? atMs)));
      flushTimer ??= setTimeout(() => void flushTouches(), TOUCH_FLUSH_MS).unref();
    },

    flush: flushTouches,
  };
}

async function saveTouch(db: WriteHandle, id: ClientKeyId, atMs: EpochMs): Promise<void> {
  await db
    .updateTable("client_keys")
    .set({ last_used_at_ms: atMs })
    .where("id", "=", id)
    .where((where) => where.or([where("last_used_at_ms", "is", null), where("last_used_at_ms", "<", atMs)]))
    .execute();
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
