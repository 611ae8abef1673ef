import { expect, test } from "bun:test";
import { PERMISSIONS } from "../domain/access/permission.ts";
import type { Role } from "../domain/access/role.ts";
import type { UserId } from "../domain/access/user-id.ts";
import { epochMs } from "../kernel/time.ts";
import { mayDo, type Principal, type SessionWay } from "./principal.ts";

const NOW = epochMs(1_800_000_000_000);

function somebody(role: Role, via: Partial<SessionWay> = {}): Principal {
  return {
    kind: "user",
    userId: Bun.randomUUIDv7() as UserId,
    name: "bob",
    role,
    via: { kind: "session", sessionId: "s", factorAtMs: NOW, mustEnrol: false, mustChangePassword: false, ...via },
  };
}

test("the Unix socket may do everything, at any time", () => {
  expect(PERMISSIONS.filter((permission) => mayDo({ kind: "socket" }, permission, NOW) !== "yes")).toEqual([]);
});

test.each([
  [0, "yes"],
  [299_000, "yes"],
  [300_000, "yes"],
  [301_000, "step_up_required"],
] as const)("T-4.12 a proof of %i ms ago: %s", (ago, expected) => {
  expect(mayDo(somebody("owner", { factorAtMs: epochMs(NOW - ago) }), "vault.rotate", NOW)).toBe(expected);
  expect(mayDo(somebody("owner", { factorAtMs: epochMs(NOW - ago) }), "vault.read", NOW)).toBe("yes");
});

test("a token never counts as a fresh proof", () => {
  const token: Principal = { ...somebody("owner"), kind: "user", via: { kind: "token", tokenId: "t" } } as Principal;
  expect(mayDo(token, "vault.read", NOW)).toBe("yes");
  expect(mayDo(token, "vault.rotate", NOW)).toBe("step_up_required");
});

test("who must enrol may only care for its own access", () => {
  const admin = somebody("admin", { mustEnrol: true });
  expect(PERMISSIONS.filter((permission) => mayDo(admin, permission, NOW) === "yes")).toEqual(["self"]);
  expect(mayDo(admin, "users.write", NOW)).toBe("enrolment_required");
  expect(mayDo(admin, "vault.rotate", NOW)).toBe("forbidden");
});
