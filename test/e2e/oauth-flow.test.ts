import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Simulator, startSimulator } from "../../sim/simulator.ts";
import { type SimulatedTokenEndpoint, startTokenEndpoint } from "../../sim/token-endpoint.ts";
import { type GatewayProcess, startGateway } from "./gateway-process.ts";

// An operator's own OAuth client, from the login to a token that is over. Later tests build on earlier ones.

setDefaultTimeout(30_000);

type Account = { readonly id: string; readonly name: string; readonly state: string; readonly credentialKind: string };
type Begun = { readonly session: string; readonly authorizeUrl: string };

let simulator: Simulator;
let endpoint: SimulatedTokenEndpoint;
let gateway: GatewayProcess;
const issued: string[] = [];

beforeAll(async () => {
  simulator = await startSimulator();
  endpoint = await startTokenEndpoint({
    clientId: "operator-client",
    onIssued(token, expiresAtMs) {
      issued.push(token);
      simulator.account(token, { kind: "bearer", expiresAtMs });
    },
    onRevoked: (token) => simulator.account(token, { expiresAtMs: 0 }),
  });
  gateway = await startGateway({ env: { CLIENT_ID: "operator-client" } });
});
afterAll(async () => {
  await gateway.stop();
  await endpoint.stop();
  await simulator.stop();
});

function begin(name: string, more: Record<string, unknown> = {}): Promise<Response> {
  const client = { authorizeUrl: endpoint.authorizeUrl, tokenUrl: endpoint.url, scopes: ["inference"] };
  const body = { name, provider: "anthropic", ...client, baseUrl: simulator.url, acceptTerms: true, ...more };
  return admin("/api/logins", body);
}

function admin(path: string, body: unknown): Promise<Response> {
  return fetch(`http://localhost${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    unix: join(gateway.dataDir, socketName()),
  });
}

function socketName(): string {
  const name = readdirSync(gateway.dataDir).find((each) => each.endsWith(".sock"));
  if (name === undefined) throw new Error("Cannot test: there is no socket");
  return name;
}

async function begun(name: string, more: Record<string, unknown> = {}): Promise<Begun> {
  const answer = await begin(name, more);
  expect(answer.status).toBe(201);
  return (await answer.json()) as Begun;
}

function finish(
  session: string,
  { code, state }: { readonly code: string; readonly state: string },
): Promise<Response> {
  return admin("/api/logins/finish", { session, code, state });
}

async function ask(): Promise<number> {
  const answer = await fetch(`${gateway.url}/v1/messages`, {
    method: "POST",
    headers: { authorization: `Bearer ${gateway.firstKey}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "claude-sonnet-5-5", max_tokens: 16, messages: [{ role: "user", content: "hi" }] }),
  });
  await answer.text();
  return answer.status;
}

async function stateOf(name: string): Promise<string | undefined> {
  return (await gateway.json<readonly Account[]>(["account", "list"])).find((each) => each.name === name)?.state;
}

describe("a login", () => {
  test("needs the operator's word about the terms", async () => {
    const urls = ["--authorize-url", endpoint.authorizeUrl, "--token-url", endpoint.url];
    const { code, stderr } = await gateway.cli(["account", "add", "work", "--oauth", ...urls]);
    expect({ code, isAsked: stderr.includes("--accept-terms") }).toEqual({ code: 2, isAsked: true });
    expect((await begin("work", { acceptTerms: false })).status).toBe(400);
  });

  test("by a pasted code adds an account that answers requests with the new token", async () => {
    const { session, authorizeUrl } = await begun("work");
    expect(new URL(authorizeUrl).searchParams.get("client_id")).toBe("operator-client");
    const finished = await finish(session, endpoint.approve(authorizeUrl));
    expect(await finished.json()).toMatchObject({
      name: "work",
      credentialKind: "bearer",
      state: "ready",
      warning: null,
    });
    expect(await ask()).toBe(200);
  });

  test("T-12.05 T-12.07 is finished once, by whoever comes first", async () => {
    const { session, authorizeUrl } = await begun("twice");
    const answer = endpoint.approve(authorizeUrl);
    const exchanges = endpoint.counters.codeExchanges;
    const statuses = await Promise.all(Array.from({ length: 5 }, async () => (await finish(session, answer)).status));
    expect(statuses.toSorted()).toEqual([200, 404, 404, 404, 404]);
    expect(endpoint.counters.codeExchanges - exchanges).toBe(1);
    expect((await finish(session, answer)).status).toBe(404);
    await gateway.cli(["account", "remove", "twice", "--yes"]);
  });

  test("with another state is refused, and the right one may still come", async () => {
    const { session, authorizeUrl } = await begun("stateful");
    const answer = endpoint.approve(authorizeUrl);
    expect((await finish(session, { ...answer, state: "another" })).status).toBe(404);
    expect((await finish(session, answer)).status).toBe(200);
    await gateway.cli(["account", "remove", "stateful", "--yes"]);
  });

  test("T-12.06 the sixth that is open drives out the first", async () => {
    const all: Begun[] = [];
    for (let at = 0; at < 6; at += 1) {
      all.push(await begun(`open-${at}`));
      await Bun.sleep(5);
    }
    const [first, second] = all;
    if (first === undefined || second === undefined) throw new Error("Cannot test: nothing was begun");
    expect((await finish(first.session, endpoint.approve(first.authorizeUrl))).status).toBe(404);
    expect((await finish(second.session, endpoint.approve(second.authorizeUrl))).status).toBe(200);
    await gateway.cli(["account", "remove", "open-1", "--yes"]);
  });

  test("T-12.09 the redirect URI is that of the start, and no other host's", async () => {
    expect((await begin("redirected", { redirectUri: "app:callback" })).status).toBe(400);
    const { authorizeUrl } = await begun("redirected", { redirectUri: "http://127.0.0.1:7/callback" });
    expect(endpoint.approve(authorizeUrl).redirectUri).toBe("http://127.0.0.1:7/callback");
  });

  test("by the CLI takes what is pasted: the address or CODE#STATE", async () => {
    const { code, stderr } = await gateway.cli(["account", "reauth", "work"], "only-a-code");
    expect({ code, isSaid: stderr.includes("CODE#STATE") }).toEqual({ code: 1, isSaid: true });
  });
});

/** A person at the CLI: reads the address from its stderr, logs in, and answers as `answer` does. */
async function logInByCli(args: readonly string[], answer: (child: Typing, redirect: string) => Promise<void> | void) {
  const main = join(import.meta.dir, "..", "..", "src", "main.ts");
  const env = { PATH: process.env["PATH"] ?? "", HOME: gateway.dataDir, BETTER_CCFLARE_DATA_DIR: gateway.dataDir };
  const stdio = { stdin: "pipe", stdout: "pipe", stderr: "pipe" } as const;
  const child = Bun.spawn([process.execPath, main, ...args], { env, ...stdio });
  const decoder = new TextDecoder();
  let said = "";
  let isAnswered = false;
  for await (const chunk of child.stderr) {
    said += decoder.decode(chunk, { stream: true });
    const url = /^ {2}(http:\S+)\n/m.exec(said)?.[1];
    if (url === undefined || isAnswered) continue;
    isAnswered = true;
    const { code, state, redirectUri } = endpoint.approve(url);
    await answer(child.stdin, `${redirectUri ?? "https://idp.example/shown"}?code=${code}&state=${state}`);
  }
  return { code: await child.exited, stdout: await new Response(child.stdout).text(), said };
}

type Typing = { write(text: string): unknown; end(): unknown };

describe("a person at the CLI", () => {
  const add = (name: string, ...more: readonly string[]) => {
    const urls = ["--authorize-url", endpoint.authorizeUrl, "--token-url", endpoint.url, "--base-url", simulator.url];
    return ["account", "add", name, "--oauth", ...urls, "--scope", "inference", "--accept-terms", ...more];
  };

  test("pastes the address that the browser was led to", async () => {
    const { code, stdout } = await logInByCli(add("pasted"), (stdin, redirect) => {
      stdin.write(`${redirect}\n`);
      stdin.end();
    });
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/^Logged in account "pasted"/) });
  });

  test("has nothing to paste when the browser comes back to 127.0.0.1", async () => {
    const { code, stdout } = await logInByCli(add("looped", "--loopback"), async (_stdin, redirect) => {
      expect((await fetch(redirect)).status).toBe(200);
    });
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/^Logged in account "looped"/) });
  });

  test("logs an account in again", async () => {
    const { code } = await logInByCli(["account", "reauth", "looped", "--loopback"], async (_stdin, redirect) => {
      await fetch(redirect);
    });
    expect(code).toBe(0);
    for (const name of ["pasted", "looped"]) await gateway.cli(["account", "remove", name, "--yes"]);
  });
});

describe("a token", () => {
  test("T-12.18 that upstream refuses before its time is renewed, and the request succeeds", async () => {
    const rotations = endpoint.counters.rotations;
    const token = issued.at(-1) ?? "";
    for (const each of issued) simulator.account(each, { expiresAtMs: 0 });
    const statuses = await Promise.all(Array.from({ length: 20 }, () => ask()));
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect(endpoint.counters.rotations - rotations).toBe(1);
    expect(issued.at(-1)).not.toBe(token);
  });

  test("whose family is revoked needs its owner, and a new login brings the account back as it was", async () => {
    const [before] = await gateway.json<readonly Account[]>(["account", "list"]);
    endpoint.revokeAll();
    expect(await ask()).not.toBe(200);
    expect(await stateOf("work")).toBe("needs_reauth");
    const again = (await (await admin("/api/accounts/work/logins", {})).json()) as Begun;
    expect((await finish(again.session, endpoint.approve(again.authorizeUrl))).status).toBe(200);
    const [after] = await gateway.json<readonly Account[]>(["account", "list"]);
    expect(after).toMatchObject({ id: before?.id ?? "", state: "ready" });
    expect(await ask()).toBe(200);
  });

  test("an account with a key has no login to make again", async () => {
    simulator.account("sk-sim-key");
    await gateway.addAccount("keyed", { baseUrl: simulator.url, credential: "sk-sim-key", priority: 900 });
    expect((await admin("/api/accounts/keyed/logins", {})).status).toBe(409);
  });
});

test("T-12.08 no token, code or verifier is in the log, the database or its journal", () => {
  const texts = endpoint.bodies.flatMap((body) => {
    const form = new URLSearchParams(body);
    return ["code", "code_verifier", "refresh_token"].flatMap((name) => form.get(name) ?? []);
  });
  const secrets = [...new Set([...texts, ...issued])];
  expect(secrets.length).toBeGreaterThan(10);
  const files = readdirSync(gateway.dataDir).filter((name) => name.startsWith("gateway.db"));
  const written = [gateway.output(), ...files.map((name) => readFileSync(join(gateway.dataDir, name), "latin1"))];
  for (const secret of secrets) {
    expect(written.filter((text) => text.includes(secret))).toHaveLength(0);
  }
});
