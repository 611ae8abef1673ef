import { type EpochMs, epochMs } from "../kernel/time.ts";
import type { DataKeysTable, WriteHandle } from "./schema.ts";

/** The keyring's own port has this shape: edges do not import each other, `app.ts` joins them. */
type StoredDataKey = {
  readonly id: number;
  readonly purpose: "accounts" | "apikey-pepper";
  readonly kekId: string;
  readonly wrapped: Uint8Array;
  readonly createdAtMs: EpochMs;
  readonly state: "active" | "decrypt_only";
};

export type SqliteDataKeyStore = {
  list(): Promise<readonly StoredDataKey[]>;
  insert(keys: readonly StoredDataKey[]): Promise<void>;
};

/** One per purpose and rotation: a thousand is years of daily rotation. */
const MAX_DATA_KEYS = 1000;

export function createDataKeyStore(db: WriteHandle): SqliteDataKeyStore {
  return {
    async list() {
      const rows = await db.selectFrom("data_keys").selectAll().orderBy("created_at_ms").limit(MAX_DATA_KEYS).execute();
      return rows.map(fromRow);
    },
    async insert(keys) {
      await db.insertInto("data_keys").values(keys.map(toRow)).execute();
    },
  };
}

function toRow(key: StoredDataKey): DataKeysTable {
  return {
    id: key.id,
    purpose: key.purpose,
    kek_id: key.kekId,
    wrapped: key.wrapped,
    created_at_ms: key.createdAtMs,
    state: key.state,
  };
}

/** A wrong purpose or state cannot open anything: both are bound into the wrapping, or only choose among keys. */
function fromRow(row: DataKeysTable): StoredDataKey {
  return {
    id: row.id,
    purpose: row.purpose === "accounts" ? "accounts" : "apikey-pepper",
    kekId: row.kek_id,
    wrapped: row.wrapped,
    createdAtMs: epochMs(row.created_at_ms),
    state: row.state === "active" ? "active" : "decrypt_only",
  };
}
