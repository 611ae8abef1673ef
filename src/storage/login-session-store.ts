import type { SessionStore, StoredSession } from "../control/oauth-ports.ts";
import { epochMs } from "../kernel/time.ts";
import type { OauthSessionsTable, WriteHandle } from "./schema.ts";

/** Logins under way. Retention: until they are finished, or expired when the next one begins. */
export function createLoginSessionStore(db: WriteHandle): SessionStore {
  return {
    async insert(session, maxOpen) {
      await db.deleteFrom("oauth_sessions").where("expires_at_ms", "<=", session.createdAtMs).execute();
      await db.insertInto("oauth_sessions").values(toRow(session)).execute();
      const kept = db
        .selectFrom("oauth_sessions")
        .select("id")
        .where("owner", "=", session.owner)
        .orderBy("created_at_ms", "desc")
        .orderBy("id")
        .limit(maxOpen);
      await db
        .deleteFrom("oauth_sessions")
        .where("owner", "=", session.owner)
        .where("id", "!=", session.id)
        .where("id", "not in", kept)
        .execute();
    },

    async consume({ id, owner, stateHash, nowMs }) {
      const row = await db
        .deleteFrom("oauth_sessions")
        .where("id", "=", id)
        .where("owner", "=", owner)
        .where("state_hash", "=", stateHash)
        .where("expires_at_ms", ">", nowMs)
        .returningAll()
        .executeTakeFirst();
      return row === undefined ? null : fromRow(row);
    },
  };
}

function toRow(session: StoredSession): OauthSessionsTable {
  return {
    id: session.id,
    owner: session.owner,
    sealed: session.sealed,
    state_hash: session.stateHash,
    created_at_ms: session.createdAtMs,
    expires_at_ms: session.expiresAtMs,
  };
}

function fromRow(row: OauthSessionsTable): StoredSession {
  return {
    id: row.id,
    owner: row.owner,
    sealed: row.sealed,
    stateHash: row.state_hash,
    createdAtMs: epochMs(row.created_at_ms),
    expiresAtMs: epochMs(row.expires_at_ms),
  };
}
