import { Database } from "bun:sqlite";
import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ask, outcome, PASSWORD } from "./admin-client.ts";
import { pathOf, routesOf } from "./admin-world.ts";
import { type GatewayOptions, type GatewayProcess, startGateway } from "./gateway-process.ts";

const running: GatewayProcess[] = [];

afterEach(async () => {
  for (const gateway of running.splice(0)) await gateway.stop();
});

async function start(options: GatewayOptions = {}): Promise<GatewayProcess> {
  const gateway = await startGateway(options);
  running.push(gateway);
  return gateway;
}

function secretOf(gateway: GatewayProcess): string {
  return /bccf_st_[0-9A-Za-z]+/.exec(gateway.output())?.[0] ?? "";
}

function setUp(gateway: GatewayProcess, secret: string, name = "olivia") {
  return ask(gateway, { method: "POST", path: "/auth/setup", body: { secret, name, password: PASSWORD } });
}

describe("until there is an owner", () => {
  test("T-1.09 everything of the admin plane but setup answers 503, and the data plane is served", async () => {
    const gateway = await start();
    const answers: string[] = [];
    for (const route of await routesOf(gateway)) {
      if (route.plane !== "admin" || route.path === "/auth/setup") continue;
      const told = await ask(gateway, { method: route.method, path: pathOf(route) });
      answers.push(outcome(told));
    }
    expect(new Set(answers)).toEqual(new Set(["503 setup_required"]));
    const models = await ask(gateway, { path: "/v1/models", headers: [["x-api-key", gateway.firstKey]] });
    expect(models.status).toBe(200);
  });

  test("T-1.09 the setup secret makes one owner, and is refused the second time", async () => {
    const gateway = await start();
    const secret = secretOf(gateway);
    expect(outcome(await setUp(gateway, `${secret.slice(0, -1)}x`))).toBe("401 setup_refused");
    expect((await setUp(gateway, secret)).status).toBe(200);
    expect(outcome(await setUp(gateway, secret, "mallory"))).toBe("401 setup_refused");
    const users = await gateway.json<readonly { name: string; role: string }[]>(["user", "list"]);
    expect(users.map(({ name, role }) => `${name} ${role}`)).toEqual(["olivia owner"]);
    expect((await gateway.cli(["setup"])).code).toBe(1);
  });

  test("T-1.09 after 30 minutes the setup secret is refused", async () => {
    const gateway = await start();
    const database = new Database(join(gateway.dataDir, "gateway.db"));
    // What 30 minutes do to it.
    expect(database.run("UPDATE setup_secrets SET expires_at_ms = expires_at_ms - 1800000").changes).toBe(1);
    database.close();
    expect(outcome(await setUp(gateway, secretOf(gateway)))).toBe("401 setup_refused");
    const anew = await gateway.json<{ secret: string }>(["setup"]);
    expect((await setUp(gateway, anew.secret)).status).toBe(200);
  });

  test("the CLI makes the owner by itself, with the password from standard input", async () => {
    const gateway = await start();
    const made = await gateway.cli(["setup", "--name", "olivia", "--password-stdin", "--json"], `${PASSWORD}\n`);
    expect(JSON.parse(made.stdout)).toMatchObject({ user: { name: "olivia", role: "owner" } });
    const body = { name: "olivia", password: PASSWORD };
    expect((await ask(gateway, { method: "POST", path: "/auth/login", body })).status).toBe(200);
  });

  test("the CLI creates, changes and removes people, and their tokens", async () => {
    const gateway = await start();
    await gateway.cli(["setup", "--name", "olivia", "--password-stdin"], PASSWORD);
    const given = "a password for the first day";
    expect((await gateway.cli(["user", "create", "mona", "--role", "operator", "--password-stdin"], given)).code).toBe(
      0,
    );
    expect((await gateway.cli(["user", "role", "mona", "member"])).stdout).toBe("mona is member now\n");
    expect((await gateway.cli(["user", "password", "mona", "--password-stdin"], given)).code).toBe(0);
    for (const verb of ["disable", "enable", "reset-mfa"])
      expect((await gateway.cli(["user", verb, "mona"])).code).toBe(0);
    const refused = await gateway.cli(["token", "create", "ci", "--user", "mona"]);
    expect(refused.stderr).toMatch(/password.*change it first/);
    expect(await gateway.json<unknown>(["token", "list", "--user", "mona"])).toEqual([]);
    expect((await gateway.cli(["token", "list", "--user", "nobody"])).code).toBe(1);
    expect((await gateway.cli(["user", "remove", "mona"])).code).toBe(0);
    expect((await gateway.cli(["user", "remove", "olivia"])).code).toBe(1);
  }, 20_000);
});

describe("who fails too often", () => {
  const wrong = (gateway: GatewayProcess, from: string, headers: readonly (readonly [string, string])[] = []) =>
    ask(gateway, { path: "/api/accounts", from, headers: [["Authorization", "Bearer bccf_ad_nobody"], ...headers] });

  test("T-3.12 has 20 a minute from one address, another address is not touched", async () => {
    const gateway = await start();
    await setUp(gateway, secretOf(gateway));
    const statuses: number[] = [];
    for (let round = 0; round < 25; round += 1) statuses.push((await wrong(gateway, "127.9.9.9")).status);
    expect(statuses.slice(0, 20)).toEqual(Array<number>(20).fill(401));
    expect(statuses.at(-1)).toBe(429);
    const shut = await wrong(gateway, "127.9.9.9");
    expect(Number(shut.header("retry-after"))).toBeGreaterThan(0);
    expect((await wrong(gateway, "127.9.9.8")).status).toBe(401);
  });

  test("T-3.13 moves no counter by an X-Forwarded-For that no trusted proxy wrote", async () => {
    const gateway = await start();
    await setUp(gateway, secretOf(gateway));
    let last = 0;
    for (let round = 0; round < 25; round += 1) {
      const headers = [["X-Forwarded-For", `198.51.100.${round}`]] as const;
      last = (await wrong(gateway, "127.9.9.9", headers)).status;
    }
    expect(last).toBe(429);
  });

  test("T-3.12 counts a /64 of IPv6 addresses as one, behind a trusted proxy", async () => {
    const gateway = await start({ env: { BETTER_CCFLARE_TRUSTED_PROXIES: "127.0.0.0/8" } });
    await setUp(gateway, secretOf(gateway));
    const ask64 = async (address: string) => (await wrong(gateway, "127.9.9.9", [["X-Forwarded-For", address]])).status;
    for (let round = 1; round <= 20; round += 1) expect(await ask64(`2001:db8:1:2::${round.toString(16)}`)).toBe(401);
    expect(await ask64("2001:db8:1:2:ffff::1")).toBe(429);
    expect(await ask64("2001:db8:1:3::1")).toBe(401);
  });

  test("T-3.12 a password is not even looked at beyond that", async () => {
    const gateway = await start();
    await setUp(gateway, secretOf(gateway));
    for (let round = 0; round < 21; round += 1) await wrong(gateway, "127.9.9.9");
    const body = { name: "olivia", password: PASSWORD };
    const login = await ask(gateway, { method: "POST", path: "/auth/login", from: "127.9.9.9", body });
    expect(outcome(login)).toBe("429 rate_limited");
    expect((await ask(gateway, { method: "POST", path: "/auth/login", from: "127.9.9.8", body })).status).toBe(200);
  });
});

test("T-1.04 what the door refused is in the audit log, added up, without the credential", async () => {
  const dataDir = mkdtempSync(join(tmpdir(), "bccf-gate-"));
  try {
    const first = await start({ dataDir });
    await setUp(first, secretOf(first));
    const from = "127.7.7.7";
    for (let round = 0; round < 3; round += 1) {
      await ask(first, { path: `/v1/models?api_key=${first.firstKey}`, from });
      await ask(first, { path: "/api/accounts", from });
    }
    await first.stop();
    running.splice(0);
    const second = await start({ dataDir });
    const entries = await second.json<
      readonly { code: string; reason?: string; actor: { ip: string }; after: { count: number } }[]
    >(["audit", "list", "--limit", "100"]);
    const refused = entries.filter(({ code, actor }) => code.startsWith("DOR") && actor.ip === from);
    const facts = refused.map(({ code, reason, after }) => `${code} ${reason} ${after.count}`);
    expect(facts.sort()).toEqual(["DOR001E not_signed_in 3", "DOR002E credential_in_query 3"]);
    expect(JSON.stringify(entries)).not.toContain(first.firstKey);
  } finally {
    for (const gateway of running.splice(0)) await gateway.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }
}, 20_000);

test("a session and a token have 120 requests a minute each", async () => {
  const gateway = await start();
  const set = await setUp(gateway, secretOf(gateway));
  const cookie = set.header("set-cookie")?.split(";")[0] ?? "";
  const answers = await Promise.all(
    Array.from({ length: 130 }, () => ask(gateway, { path: "/auth/session", headers: [["Cookie", cookie]] })),
  );
  const served = answers.filter(({ status }) => status === 200).length;
  expect(served).toBeGreaterThanOrEqual(120);
  expect(served).toBeLessThan(126);
  expect(answers.filter(({ status }) => status === 429)).toHaveLength(130 - served);
});

test("the network may reach the admin plane only when an owner has a second factor", async () => {
  const gateway = await start();
  const dataDir = gateway.dataDir;
  running.splice(0);
  gateway.signal("SIGTERM");
  await gateway.exited;
  const network = { BETTER_CCFLARE_HOST: "0.0.0.0", BETTER_CCFLARE_ADMIN_ON_NETWORK: "1" };
  await Bun.write(join(dataDir, "config.toml"), "[server]\ntlsTerminatedByProxy = true\n");
  await expect(start({ dataDir, env: network })).rejects.toThrow(/needs an owner with a second factor/);
});
