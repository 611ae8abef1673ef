import { isFresh, mayDo, type Permit, type Principal } from "../../control/principal.ts";
import type { KeyReach } from "../../control/requests.ts";
import { isGranted, type Permission } from "../../domain/access/permission.ts";
import type { UserId } from "../../domain/access/user-id.ts";
import type { EpochMs } from "../../kernel/time.ts";
import type { RouteEntry } from "../routes/route-entry.ts";
import type { SignInCookies } from "./cookies.ts";

/** Who asks the admin API, as its door found out. */
export type Visitor = {
  /** Null on routes that are asked without a credential. */
  readonly principal: Principal | null;
  /** Null on the Unix socket. */
  readonly ip: string | null;
  /** The entry that the door let the request through by; null on the Unix socket, which has no door. */
  readonly entry: RouteEntry | null;
  readonly cookies: SignInCookies;
  /** Whether cookies are bound to TLS. */
  readonly isSecure: boolean;
};

const NO_COOKIES: SignInCookies = { session: null, preSession: null, device: null };

/** Whoever may open the Unix socket. */
export const SOCKET_VISITOR: Visitor = {
  principal: { kind: "socket" },
  ip: null,
  entry: null,
  cookies: NO_COOKIES,
  isSecure: false,
};

/** How Hono hands it to the handlers: `context.env.visitor`. */
export type AdminEnv = { readonly Bindings: { readonly visitor: Visitor } };

export type Decision = Permit | "not_signed_in" | "session_required";

/** Whether `principal` may do what `entry` does, now. What it may do to which object is decided by the handler's service. */
export function decide(principal: Principal | null, entry: RouteEntry, nowMs: EpochMs): Decision {
  if (entry.auth === "public" || entry.auth === "setup" || entry.auth === "pre_session") return "yes";
  if (principal === null) return "not_signed_in";
  const isSession = principal.kind === "user" && principal.via.kind === "session";
  if (entry.auth === "session" && !isSession) return "session_required";
  const permits = entry.permission.map((permission) => mayDo(principal, permission, nowMs));
  const permit = permits.find((each) => each === "yes") ?? permits.find((each) => each !== "forbidden") ?? "forbidden";
  return permit === "yes" && entry.stepUp && !isFresh(principal, nowMs) ? "step_up_required" : permit;
}

/** Whose things the visitor may see or change by these permissions: everybody's, or those of one user. */
export function reachOf({ principal }: Visitor, permissions: readonly Permission[]): "any" | UserId {
  if (principal === null) throw new Error("Cannot say whose things these are: nobody is signed in");
  if (principal.kind === "socket") return "any";
  const granted = permissions.find((permission) => isGranted(principal.role, permission));
  return granted === undefined || granted.endsWith(".own") ? principal.userId : "any";
}

/** @throws Error when nobody is signed in: a route that asks for it has an entry that does not. */
export function principalOf({ principal }: Visitor): Principal {
  if (principal === null) throw new Error("Cannot serve the route: nobody is signed in");
  return principal;
}

/** Whose requests a visitor may see. */
export type KeyReachOf = (visitor: Visitor) => Promise<KeyReach>;
