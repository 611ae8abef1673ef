import type { WriteHandle } from "./schema.ts";

/** What the pool knew, as one text (`savePool` of domain/pool), so that cooldowns survive a restart. */
export interface PoolStore {
  /** Null when nothing was ever saved. */
  load(): Promise<string | null>;
  /** Replaces what was saved before. A power cut may take the last seconds of it away. */
  save(text: string): Promise<void>;
}

const NAME = "pool";

export function createPoolStore(db: WriteHandle): PoolStore {
  return {
    async load() {
      const row = await db.selectFrom("pool_state").select("value").where("name", "=", NAME).executeTakeFirst();
      return row?.value ?? null;
    },
    async save(text) {
      await db
        .insertInto("pool_state")
        .values({ name: NAME, value: text })
        .onConflict((conflict) => conflict.column("name").doUpdateSet({ value: text }))
        .execute();
    },
  };
}
