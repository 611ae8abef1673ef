/**
 * What a person may be. member: uses the gateway. operator: watches and runs it. auditor: reads everything, changes
 * nothing. admin: changes it. owner: also holds the keys of the vault and the other admins.
 */
export const ROLES = ["member", "operator", "auditor", "admin", "owner"] as const;

export type Role = (typeof ROLES)[number];

/** Operators and auditors are of one height: neither may change the other, and neither changes anybody. */
const HEIGHT: Readonly<Record<Role, number>> = { member: 1, operator: 2, auditor: 2, admin: 3, owner: 4 };

export function parseRole(text: string): Role | null {
  return ROLES.find((role) => role === text) ?? null;
}

/** Whether `actor` may change anything of a user who has the role `target`. Nobody changes an equal or a higher one. */
export function mayChangeUser(actor: Role, target: Role): boolean {
  if (actor === "owner") return true;
  return actor === "admin" && HEIGHT[target] < HEIGHT.admin;
}

/** Whether `actor` may give somebody this role: an owner any, an admin those up to operator. */
export function mayAssign(actor: Role, role: Role): boolean {
  if (actor === "owner") return true;
  return actor === "admin" && (role === "member" || role === "operator");
}

/** These work only with a second factor (NIST SP 800-63B AAL2). */
export function needsSecondFactor(role: Role): boolean {
  return role === "admin" || role === "owner";
}
