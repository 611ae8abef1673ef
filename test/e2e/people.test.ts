import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { codeOf } from "../../src/control/people-world.test.ts";
import { type GatewayProcess, startGateway } from "./gateway-process.ts";

const OWNER_PASSWORD = "correct horse battery staple";
const BOB_GIVEN = "seventeen green bottles";
const BOB_PASSWORD = "eighteen amber jam jars";

/** A browser's view of one gateway: cookies by name, and the CSRF token of the last answer. */
function createBrowser(url: () => string) {
  const jar = new Map<string, string>();
  let csrf = "";
  return {
    jar,
    async send(method: string, path: string, body?: object) {
      const headers: Record<string, string> = {
        origin: url(),
        cookie: [...jar].map(([name, value]) => `${name}=${value}`).join("; "),
        "x-csrf-token": csrf,
      };
      if (body !== undefined) headers["content-type"] = "application/json";
      const init = { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) };
      const response = await fetch(`${url()}${path}`, init);
      for (const line of response.headers.getSetCookie()) {
        const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
        if (value === "" || line.includes("Max-Age=0")) jar.delete(name);
        else jar.set(name, value);
      }
      const answer = (await response.json()) as Record<string, unknown>;
      if (typeof answer["csrfToken"] === "string") csrf = answer["csrfToken"];
      return { status: response.status, answer };
    },
  };
}

/** Counted against those who come without a device that has signed in before. */
function failuresOf(dataDir: string): number {
  const database = new Database(join(dataDir, "gateway.db"), { readonly: true });
  const query = database.query<{ most: number }, []>(
    "select max(failures) as most from login_throttles where length(device_hash) = 0",
  );
  const most = query.get()?.most ?? 0;
  database.close();
  return most;
}

test("T-20.10 T-3.15 T-4.17 T-2.11 setup secret, locks and sessions over kill -9; a role that is lost takes keys along", async () => {
  let gateway: GatewayProcess = await startGateway();
  const { dataDir } = gateway;
  const restart = async () => {
    gateway.signal("SIGKILL");
    await gateway.exited;
    gateway = await startGateway({ dataDir });
  };
  const url = () => gateway.url;
  try {
    const secret = /bccf_st_[0-9A-Za-z]{59}/.exec(gateway.output())?.[0] ?? "";
    expect(readFileSync(join(dataDir, "setup-secret"), "utf8").trim()).toBe(secret);
    expect(statSync(join(dataDir, "setup-secret")).mode & 0o777).toBe(0o600);
    await restart();
    expect(/bccf_st_[0-9A-Za-z]{59}/.exec(gateway.output())?.[0]).toBe(secret);

    const owner = createBrowser(url);
    const made = await owner.send("POST", "/auth/setup", { secret, name: "alice", password: OWNER_PASSWORD });
    expect(made.status).toBe(200);
    const again = await createBrowser(url).send("POST", "/auth/setup", {
      secret,
      name: "eve",
      password: OWNER_PASSWORD,
    });
    expect(again.status).toBe(401);
    expect((await owner.send("GET", "/api/users")).answer).toMatchObject({ error: { code: "enrolment_required" } });
    const { answer: seed } = await owner.send("POST", "/auth/totp", {});
    const code = codeOf(String(seed["secret"]), Date.now());
    const confirmed = await owner.send("POST", "/auth/totp/confirm", { code });
    expect(confirmed.answer["recoveryCodes"]).toHaveLength(10);
    const added = await owner.send("POST", "/api/users", { name: "bob", role: "member", password: BOB_GIVEN });
    expect(added.status).toBe(201);

    const bob = createBrowser(url);
    await bob.send("POST", "/auth/login", { name: "bob", password: BOB_GIVEN });
    expect((await bob.send("POST", "/auth/password", { current: BOB_GIVEN, next: BOB_PASSWORD })).status).toBe(200);
    const other = createBrowser(url);
    await other.send("POST", "/auth/login", { name: "bob", password: BOB_PASSWORD });
    const old = new Map(other.jar);
    expect((await other.send("POST", "/auth/logout", {})).status).toBe(200);
    const stranger = createBrowser(url);
    const guess = (password: string) => stranger.send("POST", "/auth/login", { name: "bob", password });
    for (let failure = 0; failure < 5; failure += 1) await guess("a wrong password");
    await restart();

    expect((await bob.send("GET", "/auth/session")).answer).toMatchObject({ user: { name: "bob" } });
    for (const [name, value] of old) other.jar.set(name, value);
    expect((await other.send("GET", "/auth/session")).status).toBe(401);
    // What is left of the first lock, of 1 s, may still refuse. Then comes the sixth failure, not the first, and locks for 2 s.
    for (let tries = 0; tries < 10 && failuresOf(dataDir) < 6; tries += 1) await guess("a wrong password");
    expect(failuresOf(dataDir)).toBe(6);
    const locked = await guess(BOB_PASSWORD);
    expect([locked.status, locked.answer]).toMatchObject([401, { error: { code: "credentials_refused" } }]);
    const known = createBrowser(url);
    known.jar.set("bccf_dev", bob.jar.get("bccf_dev") ?? "");
    expect((await known.send("POST", "/auth/login", { name: "bob", password: BOB_PASSWORD })).status).toBe(200);

    const { answer: created } = await known.send("POST", "/api/keys", { name: "bobs" });
    const models = async () => {
      const response = await fetch(`${url()}/v1/models`, { headers: { "x-api-key": String(created["key"]) } });
      await response.arrayBuffer();
      return response.status;
    };
    expect(await models()).not.toBe(401);
    expect((await owner.send("PUT", "/api/users/bob/role", { role: "auditor" })).status).toBe(200);
    expect(await models()).toBe(401);
    expect((await known.send("GET", "/auth/session")).status).toBe(401);
  } finally {
    await gateway.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }
}, 120_000);
