import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { statSync } from "node:fs";
import { join } from "node:path";
import { type Ask, outcome, PASSWORD, type Person, personOf, portOf } from "./admin-client.ts";
import { type AdminWorld, must, pathOf, type RouteLine, routesOf, startAdminWorld } from "./admin-world.ts";

const LISTED = "https://app.example";

let world: AdminWorld;
let changes: readonly RouteLine[];
let routes: readonly RouteLine[];
/** Signed in anew: the session before is dead, and so is its token. */
let mona: Person;
let before: Person;
/** Each session has 120 requests a minute, so that one alone would not do. */
let owners: readonly Person[];
let turn = 0;

function anOwner(): Person {
  turn += 1;
  return owners[turn % owners.length] ?? world.owner;
}

beforeAll(async () => {
  world = await startAdminWorld({ env: { ALLOWED_ORIGINS: LISTED } });
  routes = await routesOf(world.gateway);
  changes = routes.filter(({ plane, method }) => plane === "admin" && method !== "GET");
  before = await world.join("mona", "member");
  const proof = { method: "POST", path: "/auth/step-up", as: before, body: { password: PASSWORD } };
  mona = personOf(must(await world.ask(proof)), { password: PASSWORD, seed: null });
  owners = [world.owner, await world.join("otto", "owner"), await world.join("oona", "owner")];
}, 60_000);
afterAll(() => world.stop());

/** What each of the changes answered. */
async function each(
  list: readonly RouteLine[],
  asked: (route: RouteLine) => Partial<Ask>,
): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  for (const route of list)
    found.add(outcome(await world.ask({ method: route.method, path: pathOf(route), ...asked(route) })));
  return found;
}

const withToken = () => changes.filter(({ csrf }) => csrf === "token");

describe("a change without the token of its session", () => {
  test.each([
    ["T-5.01 none", () => ""],
    ["T-5.02 of another session", () => world.owner.csrf],
    ["T-5.03 of the session before", () => before.csrf],
    ["T-5.04 truncated", () => mona.csrf.slice(0, -1)],
    ["T-5.04 half of it", () => mona.csrf.split(".")[0] ?? ""],
    ["T-5.04 with one more", () => `${mona.csrf}A`],
  ])("%s is refused on every route", async (_name, token) => {
    const headers = [["X-CSRF-Token", token()]] as const;
    expect(await each(withToken(), () => ({ as: mona, headers }))).toEqual(new Set(["403 csrf_refused"]));
  });

  test("T-5.01 without the field at all is refused, and an admin token needs none", async () => {
    const headers = [["Cookie", mona.cookie]] as const;
    expect(await each(withToken(), () => ({ headers }))).toEqual(new Set(["403 csrf_refused"]));
    const token = await world.token(mona, "no-csrf");
    const bearer = [["Authorization", `Bearer ${token}`]] as const;
    const answers = await each(withToken(), () => ({ headers: bearer, page: "none" }));
    expect([...answers].filter((answer) => /csrf|page/.test(answer))).toEqual([]);
  });
});

/** Cookies that let a request come as far as its body, wherever it goes. */
function asOwner(route: RouteLine): Pick<Ask, "as" | "headers"> {
  const isSignedIn = route.csrf === "token";
  return isSignedIn ? { as: anOwner() } : { headers: [["Cookie", "bccf_pre=someone"]] };
}

describe("a change of another kind than a page of ours makes", () => {
  test.each([
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/json;charset=utf-7",
    "application/json; charset=utf-8; x=1",
    "application/jsonp",
    "text/json",
  ])("T-5.05 of the type %s is refused on every route", async (type) => {
    const asked = (route: RouteLine) => {
      const { headers = [], ...rest } = asOwner(route);
      return { ...rest, headers: [...headers, ["Content-Type", type] as const], body: "{}" };
    };
    expect(
      await each(
        changes.filter((route) => route.path !== "/auth/logout"),
        asked,
      ),
    ).toEqual(new Set(["415 not_json"]));
  });

  test("T-5.05 of no type at all is refused on every route", async () => {
    expect(await each(changes, (route) => ({ ...asOwner(route), body: "{}" }))).toEqual(new Set(["415 not_json"]));
  });

  test.each(["cross-site", "same-site", "none", "same-origin, cross-site", "SAME-ORIGIN", ""])(
    "T-5.06 with Sec-Fetch-Site: %p is refused on every route",
    async (site) => {
      const asked = (route: RouteLine) => ({
        ...asOwner(route),
        headers: [
          ["Sec-Fetch-Site", site],
          ["Cookie", world.owner.cookie],
        ] as const,
      });
      expect(await each(changes, asked)).toEqual(new Set(["403 page_refused"]));
    },
  );

  test("T-5.07 from another origin, where the browser says no more, is refused on every route", async () => {
    const port = portOf(world.gateway);
    const origins = [
      "http://evil.example",
      "null",
      "http://localhost.evil",
      `http://127.0.0.1:${port + 1}`,
      `https://127.0.0.1:${port}`,
      `http://localhost:${port}`,
      `http://127.0.0.1:${port}/`,
      "http://127.0.0.1",
      LISTED,
    ];
    for (const origin of origins) {
      const asked = () => ({ as: anOwner(), headers: [["Origin", origin]] as const });
      expect(await each(changes, asked)).toEqual(new Set(["403 page_refused"]));
    }
  }, 30_000);

  test("T-5.07 a contradiction of Origin and Sec-Fetch-Site is foreign", async () => {
    const headers = [
      ["Sec-Fetch-Site", "same-origin"],
      ["Origin", "http://evil.example"],
    ] as const;
    expect(await each(changes, () => ({ as: anOwner(), headers }))).toEqual(new Set(["403 page_refused"]));
  });

  test("T-5.08 with neither is refused on every route", async () => {
    expect(await each(changes, (route) => ({ ...asOwner(route), page: "none" }))).toEqual(
      new Set(["403 page_refused"]),
    );
    expect(outcome(await world.ask({ path: "/api/accounts", as: anOwner(), page: "none" }))).toBe("403 page_refused");
  });

  test("a page of ours is let in by its Origin alone, and a person who types the address", async () => {
    const own = [["Origin", world.gateway.url]] as const;
    expect((await world.ask({ path: "/api/accounts", as: anOwner(), headers: own })).status).toBe(200);
    const typed = [
      ["Sec-Fetch-Site", "none"],
      ["Sec-Fetch-Mode", "navigate"],
      ["Sec-Fetch-Dest", "document"],
    ] as const;
    expect((await world.ask({ path: "/api/accounts", as: anOwner(), headers: typed })).status).toBe(200);
    const framed = [
      ["Sec-Fetch-Site", "cross-site"],
      ["Sec-Fetch-Mode", "navigate"],
      ["Sec-Fetch-Dest", "iframe"],
    ] as const;
    expect((await world.ask({ path: "/api/accounts", as: anOwner(), headers: framed })).status).toBe(403);
  });

  test("T-5.09 no GET changes anything: where a path has none, it is 405", async () => {
    for (const route of changes) {
      const hasGet = routes.some(({ method, path }) => method === "GET" && path === route.path);
      for (const method of ["GET", "HEAD"]) {
        const { status } = await world.ask({ method, path: pathOf(route), as: anOwner() });
        if (!hasGet) expect(`${method} ${route.path} ${status}`).toBe(`${method} ${route.path} 405`);
      }
    }
    expect(JSON.parse((await world.ask({ path: "/api/users", as: anOwner() })).text)).toHaveLength(4);
  });

  test("T-5.10 no header makes another method of a method", async () => {
    for (const name of ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"]) {
      const headers = [[name, "DELETE"]] as const;
      expect((await world.ask({ path: "/api/users", as: anOwner(), headers })).status).toBe(200);
      expect((await world.ask({ path: "/api/users/mona", as: anOwner(), headers })).status).toBe(405);
    }
    expect(JSON.parse((await world.ask({ path: "/api/users", as: anOwner() })).text)).toHaveLength(4);
  });

  test("T-5.20 a body that two parsers read differently is refused on every route that takes one", async () => {
    const bodies = [
      '{"__proto__":{"role":"owner"}}',
      '{"name":"a","name":"b"}',
      '{"constructor":{"prototype":{}}}',
      "[".repeat(40) + "]".repeat(40),
      "\u{feff}{}",
    ];
    const takers = changes.filter(({ method, path }) => method !== "DELETE" && path !== "/auth/logout");
    for (const body of bodies) {
      const asked = (route: RouteLine) => {
        const { headers = [], ...rest } = asOwner(route);
        return { ...rest, headers: [...headers, ["Content-Type", "application/json"] as const], body };
      };
      expect(await each(takers, asked)).toEqual(new Set(["400 request_invalid"]));
    }
  }, 30_000);
});

describe("sign-in and sign-out", () => {
  const evil = [
    ["Origin", "http://evil.example"],
    ["Sec-Fetch-Site", "cross-site"],
  ] as const;

  test("T-5.17 another page signs nobody in", async () => {
    const body = { name: "mona", password: PASSWORD };
    const answer = await world.ask({ method: "POST", path: "/auth/login", headers: evil, body });
    expect(outcome(answer)).toBe("403 page_refused");
    expect(answer.header("set-cookie")).toBeNull();
  });

  test("T-5.18 another page signs nobody out", async () => {
    const answer = await world.ask({ method: "POST", path: "/auth/logout", as: mona, headers: evil });
    expect(outcome(answer)).toBe("403 page_refused");
    expect((await world.ask({ path: "/auth/session", as: mona })).status).toBe(200);
  });

  test("T-5.19 the Unix socket is its owner's alone, and its power does not come over TCP", async () => {
    const { mode } = statSync(join(world.gateway.dataDir, "control.sock"));
    expect(mode & 0o777).toBe(0o600);
    for (const host of ["localhost", "admin", "unix"]) {
      const headers = [["Host", `${host}:${portOf(world.gateway)}`]] as const;
      expect([401, 421]).toContain((await world.ask({ path: "/api/accounts", headers })).status);
    }
  });
});

describe("pages of other origins", () => {
  const ORIGINS = `null https://app.example.evil https://evilapp.example https://x.app.example https://app.example:8443
    https://APP.example https://app.example. https://аpp.example chrome-extension://abcdefghijklmnop http://app.example
    https://app.example/ https://app.example%20 https://app.example@evil.example https://user@app.example file:// data: about:blank
    https://app.example,https://evil.example https://app_example https://appXexample https://example moz-extension://x
    http://localhost http://127.0.0.1 http://[::1] https://app.example:443 *`
    .split(/\s+/)
    .filter((origin) => !/[^\x20-\x7e]/.test(origin));

  test("T-5.11 are told nothing on any route, unless their origin is listed letter by letter", async () => {
    const paths = routes.map((route) => pathOf(route)).filter((path, at, all) => all.indexOf(path) === at);
    for (const origin of ORIGINS) {
      const answers = await Promise.all(paths.map((path) => world.ask({ path, headers: [["Origin", origin]] })));
      const allowed = answers.filter(({ headers }) => headers.some(([name]) => /^access-control-/i.test(name)));
      expect(`${origin}: ${allowed.length}`).toBe(`${origin}: 0`);
      expect(answers.every(({ status }) => status === 403 || status === 405)).toBe(true);
    }
    for (const { path } of routes.filter(({ plane }) => plane === "admin")) {
      const listed = await world.ask({ path: pathOf({ path }), headers: [["Origin", LISTED]] });
      expect(listed.header("access-control-allow-origin")).toBeNull();
    }
  }, 60_000);

  test("T-5.12 a listed one is named with Vary, and never with credentials", async () => {
    const headers = [
      ["Origin", LISTED],
      ["x-api-key", world.gateway.firstKey],
    ] as const;
    const answer = await world.ask({ path: "/v1/models", headers });
    expect(answer.status).toBe(200);
    expect(answer.header("access-control-allow-origin")).toBe(LISTED);
    expect(answer.header("vary")).toBe("Origin");
    expect(answer.header("access-control-allow-credentials")).toBeNull();
  });

  test("T-5.13 a pre-flight that asks for any header is told a list, or refused", async () => {
    const asking = [
      ["Origin", LISTED],
      ["Access-Control-Request-Method", "*"],
      ["Access-Control-Request-Headers", "*"],
    ] as const;
    const data = await world.ask({ method: "OPTIONS", path: "/v1/messages", headers: asking });
    expect(data.header("access-control-allow-headers")).not.toContain("*");
    expect(data.header("access-control-max-age")).toBe("600");
    const admin = await world.ask({ method: "OPTIONS", path: "/api/accounts", headers: asking });
    expect(outcome(admin)).toBe("403 preflight_refused");
    expect(admin.headers.filter(([name]) => /^access-control-/i.test(name))).toEqual([]);
  });
});
