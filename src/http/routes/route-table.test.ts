import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { routeOf } from "../../gateway/route.ts";
import { checkHandlers, checkRoutes } from "./check-routes.ts";
import { type RouteEntry, routeKey } from "./route-entry.ts";
import { ROUTES } from "./route-rows.ts";
import { createRouteTable } from "./route-table.ts";

const table = createRouteTable(ROUTES);

function entry(change: Partial<RouteEntry>): RouteEntry {
  const found = table.get("GET /api/accounts");
  if (found === null) throw new Error("Cannot test: no such entry");
  return { ...found, ...change };
}

describe("the table of routes", () => {
  test("is whole", () => {
    expect(() => checkRoutes(ROUTES)).not.toThrow();
  });

  test("T-1.03 lets exactly this much be asked without a credential", () => {
    const open = ROUTES.filter(({ auth }) => ["public", "setup", "pre_session"].includes(auth)).map(routeKey);
    const list = ["GET /", "GET /healthz", "GET /readyz"];
    const signIn = ["POST /auth/setup", "POST /auth/login", "POST /auth/mfa/totp", "POST /auth/mfa/recovery"];
    expect(open.filter((key) => !signIn.includes(key))).toEqual(list);
  });

  test.each([
    [{ permission: undefined }, "does not declare permission"],
    [{ audit: undefined, rateClass: undefined }, "does not declare rateClass, audit"],
    [{ auth: "public" }, "public contradicts"],
    [{ permission: [] }, "needs a permission"],
    [{ method: "DELETE" }, "its csrf is not checked"],
    [{ method: "POST", csrf: "token" }, "leaves nothing in the audit log"],
    [{ permission: ["users.write"] }, "asks for a fresh proof"],
    [{ method: "TRACE" }, "its method is not one"],
    [{ bodyLimitBytes: 1 }, "a GET takes no body"],
    [{ rateClass: "none" }, "nobody would count its requests"],
  ])("refuses an entry with %p", (change, fact) => {
    expect(() => checkRoutes([entry(change as unknown as Partial<RouteEntry>)])).toThrow(fact);
  });

  test("refuses an entry that stands twice, a handler without an entry and an entry without a handler", () => {
    expect(() => checkRoutes([entry({}), entry({})])).toThrow("GET /api/accounts: it stands twice");
    expect(() => checkHandlers(new Set(["GET /api/accounts", "GET /api/heap"]), [entry({})])).toThrow("GET /api/heap");
    expect(() => checkHandlers(new Set(), [entry({})])).toThrow("GET /api/accounts: it has a row");
  });

  test("agrees with what the data plane dispatches", () => {
    for (const { method, path } of ROUTES.filter(({ plane }) => plane === "data")) {
      const sent = { method: method === "*" ? "POST" : method, path: path.replace(/\{[a-z]+\}/, "some-thing") };
      expect(routeOf(sent)).toMatchObject(
        path.startsWith("/v1/messages")
          ? { kind: "messages" }
          : path.startsWith("/v1/models")
            ? { kind: "models", modelId: path.includes("{") ? "some-thing" : null }
            : { kind: "other" },
      );
    }
  });
});

describe("matching", () => {
  test.each([
    ["GET", "/api/accounts", "GET /api/accounts"],
    ["HEAD", "/api/accounts", "GET /api/accounts"],
    ["GET", "/api/requests/trace", "GET /api/requests/trace"],
    ["GET", "/api/requests/0192", "GET /api/requests/{id}"],
    ["DELETE", "/api/accounts/caf%C3%A9", "DELETE /api/accounts/{account}"],
    ["POST", "/api/logins/finish", "POST /api/logins/finish"],
  ])("%s %s is %s", (method, path, key) => {
    const match = table.match(method, path);
    expect(match.kind === "found" ? routeKey(match.entry) : match.kind).toBe(key);
  });

  test.each([
    ["PUT", "/api/accounts", "GET, HEAD, POST"],
    ["OPTIONS", "/api/strategy", "GET, HEAD, PUT"],
    ["PATCH", "/api/accounts/x", "GET, HEAD, DELETE"],
  ])("%s %s is another method of a known path, which has %s", (method, path, allow) => {
    expect(table.match(method, path)).toEqual({ kind: "other_method", allow });
  });

  test.each([
    "//api/accounts",
    "/api//accounts",
    "/API/accounts",
    "/api/accounts/",
    "/api/accounts;a",
    "/api/accounts/x;a",
    "/api%2faccounts",
    "/%61pi/accounts",
    "/api/./accounts",
    "/v1/../api/accounts",
    "/api/accounts/..",
    "/api/accounts/%2e%2e",
    "/api/accounts/a%2fb",
    "/api/accounts/a%5cb",
    "/api/accounts/a%00",
    "/api/accounts/a%0d%0ab",
    "/api/accounts/%zz",
    "/api/accounts/{account}/x",
    "/api/accounts/{account}",
    "/api",
    "",
    "*",
  ])("T-1.06 %p is no path", (path) => {
    expect(table.match("GET", path)).toEqual({ kind: "unknown" });
  });

  test("is total, and finds nothing but what stands in the table", () => {
    fc.assert(
      fc.property(fc.string(), fc.webPath(), (method, path) => {
        const match = table.match(method, path);
        expect(match.kind === "found" ? ROUTES.includes(match.entry) : true).toBe(true);
      }),
    );
  });
});
