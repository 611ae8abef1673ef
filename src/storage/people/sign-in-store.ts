import type { SignInStore, ThrottleSubject } from "../../control/people-ports.ts";
import { epochMs } from "../../kernel/time.ts";
import type { WriteHandle } from "../schema.ts";
import { userIdOf } from "./user-store.ts";

const NO_DEVICE = new Uint8Array(0);

export function createSignInStore(db: WriteHandle): SignInStore {
  return { ...preSessionsOn(db), ...devicesOn(db), ...throttlesOn(db) };
}

function preSessionsOn(db: WriteHandle): Pick<SignInStore, "addPreSession" | "preSession" | "takePreSession"> {
  return {
    async addPreSession({ hash, userId, deviceHash, expiresAtMs }, { nowMs, maxOpen }) {
      await db.deleteFrom("pre_sessions").where("expires_at_ms", "<=", nowMs).execute();
      const row = { hash, user_id: userId, device_hash: deviceHash, expires_at_ms: expiresAtMs };
      await db.insertInto("pre_sessions").values(row).execute();
      const kept = db
        .selectFrom("pre_sessions")
        .select("hash")
        .where("user_id", "=", userId)
        .orderBy("expires_at_ms", "desc")
        .limit(maxOpen);
      await db
        .deleteFrom("pre_sessions")
        .where("user_id", "=", userId)
        .where("hash", "!=", hash)
        .where("hash", "not in", kept)
        .execute();
    },
    async preSession(hash, nowMs) {
      const row = await db
        .selectFrom("pre_sessions")
        .selectAll()
        .where("hash", "=", hash)
        .where("expires_at_ms", ">", nowMs)
        .executeTakeFirst();
      if (row === undefined) return null;
      const { user_id, device_hash, expires_at_ms } = row;
      return { hash, userId: userIdOf(user_id), deviceHash: device_hash, expiresAtMs: epochMs(expires_at_ms) };
    },
    async takePreSession(hash) {
      return (await db.deleteFrom("pre_sessions").where("hash", "=", hash).executeTakeFirst()).numDeletedRows > 0n;
    },
  };
}

type Devices = Pick<SignInStore, "deviceUser" | "keepDevice" | "forgetDevice" | "forgetDevicesOf">;

function devicesOn(db: WriteHandle): Devices {
  const throttles = () => db.deleteFrom("login_throttles");
  return {
    async deviceUser(hash) {
      const row = await db.selectFrom("login_devices").select("user_id").where("hash", "=", hash).executeTakeFirst();
      return row === undefined ? null : userIdOf(row.user_id);
    },
    async keepDevice({ hash, userId, atMs }, maxKept) {
      await db
        .insertInto("login_devices")
        .values({ hash, user_id: userId, last_used_at_ms: atMs })
        .onConflict((conflict) => conflict.column("hash").doUpdateSet({ last_used_at_ms: atMs }))
        .execute();
      const kept = db
        .selectFrom("login_devices")
        .select("hash")
        .where("user_id", "=", userId)
        .orderBy("last_used_at_ms", "desc")
        .limit(maxKept);
      const forgotten = await db
        .deleteFrom("login_devices")
        .where("user_id", "=", userId)
        .where("hash", "!=", hash)
        .where("hash", "not in", kept)
        .returning("hash")
        .execute();
      for (const device of forgotten) await throttles().where("device_hash", "=", device.hash).execute();
    },
    async forgetDevice(hash) {
      await db.deleteFrom("login_devices").where("hash", "=", hash).execute();
      await throttles().where("device_hash", "=", hash).execute();
    },
    async forgetDevicesOf(userId) {
      await db.deleteFrom("login_devices").where("user_id", "=", userId).execute();
      await throttles().where("user_id", "=", userId).where("device_hash", "!=", NO_DEVICE).execute();
    },
  };
}

function throttlesOn(db: WriteHandle): Pick<SignInStore, "throttle" | "setThrottle" | "clearThrottlesOf"> {
  const keyOf = ({ userId, deviceHash }: ThrottleSubject) => ({
    user_id: userId,
    device_hash: deviceHash ?? NO_DEVICE,
  });
  return {
    async throttle(subject) {
      const key = keyOf(subject);
      const row = await db
        .selectFrom("login_throttles")
        .selectAll()
        .where("user_id", "=", key.user_id)
        .where("device_hash", "=", key.device_hash)
        .executeTakeFirst();
      if (row === undefined) return null;
      return {
        failures: row.failures,
        consecutive: row.consecutive,
        windowStartMs: row.window_start_ms,
        lockedUntilMs: row.locked_until_ms,
      };
    },
    async setThrottle(subject, state) {
      const counts = {
        failures: state.failures,
        consecutive: state.consecutive,
        window_start_ms: state.windowStartMs,
        locked_until_ms: state.lockedUntilMs,
      };
      await db
        .insertInto("login_throttles")
        .values({ ...keyOf(subject), ...counts })
        .onConflict((conflict) => conflict.columns(["user_id", "device_hash"]).doUpdateSet(counts))
        .execute();
    },
    async clearThrottlesOf(userId) {
      await db.deleteFrom("login_throttles").where("user_id", "=", userId).execute();
    },
  };
}
