import { sql } from "kysely";
import { accountId } from "../domain/account/account.ts";
import type { ConversationKey } from "../domain/affinity/conversation.ts";
import type { SavedHome } from "../domain/affinity/home-book.ts";
import { durationMs, type EpochMs, epochMs } from "../kernel/time.ts";
import type { ConversationsTable, WriteHandle } from "./schema.ts";

/** Where the prompt caches of live conversations are, so that a restart moves nobody. */
export interface HomeStore {
  /** The most recently used, newest first. */
  loadAll(max: number): Promise<readonly SavedHome[]>;
  /** New or changed homes; the others stay as they are. A power cut may take the last seconds of it away. */
  save(homes: readonly SavedHome[]): Promise<void>;
  /** Forgets what was last used before `beforeMs`, and the oldest of what is more than `max` (default 100,000). */
  prune(beforeMs: EpochMs, max?: number): Promise<void>;
}

const DEFAULT_MAX_HOMES = 100_000;
/** One statement is one transaction. Measured with 100,000 rows in the table: 15 ms, in which no other can write. */
const ROWS_PER_STATEMENT = 500;

export function createHomeStore(db: WriteHandle): HomeStore {
  return {
    async loadAll(max) {
      const rows = await db
        .selectFrom("conversations")
        .selectAll()
        .orderBy("last_used_ms", "desc")
        .limit(Math.max(0, Math.trunc(max)))
        .execute();
      return rows.map(fromRow);
    },

    async save(homes) {
      for (let at = 0; at < homes.length; at += ROWS_PER_STATEMENT) {
        await upsert(db, homes.slice(at, at + ROWS_PER_STATEMENT));
      }
    },

    async prune(beforeMs, max = DEFAULT_MAX_HOMES) {
      while ((await deleteOlderThan(db, beforeMs)) === ROWS_PER_STATEMENT);
      const { count } = await db
        .selectFrom("conversations")
        .select(({ fn }) => fn.countAll<number>().as("count"))
        .executeTakeFirstOrThrow();
      for (let surplus = count - max; surplus > 0; surplus -= ROWS_PER_STATEMENT) {
        await deleteOldest(db, Math.min(surplus, ROWS_PER_STATEMENT));
      }
    },
  };
}

/** One parameter whatever the number of rows: the statement is compiled once. */
async function upsert(db: WriteHandle, homes: readonly SavedHome[]): Promise<void> {
  const rows = homes.map(({ key, accountId: account, lastUsedMs, cacheMs, prefixTokens }) => [
    key,
    account,
    Math.round(lastUsedMs),
    Math.round(cacheMs),
    Math.round(prefixTokens),
  ]);
  await sql`
    insert into conversations (key, account_id, last_used_ms, cache_ms, prefix_tokens)
    select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 from json_each(${JSON.stringify(rows)})
    where true
    on conflict (key) do update set account_id = excluded.account_id, last_used_ms = excluded.last_used_ms,
      cache_ms = excluded.cache_ms, prefix_tokens = excluded.prefix_tokens`.execute(db);
}

async function deleteOlderThan(db: WriteHandle, beforeMs: EpochMs): Promise<number> {
  const old = db
    .selectFrom("conversations")
    .select("key")
    .where("last_used_ms", "<", beforeMs)
    .orderBy("last_used_ms")
    .limit(ROWS_PER_STATEMENT);
  const gone = await db
    .deleteFrom("conversations")
    .where("key", "in", old)
    .returning(sql<number>`1`.as("one"))
    .execute();
  return gone.length;
}

async function deleteOldest(db: WriteHandle, count: number): Promise<void> {
  const oldest = db.selectFrom("conversations").select("key").orderBy("last_used_ms").limit(count);
  await db.deleteFrom("conversations").where("key", "in", oldest).execute();
}

function fromRow(row: ConversationsTable): SavedHome {
  return {
    // Written by `save` alone, which takes keys as they are.
    key: row.key as ConversationKey,
    accountId: accountId(row.account_id),
    lastUsedMs: epochMs(row.last_used_ms),
    cacheMs: durationMs(Math.max(0, row.cache_ms)),
    prefixTokens: row.prefix_tokens,
  };
}
