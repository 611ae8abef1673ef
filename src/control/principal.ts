import { isGranted, needsStepUp, type Permission } from "../domain/access/permission.ts";
import type { Role } from "../domain/access/role.ts";
import type { UserId } from "../domain/access/user-id.ts";
import { type DurationMs, durationMs, type EpochMs, elapsed } from "../kernel/time.ts";

/** How long a proof of password and second factor counts as fresh. */
export const STEP_UP_MS: DurationMs = durationMs(5 * 60_000);

export type SessionWay = {
  readonly kind: "session";
  /** The public id, never the cookie. */
  readonly sessionId: string;
  /** The last proof of password and second factor. */
  readonly factorAtMs: EpochMs;
  /** May do nothing but care for its own access: a second factor is missing, or the password was given by another. */
  readonly mustEnrol: boolean;
  /** The part of `mustEnrol` that a new password ends. */
  readonly mustChangePassword: boolean;
};

export type TokenWay = { readonly kind: "token"; readonly tokenId: string };

/** socket: whoever may open the Unix socket, with an owner's permissions. user: somebody who logged in. */
export type Principal =
  | { readonly kind: "socket" }
  | {
      readonly kind: "user";
      readonly userId: UserId;
      readonly name: string;
      readonly role: Role;
      readonly via: SessionWay | TokenWay;
    };

export type Permit = "yes" | "forbidden" | "step_up_required" | "enrolment_required";

/** Whether `principal` may do it now. What it may do to whom is decided by the service. */
export function mayDo(principal: Principal, permission: Permission, nowMs: EpochMs): Permit {
  if (principal.kind === "socket") return "yes";
  if (!isGranted(principal.role, permission)) return "forbidden";
  if (principal.via.kind === "session" && principal.via.mustEnrol && permission !== "self") return "enrolment_required";
  return needsStepUp(permission) && !isFresh(principal, nowMs) ? "step_up_required" : "yes";
}

/** Whether who asks has proven it within the last 5 minutes. A token never has: nobody was there. */
export function isFresh(principal: Principal, nowMs: EpochMs): boolean {
  if (principal.kind === "socket") return true;
  return principal.via.kind === "session" && elapsed(principal.via.factorAtMs, nowMs) <= STEP_UP_MS;
}
