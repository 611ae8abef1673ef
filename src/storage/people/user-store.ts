import { sql, type Updateable } from "kysely";
import type { StoredUser, UserChanges, UserStore } from "../../control/people-ports.ts";
import { parseUserId, type UserId } from "../../domain/access/user-id.ts";
import { err, ok } from "../../kernel/result.ts";
import { type EpochMs, epochMs } from "../../kernel/time.ts";
import type { WriteHandle } from "../schema.ts";
import { isUniqueViolation } from "../sqlite/sqlite-error.ts";
import type { UsersTable } from "./people-schema.ts";

const MAX_LISTED = 10_000;

export function createUserStore(db: WriteHandle): UserStore {
  const all = () => db.selectFrom("users").selectAll();
  return {
    async list() {
      return (await all().orderBy("canonical_name").limit(MAX_LISTED).execute()).map(fromRow);
    },
    count: () => countUsers(db, false),
    async read(id) {
      return orNull(await all().where("id", "=", id).executeTakeFirst());
    },
    async byName(canonicalName) {
      return orNull(await all().where("canonical_name", "=", canonicalName).executeTakeFirst());
    },
    ownerCount: () => countUsers(db, true),
    async insert(user) {
      try {
        await db
          .insertInto("users")
          .values({ id: user.id, created_at_ms: user.createdAtMs, ...columnsOf(user) })
          .execute();
        return ok(undefined);
      } catch (cause) {
        if (isUniqueViolation(cause)) return err("name_taken");
        throw cause;
      }
    },
    async update(id, changes) {
      const update = db.updateTable("users").set(changedColumns(changes)).where("id", "=", id);
      return (await update.executeTakeFirst()).numUpdatedRows > 0n;
    },
    async rehash(id, from, to) {
      const update = db.updateTable("users").set({ password_hash: to });
      await update.where("id", "=", id).where("password_hash", "=", from).execute();
    },
    async useTotpStep(id, step) {
      const { numUpdatedRows } = await db
        .updateTable("users")
        .set({ totp_last_step: step })
        .where("id", "=", id)
        .where("totp_seed", "is not", null)
        .where(sql<boolean>`(totp_last_step is null or totp_last_step < ${step})`)
        .executeTakeFirst();
      return numUpdatedRows > 0n;
    },
    async remove(id) {
      return (await db.deleteFrom("users").where("id", "=", id).executeTakeFirst()).numDeletedRows > 0n;
    },
    async setRecoveryCodes(id, macs) {
      await db.deleteFrom("recovery_codes").where("user_id", "=", id).execute();
      if (macs.length === 0) return;
      await db
        .insertInto("recovery_codes")
        .values(macs.map((mac) => ({ user_id: id, mac })))
        .execute();
    },
    async hasRecoveryCode(id, macs) {
      const found = db
        .selectFrom("recovery_codes")
        .select("user_id")
        .where("user_id", "=", id)
        .where("mac", "in", macs);
      return (await found.executeTakeFirst()) !== undefined;
    },
    async useRecoveryCode(id, macs) {
      const used = db.deleteFrom("recovery_codes").where("user_id", "=", id).where("mac", "in", macs);
      return (await used.executeTakeFirst()).numDeletedRows > 0n;
    },
  };
}

async function countUsers(db: WriteHandle, isOwner: boolean): Promise<number> {
  let counted = db.selectFrom("users").select(sql<number>`count(*)`.as("count"));
  if (isOwner) counted = counted.where("role", "=", "owner").where("disabled_at_ms", "is", null);
  return (await counted.executeTakeFirstOrThrow()).count;
}

function columnsOf(user: Omit<StoredUser, "id" | "createdAtMs">): Omit<UsersTable, "id" | "created_at_ms"> {
  return {
    name: user.name,
    canonical_name: user.canonicalName,
    role: user.role,
    password_hash: user.passwordHash,
    password_until_ms: user.passwordUntilMs,
    is_password_short: user.isPasswordShort ? 1 : 0,
    must_change_password: user.mustChangePassword ? 1 : 0,
    totp_seed: user.totpSeed,
    totp_last_step: user.totpLastStep,
    disabled_at_ms: user.disabledAtMs,
    locked_out_at_ms: user.lockedOutAtMs,
    last_login_at_ms: user.lastLoginAtMs,
  };
}

function changedColumns({ isPasswordShort, mustChangePassword, ...changes }: UserChanges): Updateable<UsersTable> {
  const columns: Updateable<UsersTable> = {
    name: changes.name,
    canonical_name: changes.canonicalName,
    role: changes.role,
    password_hash: changes.passwordHash,
    password_until_ms: changes.passwordUntilMs,
    is_password_short: isPasswordShort === undefined ? undefined : Number(isPasswordShort),
    must_change_password: mustChangePassword === undefined ? undefined : Number(mustChangePassword),
    totp_seed: changes.totpSeed,
    totp_last_step: changes.totpLastStep,
    disabled_at_ms: changes.disabledAtMs,
    locked_out_at_ms: changes.lockedOutAtMs,
    last_login_at_ms: changes.lastLoginAtMs,
  };
  return columns;
}

function orNull(row: UsersTable | undefined): StoredUser | null {
  return row === undefined ? null : fromRow(row);
}

function fromRow(row: UsersTable): StoredUser {
  return {
    id: userIdOf(row.id),
    name: row.name,
    canonicalName: row.canonical_name,
    role: row.role,
    passwordHash: row.password_hash,
    passwordUntilMs: instantOf(row.password_until_ms),
    isPasswordShort: row.is_password_short !== 0,
    mustChangePassword: row.must_change_password !== 0,
    totpSeed: row.totp_seed,
    totpLastStep: row.totp_last_step,
    disabledAtMs: instantOf(row.disabled_at_ms),
    lockedOutAtMs: instantOf(row.locked_out_at_ms),
    createdAtMs: epochMs(row.created_at_ms),
    lastLoginAtMs: instantOf(row.last_login_at_ms),
  };
}

function instantOf(value: number | null): EpochMs | null {
  return value === null ? null : epochMs(value);
}

/** @throws Error when somebody else wrote the database. */
export function userIdOf(text: string): UserId {
  const id = parseUserId(text);
  if (id === null) throw new Error("Cannot read the users: an id is no UUIDv7");
  return id;
}
