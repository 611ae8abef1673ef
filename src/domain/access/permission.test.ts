import { expect, test } from "bun:test";
import { isGranted, MATRIX, needsStepUp, PERMISSIONS, type Permission } from "./permission.ts";
import { ROLES, type Role } from "./role.ts";

/**
 * The table again, as it was decided, in letters: member, operator, auditor, admin, owner. Y: may. S: may after a fresh
 * proof. -: may not. Typed out apart from the code, so that a change there must be meant.
 */
const DECIDED: Readonly<Record<Permission, string>> = {
  "proxy.use": "YY-YY",
  "keys.own": "YY-YY",
  "keys.read": "-YYYY",
  "keys.revoke": "-Y-YY",
  "keys.create": "---YY",
  "accounts.read": "-YYYY",
  "accounts.switch": "-Y-YY",
  "accounts.write": "---SS",
  "providers.write": "---SS",
  "config.read": "-YYYY",
  "config.write": "---SS",
  "users.read": "--YYY",
  "users.write": "---SS",
  "roles.assign": "---SS",
  "stats.own": "YYYYY",
  "stats.any": "-YYYY",
  "logs.read": "-YYYY",
  "audit.read": "--YYY",
  "audit.export": "--Y-Y",
  "audit.verify": "--Y-Y",
  "audit.sinks": "----S",
  "vault.read": "---YY",
  "vault.rotate": "----S",
  "backup.create": "-Y-YY",
  "backup.restore": "----S",
  self: "YYYYY",
};

function letterOf(role: Role, permission: Permission): string {
  if (!isGranted(role, permission)) return "-";
  return needsStepUp(permission) ? "S" : "Y";
}

test.each(Object.entries(DECIDED))("T-7.00 %s is granted as decided: %s", (name, letters) => {
  const permission = PERMISSIONS.find((each) => each === name);
  expect(permission && ROLES.map((role) => letterOf(role, permission)).join("")).toBe(letters);
});

test("T-7.00 the matrix has a row for every permission and no other", () => {
  expect(Object.keys(DECIDED).sort()).toEqual([...PERMISSIONS].sort());
  expect(Object.keys(MATRIX).sort()).toEqual([...PERMISSIONS].sort());
});
