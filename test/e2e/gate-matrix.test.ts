import { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { outcome, type Told } from "./admin-client.ts";
import { type AdminWorld, pathOf, type RouteLine, routesOf, startAdminWorld } from "./admin-world.ts";
import { startSilentUpstream } from "./silent-upstream.ts";

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"];
const PUBLIC = [
  "GET /",
  "GET /healthz",
  "GET /readyz",
  "POST /auth/login",
  "POST /auth/mfa/recovery",
  "POST /auth/mfa/totp",
  "POST /auth/setup",
];

type Header = readonly [string, string];
type State = { readonly name: string; readonly headers: readonly Header[]; readonly query?: string };

let world: AdminWorld;
let upstream: Awaited<ReturnType<typeof startSilentUpstream>>;
let routes: readonly RouteLine[];
let states: { readonly admin: readonly State[]; readonly data: readonly State[] };

beforeAll(async () => {
  upstream = await startSilentUpstream();
  world = await startAdminWorld();
  await world.gateway.addAccount("silent", { baseUrl: upstream.url, credential: "sk-ant-api03-test" });
  routes = await routesOf(world.gateway);
  states = { admin: await adminStates(), data: await dataStates() };
  upstream.forget();
}, 60_000);

afterAll(async () => {
  await world.stop();
  upstream.stop();
});

/** Of the sixteen states all but the last two are no proof of who asks. */
async function adminStates(): Promise<readonly State[]> {
  const { owner } = world;
  const valid = await world.token(owner, "valid");
  const other = await world.token(owner, "other");
  const revoked = await world.token(owner, "revoked");
  await world.ask({ method: "DELETE", path: "/api/tokens/revoked", as: owner });
  const expired = await world.token(owner, "expired");
  expire(expired.slice(8, 18));
  const gone = await world.join("gone", "member");
  const disabled = await world.token(gone, "mine");
  await world.ask({ method: "POST", path: "/api/users/gone/disable", as: owner });
  return [...proofless("ad", { valid, other, revoked, expired, disabled, wrongType: world.gateway.firstKey })];
}

async function dataStates(): Promise<readonly State[]> {
  const { key: valid } = await world.gateway.createKey("valid");
  const { key: other } = await world.gateway.createKey("other");
  const { key: revoked } = await world.gateway.createKey("revoked");
  await world.gateway.cli(["key", "revoke", "revoked"]);
  const wrongType = await world.token(world.owner, "wrong-type");
  return proofless("sk", { valid, other, revoked, expired: null, disabled: null, wrongType });
}

type Keys = Readonly<Record<"valid" | "other" | "revoked" | "wrongType", string>> &
  Readonly<Record<"expired" | "disabled", string | null>>;

function proofless(type: string, { valid, other, revoked, expired, disabled, wrongType }: Keys): readonly State[] {
  const last = valid.at(-1) === "0" ? "1" : "0";
  const bearer = (text: string): Header => ["Authorization", `Bearer ${text}`];
  const state = (name: string, ...headers: readonly Header[]): State => ({ name, headers });
  return [
    state("none"),
    state("empty Authorization", ["Authorization", ""]),
    state("Bearer only", ["Authorization", "Bearer"]),
    state("random string", bearer("d2hvIGFyZSB5b3U")),
    state("wrong CRC", bearer(valid.slice(0, -1) + last)),
    state("unknown", bearer(unknownKey(type))),
    state("revoked", bearer(revoked)),
    ...(expired === null ? [] : [state("expired", bearer(expired))]),
    ...(disabled === null ? [] : [state("disabled owner", bearer(disabled))]),
    state("wrong type", bearer(wrongType)),
    { name: "in the query", headers: [], query: `?api_key=${valid}` },
    state("in a cookie", ["Cookie", `token=${valid}`]),
    state("two different keys", bearer(valid), ["x-api-key", other]),
    state("same header twice", bearer(valid), bearer(valid)),
  ];
}

/** Of the right form with the right checksum, and nobody's. */
function unknownKey(type: string): string {
  const text = `bccf_${type}_${"7".repeat(53)}`;
  const crc = Bun.hash.crc32(text);
  const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  let rest = crc;
  let suffix = "";
  for (let index = 0; index < 6; index += 1) {
    suffix = digits[rest % 62] + suffix;
    rest = Math.floor(rest / 62);
  }
  return text + suffix;
}

function expire(tokenId: string): void {
  const database = new Database(join(world.gateway.dataDir, "gateway.db"));
  const { changes } = database.run("UPDATE admin_tokens SET expires_at_ms = 1 WHERE id = ?", [tokenId]);
  database.close();
  if (changes !== 1) throw new Error("Cannot expire the token: there is no such row");
}

function isAllowed(route: RouteLine, method: string): boolean {
  const methods = routes.filter(({ path }) => path === route.path).map((each) => each.method);
  // The Claude API has no OPTIONS; browsers ask so before a page of another origin calls.
  return methods.includes(method === "HEAD" ? "GET" : method) || (methods.includes("*") && method !== "OPTIONS");
}

/** Every route once for each path: what matters here is the path and each method. */
function paths(): readonly RouteLine[] {
  return routes.filter((route, index) => routes.findIndex(({ path }) => path === route.path) === index);
}

function routeFor({ path }: RouteLine, method: string): RouteLine | undefined {
  const asked = method === "HEAD" ? "GET" : method;
  return routes.find((each) => each.path === path && (each.method === asked || each.method === "*"));
}

function expected(route: RouteLine | undefined, method: string, state: State): readonly number[] {
  // What HTTP/1.1 knows but nobody here has is no request at all: the reader answers before any route.
  if (method === "TRACE" || method === "PROPFIND") return [400];
  if (state.name === "same header twice" || state.name === "in the query") return [400];
  if (route === undefined) return [405];
  if (route.auth === "public" || route.auth === "setup") return [200, 400, 401];
  if (route.auth === "pre_session") return [400, 401];
  return state.name === "two different keys" ? [400] : [401];
}

async function run(plane: (route: RouteLine) => boolean, all: readonly State[]): Promise<string[]> {
  const wrong: string[] = [];
  const bodies = new Map<string, Set<string>>();
  for (const line of paths().filter(plane)) {
    for (const method of METHODS) {
      const route = isAllowed(line, method) ? routeFor(line, method) : undefined;
      const answers = await Promise.all(
        all.map(({ headers, query = "" }) => world.ask({ method, path: pathOf(line) + query, headers })),
      );
      for (const [index, answer] of answers.entries()) {
        const state = all[index];
        if (state === undefined) continue;
        const wanted = expected(route, method, state);
        if (!wanted.includes(answer.status)) wrong.push(`${method} ${line.path} ${state.name}: ${outcome(answer)}`);
        if (answer.status === 405 && answer.header("allow") === null) wrong.push(`${method} ${line.path}: no Allow`);
        if (line.plane === "admin" && answer.status === 401 && method !== "HEAD") note(bodies, answer);
      }
    }
  }
  for (const [code, texts] of bodies)
    if (code === "401 not_signed_in" && texts.size > 1) wrong.push(`${code} has ${texts.size} bodies`);
  return wrong;
}

function note(bodies: Map<string, Set<string>>, answer: Told): void {
  const texts = bodies.get(outcome(answer)) ?? new Set();
  bodies.set(outcome(answer), texts.add(answer.text));
}

describe("every route, every method, every state of a credential", () => {
  test("T-1.01 the admin plane lets nobody in who has not proven who they are", async () => {
    expect(await run(({ plane }) => plane === "admin", states.admin)).toEqual([]);
  }, 120_000);

  test("T-1.01 the data plane and the process's pages neither, and upstream hears nothing of it", async () => {
    expect(await run(({ plane }) => plane !== "admin", states.data)).toEqual([]);
    expect(upstream.connections).toBe(0);
  }, 120_000);

  test("T-1.01 a session without its CSRF token changes nothing, and with it is served", async () => {
    const wrong: string[] = [];
    for (const route of routes.filter(
      ({ plane, auth }) => plane === "admin" && ["session", "principal"].includes(auth),
    )) {
      if (route.path === "/auth/logout") continue;
      const asked = { method: route.method, path: pathOf(route), as: world.owner };
      const bare = await world.ask({ ...asked, headers: [["X-CSRF-Token", ""]] });
      if (route.csrf === "token" && bare.code !== "csrf_refused")
        wrong.push(`${route.method} ${route.path}: ${outcome(bare)}`);
      const full = await world.ask(asked);
      if ([401, 405, 429].includes(full.status) || full.code === "csrf_refused" || full.code === "forbidden") {
        wrong.push(`${route.method} ${route.path}: ${outcome(full)}`);
      }
    }
    expect(wrong).toEqual([]);
  }, 60_000);

  test("T-1.03 exactly the public list answers without a credential", async () => {
    const open: string[] = [];
    for (const route of routes) {
      const method = route.method === "*" ? "POST" : route.method;
      const answer = await world.ask({ method, path: pathOf(route), ...(method === "GET" ? {} : { body: {} }) });
      const isPreSession = route.auth === "pre_session" && answer.code === "not_signed_in";
      if (answer.status !== 401 || isPreSession) open.push(`${method} ${route.path}`);
    }
    expect(open.sort()).toEqual(PUBLIC);
  });

  test("T-1.05 a token in Authorization and in x-api-key decides alike on every route", async () => {
    const token = await world.token(await world.join("mona", "member"), "both");
    for (const route of routes.filter(({ plane }) => plane === "admin")) {
      const asked = { method: route.method, path: pathOf(route), page: "none" as const };
      const bearer = await world.ask({ ...asked, headers: [["Authorization", `Bearer ${token}`]] });
      const apiKey = await world.ask({ ...asked, headers: [["x-api-key", token]] });
      expect(`${route.method} ${route.path} ${outcome(apiKey)}`).toBe(
        `${route.method} ${route.path} ${outcome(bearer)}`,
      );
    }
  }, 60_000);

  test("T-1.11 HEAD is GET without a body, a pre-flight is refused, TRACE echoes nothing", async () => {
    for (const line of paths()) {
      const path = pathOf(line);
      const trace = await world.ask({ method: "TRACE", path, headers: [["X-Canary", "echo-me"]] });
      expect(trace.status).toBe(400);
      expect(trace.text).not.toContain("echo-me");
      const preflight = await world.ask({
        method: "OPTIONS",
        path,
        headers: [
          ["Origin", "https://evil.example"],
          ["Access-Control-Request-Method", "POST"],
        ],
      });
      expect([403, 405]).toContain(preflight.status);
      if (!isAllowed(line, "GET")) continue;
      const head = await world.ask({ method: "HEAD", path, as: world.owner });
      expect(head.text).toBe("");
    }
  }, 60_000);
});
