import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { outcome } from "./admin-client.ts";
import { type AdminWorld, pathOf, type RouteLine, routesOf, startAdminWorld } from "./admin-world.ts";
import { PATH_WORDS } from "./path-words.ts";
import { lockedDatabase } from "./storage-outages.ts";

let world: AdminWorld;
let routes: readonly RouteLine[];

beforeAll(async () => {
  world = await startAdminWorld();
  routes = await routesOf(world.gateway);
}, 60_000);
afterAll(() => world.stop());

const UNPROVEN = [400, 404, 414];

describe("what is no route", () => {
  test("T-1.02 a wordlist finds the routes of the table and nothing beside them", async () => {
    const roots = ["", "/api", "/auth", "/v1", "/api/accounts", "/api/users", "/admin", "/dashboard"];
    const segments = new Set([...PATH_WORDS, ...routes.flatMap(({ path }) => path.split("/").slice(1, 3))]);
    const candidates = roots.flatMap((root) => [...segments].map((word) => `${root}/${word}`));
    const known = new Set(routes.map(({ path }) => path));
    const isDeclared = (path: string) =>
      known.has(path) || /^\/v1\/./.test(path) || routes.some((route) => fits(route.path, path));
    const wrong: string[] = [];
    for (let at = 0; at < candidates.length; at += 64) {
      await Promise.all(
        candidates.slice(at, at + 64).map(async (path) => {
          if (path.includes("{")) return;
          const { status } = await world.ask({ path });
          const isFound = status !== 404 && status !== 400;
          if (isFound !== isDeclared(path)) wrong.push(`${path}: ${status}`);
        }),
      );
    }
    expect(wrong).toEqual([]);
  }, 60_000);

  test("T-1.06 no spelling of a protected path opens it", async () => {
    const wrong: string[] = [];
    for (const route of routes.filter(({ plane, method }) => plane === "admin" && method === "GET")) {
      const path = pathOf(route);
      const [, first = "", ...rest] = path.split("/");
      const tail = rest.join("/");
      const variants = [
        `/${path}`,
        path.replace(/\/(?=[^/]*$)/, "//"),
        path.toUpperCase(),
        `${path}/`,
        `${path};a`,
        `/${first}%2f${tail}`,
        `/%${first.charCodeAt(0).toString(16)}${first.slice(1)}/${tail}`,
        `/${first}/./${tail}`,
        `/v1/..${path}`,
        `/v1/%2e%2e${path}`,
        `/${first}\\${tail}`,
        `${path}#`,
        `${path}%00`,
        `/healthz/..${path}`,
        `/healthz;${path}`,
        `http://127.0.0.1${path}`,
        `${path}%2f`,
        `/${first}%ef%bc%8f${tail}`,
      ];
      for (const variant of variants) {
        for (const headers of [[], [["Authorization", `Bearer ${world.gateway.firstKey}`] as const]]) {
          const answer = await world.ask({ path: variant, headers });
          // A key of the data plane may ask the data plane for whatever path it likes: nobody serves it there.
          const isData = variant.startsWith("/v1/") && [401, 503].includes(answer.status);
          if (!UNPROVEN.includes(answer.status) && !isData) wrong.push(`${variant}: ${outcome(answer)}`);
        }
      }
      // The same path, though its query is empty.
      expect((await world.ask({ path: `${path}?` })).status).toBe(401);
    }
    expect(wrong).toEqual([]);
  }, 60_000);

  test.each([
    ["X-Original-URL", "/healthz"],
    ["X-Rewrite-URL", "/healthz"],
    ["X-Forwarded-Uri", "/healthz"],
    ["X-Forwarded-Prefix", "/healthz"],
    ["X-HTTP-Method-Override", "DELETE"],
    ["X-Method-Override", "DELETE"],
  ])("T-1.07 %s changes neither path nor method", async (name, value) => {
    const protectedRoute = await world.ask({ path: "/api/accounts", headers: [[name, value]] });
    expect(protectedRoute.status).toBe(401);
    const list = await world.ask({ path: "/api/users", as: world.owner, headers: [[name, value]] });
    expect(JSON.parse(list.text)).toHaveLength(1);
    const open = await world.ask({ path: "/healthz", headers: [[name, "/api/accounts"]] });
    expect(open.text).toBe("ok\n");
  });

  test("T-1.07 _method in a query or a body is a name that the route does not have", async () => {
    expect(outcome(await world.ask({ path: "/api/users?_method=DELETE", as: world.owner }))).toBe(
      "400 request_invalid",
    );
    const body = { _method: "DELETE", name: "laptop" };
    const answer = await world.ask({ method: "POST", path: "/api/keys", as: world.owner, body });
    expect(outcome(answer)).toBe("400 request_invalid");
  });

  test.each(["kube-probe/1.31", "GoogleHC/1.0", "ELB-HealthChecker/2.0", "Prometheus/3.0"])(
    "T-1.08 a User-Agent of %s opens nothing",
    async (agent) => {
      for (const path of ["/api/accounts", "/metrics", "/v1/models", "/api/doctor"]) {
        expect((await world.ask({ path, headers: [["User-Agent", agent]] })).status).toBe(401);
      }
    },
  );

  test.each(["/debug", "/debug/pprof", "/debug/vars", "/heap", "/api/heap", "/json/list", "/inspect", "/api/debug"])(
    "T-1.14 %s does not exist, and metrics want a client key",
    async (path) => {
      expect((await world.ask({ path })).status).toBe(404);
      expect((await world.ask({ path, as: world.owner })).status).toBe(404);
      expect((await world.ask({ path: "/metrics", as: world.owner })).status).toBe(401);
    },
  );

  test("T-6.13 neither source maps nor what lies beside them is served", async () => {
    const leaks = [
      "/.env",
      "/.git/config",
      "/.git/HEAD",
      "/index.js.map",
      "/package.json",
      "/gateway.db",
      "/src/main.ts",
    ];
    for (const path of leaks) expect((await world.ask({ path })).status).toBe(404);
  });
});

describe("what a request carries", () => {
  const SIGNS = ["'", "%", "_", "\\", "--", "' OR '1'='1", "'; DROP TABLE users; --", '" OR 1=1', "%00", "*", "$ne"];

  test("T-1.13 the signs of SQL are nothing but characters, wherever they stand", async () => {
    const before = await rowCounts();
    for (const sign of SIGNS) {
      const encoded = encodeURIComponent(sign);
      const answers = await Promise.all([
        world.ask({ path: `/api/accounts/${encoded}`, as: world.owner }),
        world.ask({ path: `/api/requests/${encoded}`, as: world.owner }),
        world.ask({ path: `/api/requests?limit=${encoded}`, as: world.owner }),
        world.ask({ path: `/api/stats?since=${encoded}`, as: world.owner }),
        world.ask({ path: "/api/accounts", headers: [["Authorization", `Bearer bccf_ad_${sign}`]] }),
        world.ask({ path: "/api/accounts", headers: [["Cookie", `bccf_sid=${sign}`]] }),
        world.ask({ path: "/v1/models", headers: [["x-api-key", sign]] }),
        world.ask({
          path: "/api/accounts",
          as: world.owner,
          headers: [
            ["User-Agent", sign],
            ["Referer", sign],
          ],
        }),
        world.ask({ method: "POST", path: "/auth/login", body: { name: sign, password: sign } }),
        world.ask({ method: "POST", path: "/api/keys", as: world.owner, body: { name: `a ${sign}` } }),
      ]);
      expect(answers.map(outcome).filter((each) => each.startsWith("5"))).toEqual([]);
    }
    expect(await rowCounts()).toEqual(before);
  }, 60_000);

  async function rowCounts(): Promise<readonly number[]> {
    const lists = ["/api/accounts", "/api/keys", "/api/users"].map(async (path) => {
      return JSON.parse((await world.ask({ path, as: world.owner })).text).length;
    });
    return Promise.all(lists);
  }

  test("T-1.04 a credential in a query is refused, counted in the audit log, and kept nowhere", async () => {
    const token = await world.token(world.owner, "leaked");
    for (const path of ["/api/accounts", "/v1/models", "/metrics", "/auth/session"]) {
      for (const name of ["api_key", "token", "access_token", "x-api-key"]) {
        expect((await world.ask({ path: `${path}?${name}=${token}` })).status).toBe(400);
      }
      expect((await world.ask({ path: `${path}?q=${token}` })).status).toBe(400);
      expect((await world.ask({ path: `${path}#${token}` })).status).toBe(400);
      expect((await world.ask({ path, headers: [["Cookie", `token=${token}`]] })).status).toBe(401);
    }
    expect(world.gateway.output()).not.toContain(token);
  });

  test("T-1.12 a store that cannot be asked who it is lets nobody in", async () => {
    const token = await world.token(world.owner, "while-locked");
    const outage = lockedDatabase();
    outage.begin(world.gateway.dataDir);
    try {
      const answer = await world.ask({ path: "/api/accounts", headers: [["Authorization", `Bearer ${token}`]] });
      expect(outcome(answer)).toBe("503 store_unavailable");
    } finally {
      outage.end(world.gateway.dataDir);
    }
    const after = await world.ask({ path: "/api/accounts", headers: [["Authorization", `Bearer ${token}`]] });
    expect(after.status).toBe(200);
  }, 30_000);

  test("T-1.10 without a client key, a token and another session the plane is shut, not open", async () => {
    for (const { name, state } of JSON.parse((await world.ask({ path: "/api/keys", as: world.owner })).text)) {
      if (state === "active") await world.ask({ method: "DELETE", path: `/api/keys/${name}`, as: world.owner });
    }
    for (const { name } of JSON.parse((await world.ask({ path: "/api/tokens", as: world.owner })).text)) {
      await world.ask({ method: "DELETE", path: `/api/tokens/${name}`, as: world.owner });
    }
    for (const path of ["/api/accounts", "/api/keys", "/v1/models", "/metrics"]) {
      expect((await world.ask({ path })).status).toBe(401);
    }
  });
});

function fits(pattern: string, path: string): boolean {
  const parts = pattern.split("/");
  const segments = path.split("/");
  return (
    parts.length === segments.length &&
    parts.every((part, at) => part === segments[at] || (part.startsWith("{") && segments[at] !== ""))
  );
}
