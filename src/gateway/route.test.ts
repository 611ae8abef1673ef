import { expect, test } from "bun:test";
import { routeOf } from "./route.ts";

test.each([
  { method: "POST", path: "/v1/messages", route: { kind: "messages" } },
  { method: "POST", path: "/v1/messages/count_tokens", route: { kind: "messages" } },
  { method: "GET", path: "/v1/models", route: { kind: "models", modelId: null } },
  { method: "HEAD", path: "/v1/models", route: { kind: "models", modelId: null } },
  { method: "GET", path: "/v1/models/claude-x", route: { kind: "models", modelId: "claude-x" } },
  { method: "GET", path: "/v1/models/us.a-v1:0", route: { kind: "models", modelId: "us.a-v1:0" } },
  { method: "GET", path: "/v1/models/us.a-v1%3A0", route: { kind: "models", modelId: "us.a-v1:0" } },
  { method: "GET", path: "/v1/models/a%ZZ", route: { kind: "models", modelId: "a%ZZ" } },
  { method: "POST", path: "/v1/messages/batches", route: { kind: "other" } },
  { method: "DELETE", path: "/v1/files/file_1", route: { kind: "other" } },
  { method: "PUT", path: "/v1/organizations/me", route: { kind: "other" } },
  { method: "PATCH", path: "/v1/a.b~c/d@e", route: { kind: "other" } },
  { method: "GET", path: "/v1/v1/messages", route: { kind: "other" } },
  { method: "GET", path: "/v1/...", route: { kind: "other" } },
])("$method $path is served", ({ method, path, route }) => {
  expect(routeOf({ method, path })).toMatchObject(route as ReturnType<typeof routeOf>);
});

test.each([
  "",
  "/",
  "/v1",
  "/v1/",
  "/v1//messages",
  "/v1/messages/",
  "//v1/messages",
  "/V1/messages",
  "/v2/messages",
  "/v10/messages",
  "/api/hello",
  "/v1/../api/accounts",
  "/v1/./messages",
  "/v1/files/..",
  "/v1/files/.",
  "/v1/%2e%2e/api",
  "/v1/files%2f..%2fapi",
  "/v1/files%2Fx",
  "/v1/%6dessages",
  "/v1/mess%61ges",
  "/v1/messages/count%5Ftokens",
  "/v1/messages%2Dx",
  "/v1/files%5cx",
  "/v1/files%00",
  "/v1/files%0d%0ax",
  "/v1/files\\x",
  "/v1/files x",
  "/v1/files?x",
  "/v1/files#x",
  "/v1/fil\u00e9s",
  "http://x/v1/messages",
])("%p is no path of the API", (path) => {
  expect(routeOf({ method: "POST", path })).toMatchObject({ code: "GW_UNKNOWN_PATH" });
});

test.each([
  { method: "GET", path: "/v1/messages", says: "send POST" },
  { method: "HEAD", path: "/v1/messages/count_tokens", says: "send POST" },
  { method: "POST", path: "/v1/models", says: "send GET" },
  { method: "DELETE", path: "/v1/models/x", says: "send GET" },
  { method: "OPTIONS", path: "/v1/files", says: "does not use it" },
  { method: "TRACE", path: "/v1/messages", says: "does not use it" },
  { method: "CONNECT", path: "/v1/messages", says: "does not use it" },
  { method: "post", path: "/v1/messages", says: "does not use it" },
])("$method $path is refused", ({ method, path, says }) => {
  const route = routeOf({ method, path });
  expect(route).toMatchObject({ code: "GW_METHOD" });
  expect("message" in route ? route.message : "").toContain(says);
});
