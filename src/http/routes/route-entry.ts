import type { AuditAction } from "../../control/audit-codes.ts";
import type { Permission } from "../../domain/access/permission.ts";

export const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"] as const;

/** HEAD is served wherever GET is, with the same rules. */
export type RouteMethod = (typeof METHODS)[number];

/** data: the Claude API. own: the process's pages. admin: the admin API, on the Unix socket and on TCP. */
export type Plane = "data" | "own" | "admin";

/**
 * public: nothing. setup: the setup secret, in the body. pre_session: the cookie between password and second factor.
 * session: the session cookie alone. principal: a session, or an admin token. client_key: a client key.
 */
export type RouteAuth = "public" | "setup" | "pre_session" | "session" | "principal" | "client_key";

/** origin: the page must be our own. token: that, and the session's CSRF token. none: nothing is changed, or no cookie counts. */
export type CsrfRule = "none" | "origin" | "token";

/** pre_auth: failures are counted by address. session: requests are counted by session or token. */
export type RateClass = "none" | "pre_auth" | "session" | "client_key";

/** One route and everything that is decided about a request before its handler runs. No field has a default. */
export type RouteEntry = {
  /** "*": whatever the Claude API has. */
  readonly method: RouteMethod | "*";
  /** `{name}` is one segment, `{rest}` at the end of a data path one or more. */
  readonly path: string;
  readonly plane: Plane;
  readonly auth: RouteAuth;
  /** One of them is enough, the first that is granted counts; the last may be about one's own things alone. Empty for nobody in particular. */
  readonly permission: readonly Permission[];
  readonly csrf: CsrfRule;
  /** 0: takes no body. */
  readonly bodyLimitBytes: number;
  readonly rateClass: RateClass;
  /** What it leaves in the audit log. ledger: every request is a row of the ledger. */
  readonly audit: readonly AuditAction[] | "none" | "ledger";
  /** Is a fresh proof of the second factor asked for? */
  readonly stepUp: boolean;
};

/** "GET /api/accounts": how an entry is found and named. */
export function routeKey({ method, path }: Pick<RouteEntry, "method" | "path">): string {
  return `${method} ${path}`;
}
