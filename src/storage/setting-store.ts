import type { SettingStore } from "../control/ports.ts";
import type { WriteHandle } from "./schema.ts";

/** Keeps settings apart from what the schema itself keeps in `meta`. */
const PREFIX = "setting:";

export function createSettingStore(db: WriteHandle): SettingStore {
  return {
    async get(key) {
      const row = await db
        .selectFrom("meta")
        .select("value")
        .where("key", "=", PREFIX + key)
        .executeTakeFirst();
      return row?.value ?? null;
    },
    async set(key, value) {
      await db
        .insertInto("meta")
        .values({ key: PREFIX + key, value })
        .onConflict((conflict) => conflict.column("key").doUpdateSet({ value }))
        .execute();
    },
  };
}
