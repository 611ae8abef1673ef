import type { Role } from "./role.ts";

/** Everything that can be allowed. What has no row here, nobody may do. */
export const PERMISSIONS = [
  "proxy.use",
  "keys.own",
  "keys.read",
  "keys.revoke",
  "keys.create",
  "accounts.read",
  "accounts.switch",
  "accounts.write",
  "providers.write",
  "config.read",
  "config.write",
  "users.read",
  "users.write",
  "roles.assign",
  "stats.own",
  "stats.any",
  "logs.read",
  "audit.read",
  "audit.export",
  "audit.verify",
  "audit.sinks",
  "vault.read",
  "vault.rotate",
  "backup.create",
  "backup.restore",
  "self",
] as const;

export type Permission = (typeof PERMISSIONS)[number];

export type Grant = "no" | "yes";

/** One line of the matrix, in the order of `ROLES`: member, operator, auditor, admin, owner. */
function row(member: Grant, operator: Grant, ...[auditor, admin, owner]: readonly [Grant, Grant, Grant]) {
  return { member, operator, auditor, admin, owner } as const;
}

const Y: Grant = "yes";
const N: Grant = "no";

/** Who may do what. Object rules (whose key, whose user) come on top: `mayChangeUser`, `mayAssign`. */
export const MATRIX: Readonly<Record<Permission, Readonly<Record<Role, Grant>>>> = {
  "proxy.use": row(Y, Y, N, Y, Y),
  "keys.own": row(Y, Y, N, Y, Y),
  "keys.read": row(N, Y, Y, Y, Y),
  "keys.revoke": row(N, Y, N, Y, Y),
  "keys.create": row(N, N, N, Y, Y),
  "accounts.read": row(N, Y, Y, Y, Y),
  // Pause, resume, refresh: nothing that another click does not undo.
  "accounts.switch": row(N, Y, N, Y, Y),
  "accounts.write": row(N, N, N, Y, Y),
  "providers.write": row(N, N, N, Y, Y),
  "config.read": row(N, Y, Y, Y, Y),
  "config.write": row(N, N, N, Y, Y),
  "users.read": row(N, N, Y, Y, Y),
  "users.write": row(N, N, N, Y, Y),
  "roles.assign": row(N, N, N, Y, Y),
  "stats.own": row(Y, Y, Y, Y, Y),
  "stats.any": row(N, Y, Y, Y, Y),
  "logs.read": row(N, Y, Y, Y, Y),
  "audit.read": row(N, N, Y, Y, Y),
  "audit.export": row(N, N, Y, N, Y),
  "audit.verify": row(N, N, Y, N, Y),
  "audit.sinks": row(N, N, N, N, Y),
  "vault.read": row(N, N, N, Y, Y),
  "vault.rotate": row(N, N, N, N, Y),
  "backup.create": row(N, Y, N, Y, Y),
  "backup.restore": row(N, N, N, N, Y),
  // Own session, password and factors.
  self: row(Y, Y, Y, Y, Y),
};

/** What also needs a fresh proof of who asks. */
const STEP_UP: ReadonlySet<Permission> = new Set([
  "accounts.write",
  "providers.write",
  "config.write",
  "users.write",
  "roles.assign",
  "audit.sinks",
  "vault.rotate",
  "backup.restore",
]);

export function isGranted(role: Role, permission: Permission): boolean {
  return MATRIX[permission][role] === "yes";
}

/** Whether the last proof of password and second factor must be at most 5 minutes old. */
export function needsStepUp(permission: Permission): boolean {
  return STEP_UP.has(permission);
}
