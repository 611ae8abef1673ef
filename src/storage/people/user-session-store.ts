import type { StoredSession, UserSessionStore } from "../../control/people-ports.ts";
import { epochMs } from "../../kernel/time.ts";
import type { WriteHandle } from "../schema.ts";
import type { UserSessionsTable } from "./people-schema.ts";
import { userIdOf } from "./user-store.ts";

/** More than any user may have; a bound for what a list gives. */
const MAX_LISTED = 100;

export function createUserSessionStore(db: WriteHandle): UserSessionStore {
  const newestOf = (userId: string) =>
    db.selectFrom("user_sessions").where("user_id", "=", userId).orderBy("created_at_ms", "desc").orderBy("id", "desc");
  return {
    async insert(session, maxOpen) {
      await db.insertInto("user_sessions").values(toRow(session)).execute();
      const kept = newestOf(session.userId).select("id").limit(maxOpen);
      const evicted = await db
        .deleteFrom("user_sessions")
        .where("user_id", "=", session.userId)
        .where("id", "!=", session.id)
        .where("id", "not in", kept)
        .returning("id")
        .execute();
      return evicted.map(({ id }) => id);
    },
    async byHash(hash) {
      const row = await db.selectFrom("user_sessions").selectAll().where("hash", "=", hash).executeTakeFirst();
      return row === undefined ? null : fromRow(row);
    },
    async listOf(userId) {
      return (await newestOf(userId).selectAll().limit(MAX_LISTED).execute()).map(fromRow);
    },
    async touch(id, atMs) {
      await db.updateTable("user_sessions").set({ last_used_at_ms: atMs }).where("id", "=", id).execute();
    },
    async end(userId, id) {
      const ended = db.deleteFrom("user_sessions").where("user_id", "=", userId).where("id", "=", id);
      return (await ended.returning("id").execute()).map((row) => row.id);
    },
    async endAllOf(userId) {
      await db.deleteFrom("pre_sessions").where("user_id", "=", userId).execute();
      const ended = db.deleteFrom("user_sessions").where("user_id", "=", userId);
      return (await ended.returning("id").execute()).map((row) => row.id);
    },
    async endStale(nowMs, idleMs) {
      const ended = await db
        .deleteFrom("user_sessions")
        .where((either) =>
          either.or([either("absolute_until_ms", "<=", nowMs), either("last_used_at_ms", "<=", nowMs - idleMs)]),
        )
        .returning("id")
        .execute();
      return ended.map(({ id }) => id);
    },
  };
}

function toRow(session: StoredSession): UserSessionsTable {
  return {
    hash: session.hash,
    id: session.id,
    user_id: session.userId,
    device_hash: session.deviceHash,
    ip: session.ip,
    created_at_ms: session.createdAtMs,
    factor_at_ms: session.factorAtMs,
    last_used_at_ms: session.lastUsedAtMs,
    absolute_until_ms: session.absoluteUntilMs,
  };
}

function fromRow(row: UserSessionsTable): StoredSession {
  return {
    hash: row.hash,
    id: row.id,
    userId: userIdOf(row.user_id),
    deviceHash: row.device_hash,
    ip: row.ip,
    createdAtMs: epochMs(row.created_at_ms),
    factorAtMs: epochMs(row.factor_at_ms),
    lastUsedAtMs: epochMs(row.last_used_at_ms),
    absoluteUntilMs: epochMs(row.absolute_until_ms),
  };
}
