import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Simulator, startSimulator } from "../../sim/simulator.ts";
import { type Ask, codeOf, outcome, PASSWORD, type Person, personOf } from "./admin-client.ts";
import { type AdminWorld, must, startAdminWorld } from "./admin-world.ts";

let world: AdminWorld;
let simulator: Simulator;
let admin: Person;

beforeAll(async () => {
  simulator = await startSimulator();
  world = await startAdminWorld();
  admin = await world.join("ada", "admin");
}, 60_000);

afterAll(async () => {
  await world.stop();
  await simulator.stop();
});

function login(name: string, more: Partial<Ask> = {}) {
  return world.ask({ method: "POST", path: "/auth/login", body: { name, password: PASSWORD }, ...more });
}

describe("a session", () => {
  test("T-4.01 is given by a cookie of exactly these attributes", async () => {
    await world.join("cora", "member");
    const cookies = must(await login("cora")).headers.filter(([name]) => name.toLowerCase() === "set-cookie");
    const [session, device] = cookies.map(([, value]) => value);
    expect(session).toMatch(/^bccf_sid=[A-Za-z0-9_-]{43}; Path=\/; HttpOnly; SameSite=Strict$/);
    expect(device).toMatch(/^bccf_dev=[A-Za-z0-9_-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=15552000$/);
  });

  test("T-4.08 ends at its logout for good, and the browser is told to forget it", async () => {
    const mara = await world.join("mara", "member");
    const out = await world.ask({ method: "POST", path: "/auth/logout", as: mara });
    expect(out.status).toBe(200);
    expect(out.header("clear-site-data")).toBe('"cache", "cookies", "storage"');
    expect(out.header("cache-control")).toBe("no-store");
    expect(out.header("set-cookie")).toBe("bccf_sid=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    expect(outcome(await world.ask({ path: "/auth/session", as: mara }))).toBe("401 not_signed_in");
    expect(outcome(await world.ask({ method: "POST", path: "/auth/logout", as: mara }))).toBe("401 not_signed_in");
  });

  test("is in the audit log by the name of its user, for a person who reads it", async () => {
    await world.join("nora", "member");
    const { stdout } = await world.gateway.cli(["audit", "list", "--limit", "5"]);
    expect(stdout).toMatch(/ USR005I {2}user nora +user nora /);
  });

  test("T-4.14 is nothing to the data plane", async () => {
    for (const path of ["/v1/models", "/metrics"]) {
      expect((await world.ask({ path, as: world.owner })).status).toBe(401);
      const headers = [["Cookie", `${world.owner.cookie}; x-api-key=${world.gateway.firstKey}`]] as const;
      expect((await world.ask({ path, headers })).status).toBe(401);
    }
  });

  test("T-4.15 that stands twice is nobody's", async () => {
    const twice = [["Cookie", `${world.owner.cookie}; ${world.owner.cookie}`]] as const;
    expect(outcome(await world.ask({ path: "/auth/session", headers: twice }))).toBe("400 two_credentials");
    const lines = [
      ["Cookie", world.owner.cookie],
      ["Cookie", admin.cookie],
    ] as const;
    expect(outcome(await world.ask({ path: "/auth/session", headers: lines }))).toBe("400 two_credentials");
  });

  test("T-4.16 of eight KiB is not read", async () => {
    for (const name of ["bccf_sid", "other"]) {
      const headers = [["Cookie", `${name}=${"a".repeat(8_192)}`]] as const;
      expect(outcome(await world.ask({ path: "/auth/session", headers }))).toBe("431 cookies_too_long");
    }
  });

  test("beside a token is one credential too many", async () => {
    const token = await world.token(admin, "beside");
    const headers = [["Authorization", `Bearer ${token}`]] as const;
    expect(outcome(await world.ask({ path: "/auth/session", as: admin, headers }))).toBe("400 two_credentials");
  });

  test("with a second factor is two steps, of which the first opens nothing", async () => {
    const first = must(await login("ada"));
    expect(JSON.parse(first.text)).toEqual({ next: "totp" });
    const pre = first.header("set-cookie")?.split(";")[0] ?? "";
    expect(first.header("set-cookie")).toMatch(
      /^bccf_pre=[A-Za-z0-9_-]+; Path=\/; HttpOnly; SameSite=Strict; Max-Age=300$/,
    );
    const headers = [["Cookie", pre]] as const;
    expect((await world.ask({ path: "/api/accounts", headers })).status).toBe(401);
    expect(
      (await world.ask({ path: "/api/accounts", headers: [["Cookie", pre.replace("_pre", "_sid")]] })).status,
    ).toBe(401);
    const code = (text: string) => world.ask({ method: "POST", path: "/auth/mfa/totp", headers, body: { code: text } });
    expect((await code("000000")).status).toBe(401);
    const second = must(await code(codeOf(admin.seed ?? "", 1)));
    expect(
      (await world.ask({ path: "/api/accounts", as: personOf(second, { password: PASSWORD, seed: admin.seed }) }))
        .status,
    ).toBe(200);
  });
});

describe("what one began or was allowed", () => {
  test("T-12.04 a login that one person began is finished by nobody else", async () => {
    const wire = {
      name: "by-login",
      provider: "anthropic",
      clientId: "client",
      authorizeUrl: `${simulator.url}/authorize`,
      tokenUrl: `${simulator.url}/nowhere`,
      scopes: [],
      acceptTerms: true,
    };
    const begun = must(await world.ask({ method: "POST", path: "/api/logins", as: world.owner, body: wire }));
    const { session, authorizeUrl } = JSON.parse(begun.text);
    const body = { session, code: "the-code-of-it", state: new URL(authorizeUrl).searchParams.get("state") };
    const finish = (as: Person) => world.ask({ method: "POST", path: "/api/logins/finish", as, body });
    expect(outcome(await finish(admin))).toBe("404 login_not_open");
    expect(outcome(await finish(world.owner))).toBe("409 login_refused");
    expect(outcome(await finish(world.owner))).toBe("404 login_not_open");
  });

  test("T-7.07 what a role no longer allows stops with the answer that took it away", async () => {
    const auditor = await world.join("the-auditor", "auditor");
    const token = await world.token(auditor, "mine");
    const batch = Array.from({ length: 20 }, () => world.ask({ path: "/api/users", as: auditor }));
    const changed = world.ask({
      method: "PUT",
      path: "/api/users/the-auditor/role",
      as: world.owner,
      body: { role: "member" },
    });
    expect((await changed).status).toBe(200);
    const late = await Promise.all(Array.from({ length: 10 }, () => world.ask({ path: "/api/users", as: auditor })));
    expect(new Set(late.map(({ status }) => status))).toEqual(new Set([401]));
    for (const { status } of await Promise.all(batch)) expect([200, 401]).toContain(status);
    expect(
      outcome(await world.ask({ path: "/api/users", page: "none", headers: [["Authorization", `Bearer ${token}`]] })),
    ).toBe("403 forbidden");
  });

  test("T-12.04 another one of the same person does not finish the login that this one began", async () => {
    const wire = {
      name: "by-session",
      provider: "anthropic",
      clientId: "client",
      authorizeUrl: `${simulator.url}/authorize`,
      tokenUrl: `${simulator.url}/nowhere`,
      scopes: [],
      acceptTerms: true,
    };
    const begun = must(await world.ask({ method: "POST", path: "/api/logins", as: world.owner, body: wire }));
    const { session, authorizeUrl } = JSON.parse(begun.text);
    const body = { session, code: "the-code-of-it", state: new URL(authorizeUrl).searchParams.get("state") };
    const proof = { password: PASSWORD, code: codeOf(world.owner.seed ?? "", 1) };
    const next = must(await world.ask({ method: "POST", path: "/auth/step-up", as: world.owner, body: proof }));
    const { seed, password } = world.owner;
    const finish = { method: "POST", path: "/api/logins/finish", as: personOf(next, { seed, password }), body };
    expect(outcome(await world.ask(finish))).toBe("404 login_not_open");
  });
});
