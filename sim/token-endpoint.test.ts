import { afterEach, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { startSimulator } from "./simulator.ts";
import { type SimulatedTokenEndpoint, startTokenEndpoint, type TokenEndpointOptions } from "./token-endpoint.ts";

const VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const started: { stop(): Promise<void> }[] = [];

async function start(options: Partial<TokenEndpointOptions> = {}): Promise<SimulatedTokenEndpoint> {
  const endpoint = await startTokenEndpoint({ clientId: "operator-client", ...options });
  started.push(endpoint);
  return endpoint;
}

afterEach(async () => {
  for (const each of started.splice(0)) await each.stop();
});

function post(endpoint: SimulatedTokenEndpoint, form: Record<string, string>): Promise<Response> {
  const body = new URLSearchParams({ client_id: "operator-client", ...form });
  return fetch(endpoint.url, { method: "POST", body, redirect: "manual" });
}

function refresh(endpoint: SimulatedTokenEndpoint, token: string): Promise<Response> {
  return post(endpoint, { grant_type: "refresh_token", refresh_token: token });
}

function authorizeUrl(endpoint: SimulatedTokenEndpoint): string {
  const challenge = createHash("sha256").update(VERIFIER).digest("base64url");
  const query = { client_id: "operator-client", response_type: "code", state: "s", code_challenge: challenge };
  return `${endpoint.authorizeUrl}?${new URLSearchParams({ ...query, code_challenge_method: "S256" })}`;
}

test("a code is good once, and only with its verifier", async () => {
  const endpoint = await start();
  const { code } = endpoint.approve(authorizeUrl(endpoint));
  const form = { grant_type: "authorization_code", code };
  expect((await post(endpoint, { ...form, code_verifier: "another" })).status).toBe(400);
  const good = await post(endpoint, { ...form, code_verifier: VERIFIER });
  expect(await good.json()).toMatchObject({ token_type: "Bearer", expires_in: 3600 });
  expect((await post(endpoint, { ...form, code_verifier: VERIFIER })).status).toBe(400);
  expect(endpoint.counters.codeExchanges).toBe(1);
});

test("a refresh token is good once; the second use revokes the family", async () => {
  const endpoint = await start();
  const first = endpoint.issue();
  const rotated = (await (await refresh(endpoint, first.refreshToken)).json()) as { refresh_token: string };
  expect(rotated.refresh_token).not.toBe(first.refreshToken);
  const again = await refresh(endpoint, first.refreshToken);
  expect({ status: again.status, body: await again.json() }).toEqual({ status: 400, body: { error: "invalid_grant" } });
  expect((await refresh(endpoint, rotated.refresh_token)).status).toBe(400);
  expect(endpoint.counters).toMatchObject({ rotations: 1, reuses: 1 });
});

test("another client is refused", async () => {
  const endpoint = await start();
  const { refreshToken } = endpoint.issue();
  const body = new URLSearchParams({ grant_type: "refresh_token", refresh_token: refreshToken, client_id: "other" });
  const answer = await fetch(endpoint.url, { method: "POST", body });
  expect({ status: answer.status, body: await answer.json() }).toEqual({
    status: 401,
    body: { error: "invalid_client" },
  });
});

test("faults play once each, and then it answers again", async () => {
  const endpoint = await start();
  const { refreshToken } = endpoint.issue();
  endpoint.fail({ kind: "status", status: 503 }, { kind: "body", body: "<html>" }, { kind: "reset" });
  expect((await refresh(endpoint, refreshToken)).status).toBe(503);
  expect(await (await refresh(endpoint, refreshToken)).text()).toBe("<html>");
  expect(await refresh(endpoint, refreshToken).catch(() => "reset")).toBe("reset");
  expect((await refresh(endpoint, refreshToken)).status).toBe(200);
});

test("the simulated API takes an access token as bearer until it expires or is revoked", async () => {
  let nowMs = 1_000_000;
  const simulator = await startSimulator({ nowMs: () => nowMs });
  started.push(simulator);
  const endpoint = await start({
    lifetimeSeconds: 60,
    nowMs: () => nowMs,
    onIssued: (token, expiresAtMs) => simulator.account(token, { kind: "bearer", expiresAtMs }),
    onRevoked: (token) => simulator.account(token, { expiresAtMs: 0 }),
  });
  const ask = async (token: string) => {
    const headers = { authorization: `Bearer ${token}` };
    return (await fetch(`${simulator.url}/v1/messages`, { method: "POST", headers, body: "{}" })).status;
  };
  const first = endpoint.issue();
  expect(await ask(first.accessToken)).toBe(200);
  nowMs += 60_000;
  expect(await ask(first.accessToken)).toBe(401);
  const second = endpoint.issue();
  expect(await ask(second.accessToken)).toBe(200);
  endpoint.revokeAll();
  expect(await ask(second.accessToken)).toBe(401);
});
