import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Simulator, startSimulator } from "../../sim/simulator.ts";
import { type Ask, outcome, PASSWORD, type Person, personOf } from "./admin-client.ts";
import {
  type AdminWorld,
  must,
  pathOf,
  type RoleName,
  type RouteLine,
  routesOf,
  startAdminWorld,
} from "./admin-world.ts";

const CREDENTIAL = "sk-gate-roles-canary";
const ROLES: readonly RoleName[] = ["member", "operator", "auditor", "admin", "owner"];

/** Member, operator, auditor, admin, owner; S: with a fresh proof. Written down here anew, on purpose. */
const MATRIX: Readonly<Record<string, string>> = {
  "keys.own": "Y Y - Y Y",
  "keys.read": "- Y Y Y Y",
  "keys.revoke": "- Y - Y Y",
  "keys.create": "- - - Y Y",
  "accounts.read": "- Y Y Y Y",
  "accounts.switch": "- Y - Y Y",
  "accounts.write": "- - - S S",
  "config.read": "- Y Y Y Y",
  "config.write": "- - - S S",
  "users.read": "- - Y Y Y",
  "users.write": "- - - S S",
  "roles.assign": "- - - S S",
  "stats.own": "Y Y Y Y Y",
  "stats.any": "- Y Y Y Y",
  "logs.read": "- Y Y Y Y",
  "audit.read": "- - Y Y Y",
  "audit.export": "- - Y - Y",
  "audit.verify": "- - Y - Y",
  "audit.sinks": "- - - - S",
  "vault.read": "- - - Y Y",
  "vault.rotate": "- - - - S",
  self: "Y Y Y Y Y",
};

let world: AdminWorld;
let simulator: Simulator;
let routes: readonly RouteLine[];
const people = new Map<RoleName, Person>();
const tokens = new Map<RoleName, string>();
let nils: Person;

beforeAll(async () => {
  simulator = await startSimulator();
  simulator.account(CREDENTIAL, { kind: "api_key" });
  world = await startAdminWorld();
  await world.gateway.addAccount("one", { baseUrl: simulator.url, credential: CREDENTIAL });
  routes = (await routesOf(world.gateway)).filter(
    ({ plane, auth }) => plane === "admin" && /^(session|principal)$/.test(auth),
  );
  for (const role of ROLES) people.set(role, role === "owner" ? world.owner : await world.join(`the-${role}`, role));
  for (const [role, person] of people) tokens.set(role, await world.token(person, "matrix"));
  nils = await world.join("nils", "member");
}, 120_000);

afterAll(async () => {
  await world.stop();
  await simulator.stop();
});

function who(role: RoleName): Person {
  const person = people.get(role);
  if (person === undefined) throw new Error(`Cannot test: nobody is ${role}`);
  return person;
}

/** What D14 says of a role and a route: no, yes, or yes with a fresh proof. */
function cellOf({ permission, stepUp }: RouteLine, role: RoleName): "-" | "Y" | "S" {
  const cells = permission.map((name) => MATRIX[name]?.split(" ")[ROLES.indexOf(role)] ?? "unknown");
  const cell = cells.find((each) => each !== "-");
  if (cell === undefined) return "-";
  return cell === "S" || stepUp ? "S" : "Y";
}

const REFUSED = /^(401|403|429)/;

function bearer(role: RoleName): Pick<Ask, "headers" | "page"> {
  return { headers: [["Authorization", `Bearer ${tokens.get(role)}`]], page: "none" };
}

describe("who may do what", () => {
  test.each(ROLES)(
    "T-7.00 T-22.13 a %s may do with a session what the matrix says, on every route",
    async (role) => {
      const wrong: string[] = [];
      for (const route of routes) {
        if (route.path === "/auth/logout") continue;
        const told = outcome(await world.ask({ method: route.method, path: pathOf(route), as: who(role) }));
        const isRight = cellOf(route, role) === "-" ? told === "403 forbidden" : !REFUSED.test(told);
        if (!isRight) wrong.push(`${route.method} ${route.path}: ${told}`);
      }
      expect(wrong).toEqual([]);
    },
    60_000,
  );

  test.each(ROLES)(
    "T-7.00 T-7.06 T-12.03 a token of a %s never does what needs a fresh proof",
    async (role) => {
      const wrong: string[] = [];
      for (const route of routes) {
        const told = outcome(await world.ask({ method: route.method, path: pathOf(route), ...bearer(role) }));
        const cell = cellOf(route, role);
        const wanted =
          route.auth === "session" ? "403 session_required" : cell === "-" ? "403 forbidden" : "403 step_up_required";
        const isRight = route.auth === "session" || cell !== "Y" ? told === wanted : !REFUSED.test(told);
        if (!isRight) wrong.push(`${route.method} ${route.path}: ${told}`);
      }
      expect(wrong).toEqual([]);
    },
    60_000,
  );

  test("T-22.14 an auditor changes nothing but their own access", async () => {
    for (const { method, path, permission } of routes.filter(({ method }) => method !== "GET")) {
      if (permission.includes("self") || permission.includes("audit.verify") || permission.includes("audit.export"))
        continue;
      const told = await world.ask({ method, path: pathOf({ path }), as: who("auditor") });
      expect(`${method} ${path} ${outcome(told)}`).toBe(`${method} ${path} 403 forbidden`);
    }
  });

  test("T-7.12 what imports or restores would be the owner's", async () => {
    const found = routes.filter(({ path }) => /import|restore/.test(path));
    expect(found.filter(({ permission }) => !permission.includes("backup.restore"))).toEqual([]);
    expect((await world.ask({ method: "POST", path: "/api/restore", as: world.owner })).status).toBe(404);
  });

  test("T-7.06 a proof is not used twice: the session before it is dead, and its answer opens nothing", async () => {
    const body = { password: PASSWORD };
    const first = await world.ask({ method: "POST", path: "/auth/step-up", as: nils, body });
    const next = personOf(must(first), { password: PASSWORD, seed: null });
    expect((await world.ask({ path: "/auth/session", as: nils })).status).toBe(401);
    expect((await world.ask({ method: "POST", path: "/auth/step-up", as: nils, body })).status).toBe(401);
    const mixed = { ...next, csrf: nils.csrf };
    expect((await world.ask({ method: "POST", path: "/auth/step-up", as: mixed, body })).code).toBe("csrf_refused");
    nils = next;
  });
});

describe("somebody else's things", () => {
  test("T-7.05 T-7.00 answer as things that do not exist, in every place that takes an id", async () => {
    const member = who("member");
    const made = await world.ask({ method: "POST", path: "/api/keys", as: nils, body: { name: "of-nils" } });
    const { id: keyId, key } = JSON.parse(must(made).text);
    await world.token(nils, "of-nils");
    const body = '{"model":"claude-sonnet-4-5","max_tokens":8,"messages":[{"role":"user","content":"hi"}]}';
    const type = ["Content-Type", "application/json"] as const;
    const served = await world.ask({
      method: "POST",
      path: "/v1/messages",
      page: "none",
      headers: [["x-api-key", key], type],
      body,
    });
    const requestId = served.header("x-better-ccflare-request-id") ?? "";
    expect((await world.ask({ path: `/api/requests/${requestId}`, as: nils })).status).toBe(200);
    const places: readonly (readonly [method: string, pattern: string, id: string])[] = [
      ["GET", "/api/keys/{}", keyId],
      ["GET", "/api/keys/{}", "of-nils"],
      ["DELETE", "/api/keys/{}", keyId],
      ["DELETE", "/api/keys/{}", "of-nils"],
      ["DELETE", "/api/tokens/{}", "of-nils"],
      ["DELETE", "/auth/sessions/{}", nils.sessionId],
      ["GET", "/api/requests/{}", requestId],
      ["GET", "/api/requests/{}/explanation", requestId],
    ];
    for (const [method, pattern, id] of places) {
      const told = await world.ask({ method, path: pattern.replace("{}", id), as: member });
      const unknown = await world.ask({ method, path: pattern.replace("{}", "unknown"), as: member });
      expect(`${method} ${pattern} ${told.status}`).toBe(`${method} ${pattern} 404`);
      expect(told.text.replaceAll(id, "unknown")).toBe(unknown.text);
    }
    const lists = await Promise.all(
      ["/api/keys", "/api/requests", "/api/tokens", "/auth/sessions"].map((path) => world.ask({ path, as: member })),
    );
    for (const { text } of lists)
      expect(text).not.toMatch(new RegExp(`of-nils|${keyId}|${requestId}|${nils.sessionId}`));
    const stats = JSON.parse((await world.ask({ path: "/api/stats", as: member })).text);
    expect(stats.total.requests).toBe(0);
    expect(JSON.parse((await world.ask({ path: "/api/stats", as: nils })).text).total.requests).toBe(1);
    expect(JSON.parse((await world.ask({ path: "/api/stats", as: who("auditor") })).text).total.requests).toBe(1);
  }, 30_000);

  test.each([
    "user=nils",
    "owner=nils",
    "ownerId=1",
    "key=of-nils",
    "sort=hmac",
    "orderBy=credential",
    "filter=hmac:a",
    "fields=hmac",
  ])("T-7.10 T-7.14 no list is filtered or sorted by ?%s", async (query) => {
    for (const path of ["/api/requests", "/api/stats", "/api/keys", "/api/accounts", "/api/users"]) {
      const told = await world.ask({ path: `${path}?${query}`, ...bearer("admin") });
      expect(`${path} ${outcome(told)}`).toBe(`${path} 400 request_invalid`);
    }
  });

  test("T-7.01 no list shows anybody a secret", async () => {
    const canaries = [
      CREDENTIAL,
      PASSWORD,
      world.gateway.firstKey,
      ...tokens.values(),
      nils.cookie.split("=")[1] ?? "",
    ];
    const lists = routes.filter(({ method }) => method === "GET");
    for (const role of ROLES) {
      for (const route of lists) {
        const { text } = await world.ask({ path: pathOf(route), ...bearer(role) });
        if (route.path === "/api/openapi.json") continue;
        for (const canary of canaries) expect(text.includes(canary)).toBe(false);
        expect(text).not.toMatch(
          /"(hmac|hash|mac|sealed|credential|password|passwordHash|seed|totpSeed|secret|salt)":/,
        );
      }
    }
  }, 30_000);
});

describe("what a body may hold", () => {
  const FORBIDDEN = [
    "id",
    "org_id",
    "ownerId",
    "created_at",
    "createdAtMs",
    "hmac",
    "encrypted",
    "isAdmin",
    "permissions",
  ];
  const BODIES: readonly (readonly [path: string, body: object])[] = [
    ["/api/users", { name: "x", role: "member", password: PASSWORD }],
    ["/api/keys", { name: "x" }],
    ["/api/tokens", { name: "x" }],
    ["/api/accounts", { name: "x", provider: "anthropic", credential: "sk-ant-api03-x", credentialKind: "api_key" }],
    ["/auth/password", { current: PASSWORD, next: PASSWORD }],
  ];

  test.each(BODIES)("T-7.02 %s takes no field that only the gateway writes", async (path, body) => {
    const as = who("admin");
    for (const field of [...FORBIDDEN, ...(path === "/api/users" ? [] : ["role"])]) {
      const told = await world.ask({ method: "POST", path, as, body: { ...body, [field]: "owner" } });
      expect(`${field} ${outcome(told)}`).toBe(`${field} 400 request_invalid`);
    }
  });

  test("T-7.13 no route takes many things at once", async () => {
    for (const { method, path } of routes.filter(({ method }) => method === "POST" || method === "PUT")) {
      if (!(await takesBody(method, path))) continue;
      const told = await world.ask({
        method,
        path: pathOf({ path }),
        as: world.owner,
        body: [{ name: "a" }, { name: "b" }],
      });
      expect(`${path} ${told.status}`).toBe(`${path} 400`);
    }
  }, 30_000);

  async function takesBody(method: string, path: string): Promise<boolean> {
    const { text } = await world.ask({ path: "/api/openapi.json", ...bearer("operator") });
    return JSON.parse(text).paths[path]?.[method.toLowerCase()]?.requestBody !== undefined;
  }

  test("T-7.11 no route speaks another protocol", async () => {
    const upgrade = [
      ["Connection", "Upgrade"],
      ["Upgrade", "websocket"],
      ["Sec-WebSocket-Version", "13"],
    ] as const;
    for (const route of routes) {
      expect((await world.ask({ path: pathOf(route), as: world.owner, headers: upgrade })).status).toBe(400);
    }
  });
});
