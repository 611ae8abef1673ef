import { sql } from "kysely";
import { DATA_KEY_PURPOSES, type DataKeyChanges, type WrappedDataKey } from "../control/vault-ports.ts";
import { epochMs } from "../kernel/time.ts";
import type { DataKeysTable, WriteHandle } from "./schema.ts";

/** One per purpose and rotation: a thousand is years of daily rotation. */
const MAX_DATA_KEYS = 1000;

export function createDataKeyStore(db: WriteHandle): DataKeyChanges {
  return {
    async list() {
      const rows = await db.selectFrom("data_keys").selectAll().orderBy("created_at_ms").limit(MAX_DATA_KEYS).execute();
      return rows.map(fromRow);
    },
    async insert(keys) {
      await db.insertInto("data_keys").values(keys.map(toRow)).execute();
    },
    async reserve(id, encryptions) {
      const { numUpdatedRows } = await db
        .updateTable("data_keys")
        .set({ encryptions: sql<number>`encryptions + ${encryptions}` })
        .where("id", "=", id)
        .executeTakeFirst();
      if (numUpdatedRows !== 1n) throw new Error(`Cannot count the encryptions of the data key ${id}: it is gone`);
    },
    async demote(id) {
      await db.updateTable("data_keys").set({ state: "decrypt_only" }).where("id", "=", id).execute();
    },
    async rewrap({ id, kekId, wrapped }, fromKekId) {
      const { numUpdatedRows } = await db
        .updateTable("data_keys")
        .set({ kek_id: kekId, wrapped })
        .where("id", "=", id)
        .where("kek_id", "=", fromKekId)
        .executeTakeFirst();
      if (numUpdatedRows !== 1n) throw new Error(`Cannot wrap the data key ${id} anew: another master key wraps it`);
    },
    async remove(id) {
      await db.deleteFrom("data_keys").where("id", "=", id).where("state", "=", "decrypt_only").execute();
    },
  };
}

function toRow(key: WrappedDataKey): DataKeysTable {
  return {
    id: key.id,
    purpose: key.purpose,
    kek_id: key.kekId,
    wrapped: key.wrapped,
    created_at_ms: key.createdAtMs,
    state: key.state,
    encryptions: key.encryptions,
  };
}

/** A wrong purpose or state cannot open anything: both are bound into the wrapping, or only choose among keys. */
function fromRow(row: DataKeysTable): WrappedDataKey {
  return {
    id: row.id,
    purpose: DATA_KEY_PURPOSES.find((purpose) => purpose === row.purpose) ?? "apikey-pepper",
    kekId: row.kek_id,
    wrapped: row.wrapped,
    createdAtMs: epochMs(row.created_at_ms),
    encryptions: row.encryptions,
    state: row.state === "active" ? "active" : "decrypt_only",
  };
}
