import { needsStepUp } from "../../domain/access/permission.ts";
import { METHODS, type RouteEntry, routeKey } from "./route-entry.ts";

const FIELDS = [
  "method",
  "path",
  "plane",
  "auth",
  "permission",
  "csrf",
  "bodyLimitBytes",
  "rateClass",
  "audit",
  "stepUp",
] as const satisfies readonly (keyof RouteEntry)[];

/** What may be asked without a credential: this list and nothing beside it. */
const WITHOUT_CREDENTIAL: ReadonlySet<string> = new Set([
  "GET /",
  "GET /healthz",
  "GET /readyz",
  "POST /auth/setup",
  "POST /auth/login",
  "POST /auth/mfa/totp",
  "POST /auth/mfa/recovery",
]);

const NOBODY: ReadonlySet<RouteEntry["auth"]> = new Set(["public", "setup", "pre_session"]);

/**
 * A start without a complete table is worse than none.
 * @throws Error that names every entry at fault: a field is missing, two entries are one, or an entry contradicts itself.
 */
export function checkRoutes(entries: readonly RouteEntry[]): void {
  const problems = entries.flatMap(problemsOf);
  const keys = entries.map(routeKey);
  const twice = keys.filter((key, index) => keys.indexOf(key) !== index).map((key) => `${key}: it stands twice`);
  refuse([...problems, ...twice]);
}

/**
 * @throws Error unless the routes that answer are the routes that are declared: `routed` holds "GET /api/accounts" for
 * each handler, `declared` are the entries that handlers are needed for.
 */
export function checkHandlers(routed: ReadonlySet<string>, declared: readonly RouteEntry[]): void {
  const keys = new Set(declared.map(routeKey));
  refuse([
    ...[...routed].filter((key) => !keys.has(key)).map((key) => `${key}: it has a handler but no row in route-rows.ts`),
    ...[...keys].filter((key) => !routed.has(key)).map((key) => `${key}: it has a row in route-rows.ts but no handler`),
  ]);
}

function problemsOf(entry: RouteEntry): readonly string[] {
  const key = routeKey(entry);
  const missing = FIELDS.filter((field) => entry[field] === undefined || entry[field] === null);
  if (missing.length > 0) return [`${key}: it does not declare ${missing.join(", ")}`];
  return contradictionsOf(entry).map((fact) => `${key}: ${fact}`);
}

function contradictionsOf(entry: RouteEntry): readonly string[] {
  const isKnownMethod = entry.method === "*" ? entry.plane === "data" : METHODS.includes(entry.method);
  const isPublic = NOBODY.has(entry.auth);
  const isChange = entry.plane === "admin" && entry.method !== "GET";
  const checks: readonly (readonly [boolean, string])[] = [
    [isKnownMethod, "its method is not one of the admin API"],
    [isPublic === WITHOUT_CREDENTIAL.has(routeKey(entry)), "whether it is public contradicts the list of what is"],
    [isPublic === (entry.permission.length === 0), "it needs a permission unless it is public"],
    [!isChange || entry.csrf === (isPublic ? "origin" : "token"), "it changes something, yet its csrf is not checked"],
    [!isChange || entry.audit !== "none", "it changes something, yet leaves nothing in the audit log"],
    [
      entry.plane !== "admin" || entry.rateClass === (isPublic ? "pre_auth" : "session"),
      "nobody would count its requests",
    ],
    [entry.method !== "GET" || entry.bodyLimitBytes === 0, "a GET takes no body"],
    [entry.plane !== "admin" || entry.bodyLimitBytes <= 1_048_576, "a body of the admin API has at most 1 MiB"],
    [entry.stepUp || !entry.permission.some(needsStepUp), "its permission asks for a fresh proof, the entry does not"],
    [!entry.stepUp || entry.auth === "session" || entry.auth === "principal", "nobody could step up for it"],
  ];
  return checks.filter(([isRight]) => !isRight).map(([, fact]) => fact);
}

function refuse(problems: readonly string[]): void {
  if (problems.length === 0) return;
  throw new Error(`Cannot start: the table of routes is not whole\n  ${problems.join("\n  ")}`);
}
