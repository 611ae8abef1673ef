import type { SetupStore, StoredToken, TokenStore } from "../../control/people-ports.ts";
import { err, ok } from "../../kernel/result.ts";
import { epochMs } from "../../kernel/time.ts";
import type { WriteHandle } from "../schema.ts";
import { isUniqueViolation } from "../sqlite/sqlite-error.ts";
import type { AdminTokensTable } from "./people-schema.ts";
import { userIdOf } from "./user-store.ts";

const MAX_LISTED = 1_000;

/** A MAC is looked up, not compared: who does not have the pepper cannot choose it, so the index tells nothing. */
export function createTokenStore(db: WriteHandle): TokenStore {
  const all = () => db.selectFrom("admin_tokens").selectAll();
  return {
    async listOf(ownerId) {
      const rows = await all()
        .where("owner_id", "=", ownerId)
        .orderBy("created_at_ms", "desc")
        .orderBy("id")
        .limit(MAX_LISTED)
        .execute();
      return rows.map(fromRow);
    },
    async find(id, macs) {
      const row = await all().where("id", "=", id).where("mac", "in", macs).executeTakeFirst();
      return row === undefined ? null : fromRow(row);
    },
    async insert(token) {
      try {
        await db.insertInto("admin_tokens").values(toRow(token)).execute();
        return ok(undefined);
      } catch (cause) {
        if (isUniqueViolation(cause)) return err("name_taken");
        throw cause;
      }
    },
    async revoke(id, atMs) {
      const revoked = db.updateTable("admin_tokens").set({ revoked_at_ms: atMs });
      const { numUpdatedRows } = await revoked
        .where("id", "=", id)
        .where("revoked_at_ms", "is", null)
        .executeTakeFirst();
      return numUpdatedRows > 0n;
    },
    async touch(id, atMs) {
      await db.updateTable("admin_tokens").set({ last_used_at_ms: atMs }).where("id", "=", id).execute();
    },
  };
}

export function createSetupStore(db: WriteHandle): SetupStore {
  return {
    async read() {
      const row = await db.selectFrom("setup_secrets").selectAll().limit(1).executeTakeFirst();
      if (row === undefined) return null;
      return { id: row.id, mac: row.mac, pepperVersion: row.pepper_version, expiresAtMs: epochMs(row.expires_at_ms) };
    },
    async put({ id, mac, pepperVersion, expiresAtMs }) {
      await db.deleteFrom("setup_secrets").execute();
      const row = { id, mac, pepper_version: pepperVersion, expires_at_ms: expiresAtMs };
      await db.insertInto("setup_secrets").values(row).execute();
    },
    async take({ id, macs, nowMs }) {
      const { numDeletedRows } = await db
        .deleteFrom("setup_secrets")
        .where("id", "=", id)
        .where("mac", "in", macs)
        .where("expires_at_ms", ">", nowMs)
        .executeTakeFirst();
      return numDeletedRows > 0n;
    },
    async remove() {
      await db.deleteFrom("setup_secrets").execute();
    },
  };
}

function toRow(token: StoredToken): AdminTokensTable {
  return {
    id: token.id,
    owner_id: token.ownerId,
    name: token.name,
    mac: token.mac,
    pepper_version: token.pepperVersion,
    created_at_ms: token.createdAtMs,
    expires_at_ms: token.expiresAtMs,
    revoked_at_ms: token.revokedAtMs,
    last_used_at_ms: token.lastUsedAtMs,
  };
}

function fromRow(row: AdminTokensTable): StoredToken {
  return {
    id: row.id,
    ownerId: userIdOf(row.owner_id),
    name: row.name,
    mac: row.mac,
    pepperVersion: row.pepper_version,
    createdAtMs: epochMs(row.created_at_ms),
    expiresAtMs: epochMs(row.expires_at_ms),
    revokedAtMs: row.revoked_at_ms === null ? null : epochMs(row.revoked_at_ms),
    lastUsedAtMs: row.last_used_at_ms === null ? null : epochMs(row.last_used_at_ms),
  };
}
