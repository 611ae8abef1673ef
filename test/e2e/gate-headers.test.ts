import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Simulator, startSimulator } from "../../sim/simulator.ts";
import { outcome, portOf, type Told } from "./admin-client.ts";
import { type AdminWorld, pathOf, type RouteLine, routesOf, startAdminWorld } from "./admin-world.ts";
import { connectRaw } from "./raw-http.ts";

const CREDENTIAL = "sk-gate-headers";

/** Byte for byte; what else an answer has depends on the answer. */
const EVERYWHERE: Readonly<Record<string, string>> = {
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy":
    "accelerometer=(), autoplay=(), camera=(), display-capture=(), encrypted-media=(), fullscreen=(), geolocation=(), " +
    "gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), picture-in-picture=(), " +
    "publickey-credentials-get=(), screen-wake-lock=(), usb=(), web-share=(), xr-spatial-tracking=()",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

let world: AdminWorld;
let simulator: Simulator;
let routes: readonly RouteLine[];

beforeAll(async () => {
  simulator = await startSimulator();
  simulator.account(CREDENTIAL, { kind: "api_key" });
  world = await startAdminWorld({ env: { ALLOWED_ORIGINS: "https://app.example" } });
  await world.gateway.addAccount("one", { baseUrl: simulator.url, credential: CREDENTIAL });
  routes = await routesOf(world.gateway);
}, 60_000);

afterAll(async () => {
  await world.stop();
  await simulator.stop();
});

/** What is not as it must be, by name. */
function faultsOf(told: Told): readonly string[] {
  const missing = Object.entries(EVERYWHERE).filter(([name, value]) => valuesOf(told, name).join("|") !== value);
  const extra = told.headers.filter(([name]) => /^(server|x-powered-by|x-xss-protection|via|x-aspnet)/i.test(name));
  return [...missing.map(([name]) => name), ...extra.map(([name]) => name)];
}

function valuesOf({ headers }: Told, name: string): readonly string[] {
  return headers.filter(([each]) => each.toLowerCase() === name).map(([, value]) => value);
}

const key = () => [["x-api-key", world.gateway.firstKey]] as const;
const big = (bytes: number) => ({ name: "a".repeat(bytes) });

describe("what the process answers by itself", () => {
  const CASES: readonly (readonly [name: string, status: number, ask: () => Promise<Told>])[] = [
    ["a page of its own", 200, () => world.ask({ path: "/" })],
    ["health", 200, () => world.ask({ path: "/healthz" })],
    ["metrics", 200, () => world.ask({ path: "/metrics", headers: key() })],
    ["JSON of the admin API", 200, () => world.ask({ path: "/api/accounts", as: world.owner })],
    ["models", 200, () => world.ask({ path: "/v1/models", headers: key() })],
    [
      "a pre-flight",
      204,
      () => world.ask({ method: "OPTIONS", path: "/v1/messages", headers: [["Origin", "https://app.example"]] }),
    ],
    ["400 of the reader", 400, () => world.ask({ method: "TRACE", path: "/" })],
    ["400 of the admin API", 400, () => world.ask({ path: "/api/requests?limit=x", as: world.owner })],
    ["401 of the admin API", 401, () => world.ask({ path: "/api/accounts" })],
    ["401 of the data plane", 401, () => world.ask({ path: "/v1/models" })],
    [
      "403 of the admin API",
      403,
      () => world.ask({ path: "/api/accounts", headers: [["Origin", "https://evil.example"]] }),
    ],
    [
      "403 of the data plane",
      403,
      () => world.ask({ path: "/v1/models", headers: [["Origin", "https://evil.example"]] }),
    ],
    ["404", 404, () => world.ask({ path: "/nothing" })],
    ["404 of the admin API", 404, () => world.ask({ path: "/api/nothing" })],
    ["405", 405, () => world.ask({ method: "PUT", path: "/healthz" })],
    ["405 of the admin API", 405, () => world.ask({ method: "PUT", path: "/api/accounts" })],
    ["409", 409, () => world.ask({ method: "POST", path: "/api/setup", as: world.owner })],
    ["413", 413, () => world.ask({ method: "POST", path: "/auth/login", body: big(9_000) })],
    ["414", 414, () => world.ask({ path: `/${"a".repeat(9_000)}` })],
    [
      "415",
      415,
      () => world.ask({ method: "POST", path: "/auth/login", body: "{}", headers: [["Content-Type", "text/plain"]] }),
    ],
    ["421", 421, () => world.ask({ path: "/api/accounts", headers: [["Host", "evil.example"]] })],
    ["431", 431, () => world.ask({ path: "/", headers: [["X-Long", "a".repeat(17_000)]] })],
  ];

  test.each(CASES)("T-6.01 %s (%i) has the headers of every answer, byte for byte", async (_name, status, asked) => {
    const told = await asked();
    expect(told.status).toBe(status);
    expect(faultsOf(told)).toEqual([]);
    if (status !== 204 && status !== 405) expect(told.header("content-type")).toMatch(/; charset=utf-8$/);
  });

  test("T-6.02 its policy allows nothing, and no source of another kind", async () => {
    const policy = (await world.ask({ path: "/api/accounts" })).header("content-security-policy") ?? "";
    expect(policy).not.toMatch(/unsafe-|\*|https?:|data:|blob:/);
    expect(policy).toMatch(/default-src 'none'/);
    expect(policy).toMatch(/frame-ancestors 'none'/);
  });

  test("T-6.03 T-6.04 T-6.05 no answer says what serves it, filters scripts by itself, or speaks of TLS without TLS", async () => {
    for (const { path } of routes) {
      const told = await world.ask({ path: pathOf({ path }) });
      expect(faultsOf(told).filter((name) => !(name in EVERYWHERE))).toEqual([]);
      expect(told.header("strict-transport-security")).toBeNull();
      expect(`${told.text}${JSON.stringify(told.headers)}`).not.toMatch(/bun\/|hono|node\.js|0\.1\.0/i);
    }
  });

  test("T-6.10 JSON stays JSON for whoever wants HTML", async () => {
    for (const { path, plane } of routes.filter(({ method }) => method === "GET")) {
      const told = await world.ask({ path: pathOf({ path }), as: world.owner, headers: [["Accept", "text/html"]] });
      expect(told.header("content-type")).toMatch(
        plane === "own" ? /^(text\/plain|application\/json)/ : /^application\/json/,
      );
      expect(told.header("content-security-policy")).toMatch(/sandbox/);
    }
  });

  test("T-6.14 nothing of the admin plane is stored by anybody", async () => {
    for (const { path } of routes.filter(({ plane }) => plane === "admin")) {
      expect((await world.ask({ path: pathOf({ path }) })).header("cache-control")).toBe("no-store");
    }
    const key = await world.ask({ method: "POST", path: "/api/keys", as: world.owner, body: { name: "once" } });
    expect(key.status).toBe(201);
    expect(key.header("cache-control")).toBe("no-store");
  });
});

describe("what upstream answers", () => {
  const BODY = '{"model":"claude-sonnet-5-5","max_tokens":1,"messages":[]}';
  const HOSTILE = [
    ["set-cookie", "bccf_sid=stolen; Path=/"],
    ["clear-site-data", '"*"'],
    ["access-control-allow-origin", "*"],
    ["access-control-allow-credentials", "true"],
    ["refresh", "0; url=https://evil.example"],
    ["link", "<https://evil.example>; rel=preload"],
    ["content-security-policy", "default-src *"],
    ["strict-transport-security", "max-age=1"],
    ["alt-svc", 'h3="evil.example:443"'],
    ["report-to", '{"group":"x"}'],
    ["nel", '{"report_to":"x"}'],
    ["server", "evil"],
  ] as const;

  test("T-6.11 sets nothing in a browser, and is passed on as it is beside that", async () => {
    const headers = [...HOSTILE, ["x-kept", "as it is"], ["content-type", "application/json"]] as const;
    simulator.account(CREDENTIAL, { kind: "api_key" }).enqueue({ kind: "status", status: 200, headers, body: "{}" });
    const client = await connectRaw(portOf(world.gateway));
    const head = [
      "POST /v1/messages HTTP/1.1",
      "Host: gateway",
      `x-api-key: ${world.gateway.firstKey}`,
      "Content-Type: application/json",
      `Content-Length: ${BODY.length}`,
    ];
    await client.write(`${head.join("\r\n")}\r\n\r\n${BODY}`);
    const answer = await client.answer();
    client.close();
    const names = answer.headers.map(([name]) => name.toLowerCase());
    expect(names).toContain("x-kept");
    for (const [name] of HOSTILE) expect(names).not.toContain(name);
  });
});

describe("paths that climb", () => {
  const SEPARATORS = ["/", "\\", "%2f", "%5c", "%252f", "%c0%af", "%e0%80%af", "//", "/./", "%2f%2e"];
  const CLIMBS = ["..", "%2e%2e", "%252e%252e", ".%2e", "..;", "..%00"];

  test("T-6.12 reach no file, however they are written", async () => {
    for (const separator of SEPARATORS) {
      for (const climb of CLIMBS) {
        for (const root of ["", "/api", "/auth"]) {
          const told = await world.ask({ path: `${root}/${`${climb}${separator}`.repeat(4)}etc/passwd` });
          expect(`${root} ${climb} ${separator} ${outcome(told)}`).toMatch(/ (400|404)( [a-z_]+)?$/);
          expect(told.text).not.toContain("root:");
        }
      }
    }
  });
});
