import type { RouteEntry } from "./route-entry.ts";

const KIB = 1024;
/** Names, proofs and one password of at most 256 characters. */
const SMALL = 8 * KIB;
/** The largest holds one credential of at most 8 KiB. */
const ADMIN = 1024 * KIB;
/** The limit of the Claude API itself; `limits.requestBodyBytes` may set another. */
const DATA = 32 * 1024 * KIB;
const NO_BODY = 0;

type Row = readonly [
  method: RouteEntry["method"],
  path: string,
  auth: RouteEntry["auth"],
  permission: RouteEntry["permission"],
  csrf: RouteEntry["csrf"],
  bodyLimitBytes: number,
  rateClass: RouteEntry["rateClass"],
  step: "step-up" | "-",
  audit: RouteEntry["audit"],
];

// biome-ignore format: one route, one line.
const DATA_ROWS: readonly Row[] = [
  ["POST", "/v1/messages", "client_key", ["proxy.use"], "none", DATA, "client_key", "-", "ledger"],
  ["POST", "/v1/messages/count_tokens", "client_key", ["proxy.use"], "none", DATA, "client_key", "-", "ledger"],
  ["GET", "/v1/models", "client_key", ["proxy.use"], "none", NO_BODY, "client_key", "-", "none"],
  ["GET", "/v1/models/{id}", "client_key", ["proxy.use"], "none", NO_BODY, "client_key", "-", "none"],
  ["*", "/v1/{rest}", "client_key", ["proxy.use"], "none", DATA, "client_key", "-", "ledger"],
];

// biome-ignore format: one route, one line.
const OWN_ROWS: readonly Row[] = [
  ["GET", "/", "public", [], "none", NO_BODY, "none", "-", "none"],
  ["GET", "/healthz", "public", [], "none", NO_BODY, "none", "-", "none"],
  ["GET", "/readyz", "public", [], "none", NO_BODY, "none", "-", "none"],
  ["GET", "/metrics", "client_key", ["proxy.use"], "none", NO_BODY, "client_key", "-", "none"],
];

// biome-ignore format: one route, one line.
const SIGN_IN_ROWS: readonly Row[] = [
  ["POST", "/auth/setup", "setup", [], "origin", SMALL, "pre_auth", "-", ["SET002"]],
  ["POST", "/auth/login", "public", [], "origin", SMALL, "pre_auth", "-", ["AUT001"]],
  ["POST", "/auth/mfa/totp", "pre_session", [], "origin", SMALL, "pre_auth", "-", ["AUT002"]],
  ["POST", "/auth/mfa/recovery", "pre_session", [], "origin", SMALL, "pre_auth", "-", ["AUT003"]],
  ["POST", "/auth/step-up", "session", ["self"], "token", SMALL, "session", "-", ["AUT004"]],
  ["POST", "/auth/logout", "session", ["self"], "token", SMALL, "session", "-", ["AUT005"]],
  ["GET", "/auth/session", "principal", ["self"], "none", NO_BODY, "session", "-", "none"],
  ["GET", "/auth/sessions", "principal", ["self"], "none", NO_BODY, "session", "-", "none"],
  ["DELETE", "/auth/sessions/{id}", "session", ["self"], "token", NO_BODY, "session", "-", ["AUT005"]],
  ["POST", "/auth/password", "session", ["self"], "token", SMALL, "session", "-", ["USR005"]],
  ["POST", "/auth/totp", "session", ["self"], "token", SMALL, "session", "-", ["MFA001"]],
  ["POST", "/auth/totp/confirm", "session", ["self"], "token", SMALL, "session", "-", ["MFA001"]],
  ["DELETE", "/auth/totp", "session", ["self"], "token", NO_BODY, "session", "step-up", ["MFA002"]],
  ["POST", "/auth/recovery-codes", "session", ["self"], "token", SMALL, "session", "step-up", ["MFA003"]],
];

// biome-ignore format: one route, one line.
const USER_ROWS: readonly Row[] = [
  ["GET", "/api/users", "principal", ["users.read"], "none", NO_BODY, "session", "-", "none"],
  ["POST", "/api/users", "principal", ["users.write"], "token", SMALL, "session", "step-up", ["USR001"]],
  ["PUT", "/api/users/{user}/role", "principal", ["roles.assign"], "token", SMALL, "session", "step-up", ["USR002"]],
  ["POST", "/api/users/{user}/disable", "principal", ["users.write"], "token", SMALL, "session", "step-up", ["USR003"]],
  ["POST", "/api/users/{user}/enable", "principal", ["users.write"], "token", SMALL, "session", "step-up", ["USR004"]],
  ["POST", "/api/users/{user}/password", "principal", ["users.write"], "token", SMALL, "session", "step-up", ["USR006"]],
  ["POST", "/api/users/{user}/reset-mfa", "principal", ["users.write"], "token", SMALL, "session", "step-up", ["USR007"]],
  ["POST", "/api/users/{user}/end-sessions", "principal", ["users.write"], "token", SMALL, "session", "step-up", ["AUT005"]],
  ["DELETE", "/api/users/{user}", "principal", ["users.write"], "token", NO_BODY, "session", "step-up", ["USR008"]],
  ["POST", "/api/setup", "principal", ["roles.assign"], "token", SMALL, "session", "step-up", ["SET001"]],
  ["GET", "/api/tokens", "principal", ["self"], "none", NO_BODY, "session", "-", "none"],
  ["POST", "/api/tokens", "principal", ["self"], "token", SMALL, "session", "step-up", ["TOK001"]],
  ["DELETE", "/api/tokens/{token}", "principal", ["self"], "token", NO_BODY, "session", "-", ["TOK002"]],
];

// biome-ignore format: one route, one line.
const ACCOUNT_ROWS: readonly Row[] = [
  ["GET", "/api/accounts", "principal", ["accounts.read"], "none", NO_BODY, "session", "-", "none"],
  ["POST", "/api/accounts", "principal", ["accounts.write"], "token", ADMIN, "session", "step-up", ["ACC001"]],
  ["GET", "/api/accounts/{account}", "principal", ["accounts.read"], "none", NO_BODY, "session", "-", "none"],
  ["DELETE", "/api/accounts/{account}", "principal", ["accounts.write"], "token", NO_BODY, "session", "step-up", ["ACC004"]],
  ["POST", "/api/accounts/{account}/pause", "principal", ["accounts.switch"], "token", SMALL, "session", "-", ["ACC002"]],
  ["POST", "/api/accounts/{account}/resume", "principal", ["accounts.switch"], "token", SMALL, "session", "-", ["ACC003"]],
  ["POST", "/api/accounts/{account}/test", "principal", ["accounts.switch"], "token", SMALL, "session", "-", ["ACC006"]],
  ["POST", "/api/accounts/{account}/logins", "principal", ["accounts.write"], "token", ADMIN, "session", "step-up", ["OAU001"]],
  ["POST", "/api/logins", "principal", ["accounts.write"], "token", ADMIN, "session", "step-up", ["OAU001"]],
  ["POST", "/api/logins/finish", "principal", ["accounts.write"], "token", ADMIN, "session", "step-up", ["OAU002", "OAU003"]],
];

// biome-ignore format: one route, one line.
const KEY_ROWS: readonly Row[] = [
  ["GET", "/api/keys", "principal", ["keys.read", "keys.own"], "none", NO_BODY, "session", "-", "none"],
  ["POST", "/api/keys", "principal", ["keys.create", "keys.own"], "token", ADMIN, "session", "-", ["KEY001"]],
  ["GET", "/api/keys/{key}", "principal", ["keys.read", "keys.own"], "none", NO_BODY, "session", "-", "none"],
  ["POST", "/api/keys/{key}/rotate", "principal", ["keys.create", "keys.own"], "token", SMALL, "session", "-", ["KEY004"]],
  ["DELETE", "/api/keys/{key}", "principal", ["keys.revoke", "keys.own"], "token", NO_BODY, "session", "-", ["KEY002"]],
];

// biome-ignore format: one route, one line.
const VAULT_ROWS: readonly Row[] = [
  ["GET", "/api/vault", "principal", ["vault.read"], "none", NO_BODY, "session", "-", "none"],
  ["POST", "/api/vault/rotate-data-key", "principal", ["vault.rotate"], "token", ADMIN, "session", "step-up", ["VLT001"]],
  ["POST", "/api/vault/rotate-master-key", "principal", ["vault.rotate"], "token", ADMIN, "session", "step-up", ["VLT003"]],
  ["POST", "/api/vault/verify", "principal", ["vault.read"], "token", SMALL, "session", "-", ["VLT004"]],
];

// biome-ignore format: one route, one line.
const REPORT_ROWS: readonly Row[] = [
  ["GET", "/api/strategy", "principal", ["config.read"], "none", NO_BODY, "session", "-", "none"],
  ["PUT", "/api/strategy", "principal", ["config.write"], "token", ADMIN, "session", "step-up", ["CFG001"]],
  ["GET", "/api/log-level", "principal", ["config.read"], "none", NO_BODY, "session", "-", "none"],
  ["PUT", "/api/log-level", "principal", ["config.write"], "token", SMALL, "session", "step-up", ["CFG002"]],
  ["GET", "/api/requests", "principal", ["stats.any", "stats.own"], "none", NO_BODY, "session", "-", "none"],
  ["GET", "/api/requests/trace", "principal", ["stats.any"], "none", NO_BODY, "session", "-", "none"],
  ["GET", "/api/requests/{id}", "principal", ["stats.any", "stats.own"], "none", NO_BODY, "session", "-", "none"],
  ["GET", "/api/requests/{id}/explanation", "principal", ["stats.any", "stats.own"], "none", NO_BODY, "session", "-", "none"],
  ["GET", "/api/stats", "principal", ["stats.any", "stats.own"], "none", NO_BODY, "session", "-", "none"],
  ["GET", "/api/doctor", "principal", ["config.read"], "none", NO_BODY, "session", "-", "none"],
  ["GET", "/api/audit", "principal", ["audit.read"], "none", NO_BODY, "session", "-", "none"],
  ["GET", "/api/audit/export", "principal", ["audit.export"], "none", NO_BODY, "session", "-", ["AUD001"]],
  ["GET", "/api/audit/sinks", "principal", ["audit.verify"], "none", NO_BODY, "session", "-", "none"],
  ["POST", "/api/audit/prune", "principal", ["audit.sinks"], "token", SMALL, "session", "step-up", ["AUD002"]],
  ["GET", "/api/openapi.json", "principal", ["self"], "none", NO_BODY, "session", "-", "none"],
];

/** Every route of the process. What is not here does not exist: 404 before any other work. */
export const ROUTES: readonly RouteEntry[] = [
  ...entriesOf("data", DATA_ROWS),
  ...entriesOf("own", OWN_ROWS),
  ...entriesOf("admin", [...SIGN_IN_ROWS, ...USER_ROWS, ...ACCOUNT_ROWS, ...KEY_ROWS, ...VAULT_ROWS, ...REPORT_ROWS]),
];

function entriesOf(plane: RouteEntry["plane"], rows: readonly Row[]): readonly RouteEntry[] {
  return rows.map(([method, path, auth, permission, csrf, bodyLimitBytes, rateClass, step, audit]) => ({
    method,
    path,
    plane,
    auth,
    permission,
    csrf,
    bodyLimitBytes,
    rateClass,
    audit,
    stepUp: step === "step-up",
  }));
}
