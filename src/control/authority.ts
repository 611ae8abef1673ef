import type { Permission } from "../domain/access/permission.ts";
import { mayAssign, mayChangeUser, type Role } from "../domain/access/role.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import type { EpochMs } from "../kernel/time.ts";
import type { StoredUser, UserStore } from "./people-ports.ts";
import { isFresh, mayDo, type Principal } from "./principal.ts";
import { type Refusal, refusal } from "./refusal.ts";

/** Who asks, as the database knows it just now: a role that was taken away a moment ago counts no more. */
export type Actor = {
  readonly role: Role;
  /** Null for the Unix socket. */
  readonly user: StoredUser | null;
};

/** `doing` completes "Cannot ...". */
export type Asking = { readonly principal: Principal; readonly doing: string; readonly nowMs: EpochMs };

/** Asked inside the transaction of the change, so that nothing moves between the question and the change. */
export async function actorFor(
  { principal, doing, nowMs }: Asking,
  permission: Permission,
  users: Pick<UserStore, "read">,
): Promise<Result<Actor, Refusal>> {
  if (principal.kind === "socket") return ok({ role: "owner", user: null });
  const user = await users.read(principal.userId);
  if (user === null || user.disabledAtMs !== null) return err(forbidden(doing));
  const permit = mayDo({ ...principal, role: user.role }, permission, nowMs);
  if (permit === "step_up_required") return err(stepUpRequired(doing));
  if (permit === "enrolment_required") return err(enrolmentRequired(doing, user));
  return permit === "yes" ? ok({ role: user.role, user }) : err(forbidden(doing));
}

/** Somebody who is logged in, and asks for what is its own. `isFreshNeeded`: with a proof of the last 5 minutes. */
export async function selfFor(
  { principal, doing, nowMs }: Asking,
  isFreshNeeded: boolean,
  users: Pick<UserStore, "read">,
): Promise<Result<StoredUser, Refusal>> {
  if (principal.kind === "socket")
    return err(refusal("forbidden", `Cannot ${doing}: nobody is logged in on the socket`));
  const user = await users.read(principal.userId);
  if (user === null || user.disabledAtMs !== null) return err(forbidden(doing));
  return isFreshNeeded && !isFresh(principal, nowMs) ? err(stepUpRequired(doing)) : ok(user);
}

export function requireAbove(actor: Actor, target: StoredUser, doing: string): Result<void, Refusal> {
  if (mayChangeUser(actor.role, target.role)) return ok(undefined);
  return err(
    refusal("forbidden", `Cannot ${doing}: the user is ${article(target.role)}, and you may change lower roles only`),
  );
}

export function requireAssignable(actor: Actor, role: Role, doing: string): Result<void, Refusal> {
  if (mayAssign(actor.role, role)) return ok(undefined);
  return err(refusal("forbidden", `Cannot ${doing}: your role may not make anybody ${article(role)}`, "role"));
}

/** What must go another way when it is done to oneself. `way` says which. */
export function requireOther(
  actor: Actor,
  target: StoredUser,
  [doing, way]: readonly [string, string],
): Result<void, Refusal> {
  if (actor.user?.id !== target.id) return ok(undefined);
  return err(refusal("forbidden", `Cannot ${doing}: this is your own account; ${way}`));
}

function article(role: Role): string {
  return `${/^[aeiou]/.test(role) ? "an" : "a"} ${role}`;
}

function forbidden(doing: string): Refusal {
  return refusal("forbidden", `Cannot ${doing}: your role does not allow it`);
}

export function stepUpRequired(doing: string): Refusal {
  const fact =
    "it takes a proof of password and second factor of the last 5 minutes; confirm who you are and try again";
  return refusal("step_up_required", `Cannot ${doing}: ${fact}`);
}

/** Says what is missing: the password first, since that one ends by itself. */
export function enrolmentRequired(
  doing: string,
  { mustChangePassword }: Pick<StoredUser, "mustChangePassword">,
): Refusal {
  const fact = mustChangePassword
    ? "somebody else gave you your password; change it first"
    : "your role needs a second factor; set one up first";
  return refusal("enrolment_required", `Cannot ${doing}: ${fact}`);
}
