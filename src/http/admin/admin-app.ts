import { OpenAPIHono } from "@hono/zod-openapi";
import { bodyLimit } from "hono/body-limit";
import { HTTPException } from "hono/http-exception";
import type { AccountService } from "../../control/accounts.ts";
import type { AuditReader } from "../../control/audit-port.ts";
import type { KeyService } from "../../control/keys.ts";
import type { LogLevelService } from "../../control/log-level.ts";
import type { LoginService } from "../../control/logins.ts";
import type { People } from "../../control/people.ts";
import { StoreUnavailable } from "../../control/store-unavailable.ts";
import type { VaultService } from "../../control/vault.ts";
import { JSON_TYPE, OWN_HEADERS } from "../../gateway/own-headers.ts";
import type { EpochMs } from "../../kernel/time.ts";
import { checkHandlers, checkRoutes } from "../routes/check-routes.ts";
import { handledEntries, routesOfHandlers } from "../routes/handlers.ts";
import { ROUTES } from "../routes/route-rows.ts";
import { createRouteTable } from "../routes/route-table.ts";
import { createAccountRoutes } from "./account-routes.ts";
import { isJsonType } from "./admin-body.ts";
import { createAuditRoutes } from "./audit-routes.ts";
import { createGuard } from "./guard.ts";
import { keyReachOver } from "./key-reach.ts";
import { createKeyRoutes } from "./key-routes.ts";
import { createLogRoutes } from "./log-routes.ts";
import { createLoginRoutes } from "./login-routes.ts";
import { createOwnAccessRoutes } from "./own-access-routes.ts";
import { queryNamesOf } from "./query-names.ts";
import { errorAnswer } from "./refusal-answer.ts";
import { createReportRoutes, type ReportNeeds } from "./report-routes.ts";
import { createSelectionRoutes, type SelectionRouteNeeds } from "./selection-routes.ts";
import { createSignInRoutes } from "./sign-in-routes.ts";
import { checkJson } from "./strict-json.ts";
import { createTokenRoutes } from "./token-routes.ts";
import { createUserRoutes } from "./user-routes.ts";
import { createVaultRoutes } from "./vault-routes.ts";
import type { AdminEnv, Visitor } from "./visitor.ts";

/** No admin request is larger: the largest holds one credential of at most 8 KiB. */
export const MAX_ADMIN_BODY_BYTES = 1024 * 1024;

export type AdminAppNeeds = Omit<ReportNeeds, "diagnosis" | "keyReach"> &
  Omit<SelectionRouteNeeds, "keyReach"> & {
    readonly accounts: AccountService;
    readonly keys: KeyService;
    readonly logins: LoginService;
    readonly audit: AuditReader;
    readonly vault: VaultService;
    readonly logLevels: LogLevelService;
    readonly people: People;
    readonly now: () => EpochMs;
    readonly inspector: ReportNeeds["diagnosis"]["inspector"];
    /** Told of every bug and broken store that became a 500. */
    readonly onError: (error: Error) => void;
  };

/** The admin API as a function of a request and of who asks. Every way in says who that is. */
export type AdminApp = { readonly fetch: (request: Request, visitor: Visitor) => Promise<Response> };

const STORE_AWAY = "Cannot do this now: the gateway's store or its audit log refuses; the gateway's log says why";

/** @throws Error when the routes that answer are not those that the table declares. */
export function createAdminApp(needs: AdminAppNeeds): AdminApp {
  const app = new OpenAPIHono<AdminEnv>();
  const queryNames = new Map<string, ReadonlySet<string>>();
  useRules(app, needs, queryNames);
  addRoutes(app, needs);
  checkRoutes(ROUTES);
  checkHandlers(routesOfHandlers(app.routes), handledEntries(ROUTES));
  for (const [route, names] of queryNamesOf(app.openAPIRegistry.definitions)) queryNames.set(route, names);

  app.notFound((context) => {
    const message = `Cannot find ${context.req.method} ${context.req.path}: the admin API has no such route`;
    return context.json(errorAnswer("route_not_found", message), 404);
  });
  app.onError((error, context) => {
    if (error instanceof HTTPException) {
      return context.json(errorAnswer("request_invalid", `Cannot read the request: ${error.message}`), error.status);
    }
    needs.onError(error);
    if (error instanceof StoreUnavailable) {
      // The words name files: they are for whoever is on the machine, and for the log.
      const isOperator = context.env.visitor.principal?.kind === "socket";
      return context.json(errorAnswer("store_unavailable", isOperator ? error.message : STORE_AWAY), 503);
    }
    return context.json(errorAnswer("internal", "Cannot answer: the gateway failed inside; its log says why"), 500);
  });
  return { fetch: async (request, visitor) => app.fetch(request, { visitor }) };
}

/** What holds for every request. Over TCP the door has asked most of it before; over the Unix socket nobody has. */
function useRules(
  app: OpenAPIHono<AdminEnv>,
  { now }: AdminAppNeeds,
  queryNames: ReadonlyMap<string, ReadonlySet<string>>,
): void {
  app.use(async (context, next) => {
    await next();
    // Answers hold account states, and once a key.
    context.header("cache-control", "no-store");
    for (const [name, value] of [JSON_TYPE, ...OWN_HEADERS]) context.header(name, value);
  });
  app.use(createGuard({ table: createRouteTable(ROUTES), queryNames, now }));
  app.use(async (context, next) => {
    const contentType = context.req.header("content-type");
    if (contentType === undefined || isJsonType(contentType)) return next();
    const message = "Cannot read the request: its content type is not application/json";
    return context.json(errorAnswer("not_json", message), 415);
  });
  app.use(bodyLimit({ maxSize: MAX_ADMIN_BODY_BYTES, onError: () => tooLarge() }));
  app.use(async (context, next) => {
    const bytes = context.req.raw.body === null ? null : new Uint8Array(await context.req.arrayBuffer());
    const read = bytes === null || bytes.length === 0 ? null : checkJson(bytes);
    if (read?.ok !== false) return next();
    return context.json(errorAnswer("request_invalid", `Cannot read the request: its body ${read.error}`), 400);
  });
}

function addRoutes(app: OpenAPIHono<AdminEnv>, needs: AdminAppNeeds): void {
  const { accounts, keys, inspector, version, people } = needs;
  const keyReach = keyReachOver(keys);
  app.route("/", createSignInRoutes(people));
  app.route("/", createOwnAccessRoutes(people));
  app.route("/", createUserRoutes(people));
  app.route("/", createTokenRoutes(people, needs.now));
  app.route("/", createAccountRoutes(accounts));
  app.route("/", createLoginRoutes(needs.logins));
  app.route("/", createKeyRoutes(keys));
  app.route("/", createVaultRoutes(needs.vault));
  app.route("/", createSelectionRoutes({ ...needs, keyReach }));
  app.route("/", createAuditRoutes(needs.audit));
  app.route("/", createLogRoutes(needs.logLevels));
  app.route(
    "/",
    createReportRoutes({
      ...needs,
      keyReach,
      diagnosis: { inspector, accounts, keys, vault: needs.vault, audit: needs.audit },
    }),
  );
  app.doc31("/api/openapi.json", { openapi: "3.1.0", info: { title: "better-ccflare admin API", version } });
}

function tooLarge(): Response {
  const message = `Cannot read the request: its body has more than ${MAX_ADMIN_BODY_BYTES} bytes`;
  return Response.json(errorAnswer("body_too_large", message), { status: 413 });
}
