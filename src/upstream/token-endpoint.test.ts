import { afterAll, afterEach, beforeEach, describe, expect, test } from "bun:test";
import { type SimulatedTokenEndpoint, startTokenEndpoint, type TokenFault } from "../../sim/token-endpoint.ts";
import type { TokenGrant } from "../control/oauth-ports.ts";
import { Secret } from "../kernel/secret.ts";
import { durationMs } from "../kernel/time.ts";
import { parseEndpointUrl } from "./endpoint-url.ts";
import { createTokenEndpoint } from "./token-endpoint.ts";
import { createUpstream } from "./upstream.ts";

const upstream = createUpstream({ allowPrivate: true });
const tokens = createTokenEndpoint(upstream);
let endpoint: SimulatedTokenEndpoint;

beforeEach(async () => {
  endpoint = await startTokenEndpoint({ clientId: "operator-client", lifetimeSeconds: 600 });
});
afterEach(() => endpoint.stop());
afterAll(() => upstream.stop());

function refresh(refreshToken: string, clientId = "operator-client") {
  const grant: TokenGrant = { kind: "refresh_token", refreshToken: new Secret("test", refreshToken) };
  return tokens.request({ tokenUrl: endpoint.url, clientId, grant });
}

test("brings the new tokens, and sends the form of RFC 6749 and nothing else", async () => {
  const { refreshToken } = endpoint.issue();
  const answer = await refresh(refreshToken);
  if (!answer.ok) throw new Error(answer.error.detail);
  expect(answer.value.expiresInMs).toEqual(600_000 as never);
  expect(answer.value.refreshToken?.reveal()).not.toBe(refreshToken);
  expect(endpoint.bodies).toEqual([`grant_type=refresh_token&client_id=operator-client&refresh_token=${refreshToken}`]);
});

test("T-12.17 the same refresh token may come back", async () => {
  await endpoint.stop();
  endpoint = await startTokenEndpoint({ clientId: "operator-client", rotates: false });
  const { refreshToken } = endpoint.issue();
  const answer = await refresh(refreshToken);
  expect(answer.ok && answer.value.refreshToken?.reveal()).toBe(refreshToken);
});

test("tells a used refresh token from a client that is not accepted", async () => {
  const { refreshToken } = endpoint.issue();
  await refresh(refreshToken);
  expect(await refresh(refreshToken)).toMatchObject({ error: { kind: "invalid_grant" } });
  expect(await refresh(refreshToken, "other")).toMatchObject({ error: { kind: "refused" } });
});

const GOOD = { access_token: "at", refresh_token: "rt", token_type: "Bearer", expires_in: 60 };

describe("T-12.14 what is no answer", () => {
  const TABLE: readonly { readonly name: string; readonly fault: TokenFault }[] = [
    { name: "500", fault: { kind: "status", status: 500 } },
    { name: "502 HTML", fault: { kind: "status", status: 502, body: "<html>" } },
    { name: "reset", fault: { kind: "reset" } },
    { name: "reset after the rotation", fault: { kind: "reset_after" } },
    { name: "half a body", fault: { kind: "half_body" } },
    { name: "invalid JSON", fault: { kind: "body", body: "{" } },
    { name: "HTML with 200", fault: { kind: "body", body: "<html></html>" } },
    { name: "an error with 200", fault: { kind: "body", body: '{"error":"server_error"}' } },
    { name: "an access token that is a number", fault: { kind: "body", body: '{"access_token":7}' } },
    { name: "10 MiB", fault: { kind: "body", body: `"${"x".repeat(10 * 1024 * 1024)}"` } },
    {
      name: "a redirect (T-12.23)",
      fault: { kind: "status", status: 307, headers: { location: "http://127.0.0.1:1/" } },
    },
  ];
  test.each([...TABLE])("$name is temporary", async ({ fault }) => {
    endpoint.fail(fault);
    expect(await refresh(endpoint.issue().refreshToken)).toMatchObject({ ok: false, error: { kind: "temporary" } });
  });

  test("429 says when to come back", async () => {
    endpoint.fail({ kind: "status", status: 429, headers: { "retry-after": "7" } });
    const answer = await refresh(endpoint.issue().refreshToken);
    expect(answer).toMatchObject({ error: { kind: "temporary", retryAfterMs: 7_000 } });
  });

  test.each([
    { expires_in: -5, expected: null },
    { expires_in: 0, expected: null },
    { expires_in: "soon", expected: null },
    { expires_in: 1e12, expected: 31_536_000_000 },
    { expires_in: 60, expected: 60_000 },
  ])("a lifetime of $expires_in is $expected ms", async ({ expires_in, expected }) => {
    endpoint.fail({ kind: "body", body: JSON.stringify({ ...GOOD, expires_in }) });
    const answer = await refresh(endpoint.issue().refreshToken);
    expect(answer.ok && answer.value.expiresInMs).toEqual(expected as never);
  });

  test("no new refresh token leaves the old one good", async () => {
    endpoint.fail({ kind: "body", body: JSON.stringify({ ...GOOD, refresh_token: "" }) });
    expect(await refresh("rt")).toMatchObject({ ok: true, value: { refreshToken: null } });
  });

  test.each(["access_token", "refresh_token"])("a personal claude.ai token as %s is refused", async (field) => {
    endpoint.fail({ kind: "body", body: JSON.stringify({ ...GOOD, [field]: "sk-ant-oat01-canary" }) });
    const answer = await refresh("rt");
    expect(answer).toMatchObject({ ok: false, error: { kind: "refused" } });
    expect(JSON.stringify(answer)).not.toContain("canary");
  });
});

test("a failure never repeats what was sent or received", async () => {
  endpoint.fail({ kind: "status", status: 400, body: '{"error":"secret-canary!","error_description":"rt-canary"}' });
  expect(JSON.stringify(await refresh("rt-canary"))).not.toContain("canary");
});

test("T-12.24 an endpoint without trusted TLS is refused, and never asked without it", async () => {
  const grant: TokenGrant = { kind: "refresh_token", refreshToken: new Secret("test", "rt") };
  const tokenUrl = endpoint.url.replace("http:", "https:");
  expect(await tokens.request({ tokenUrl, clientId: "operator-client", grant })).toMatchObject({ ok: false });
  expect(endpoint.counters.requests).toBe(0);
});

test.each([
  "http://idp.example.com/token",
  "https://127.0.0.1/token",
  "https://169.254.169.254/token",
  "https://[::1]/token",
  "https://user:pass@idp.example.com/token",
  "https://idp.example.com/token?next=x",
  "https://idp.internal/token",
])("T-12.25 %s is no endpoint", (text) => {
  expect(parseEndpointUrl(text, { allowPrivate: false }).ok).toBeFalse();
});

test("an endpoint keeps its trailing slash", () => {
  const parsed = parseEndpointUrl("https://IDP.example.com/token/", { allowPrivate: false });
  expect(parsed).toEqual({ ok: true, value: "https://idp.example.com/token/" });
});

test("a hung endpoint ends at the limit", async () => {
  endpoint.fail({ kind: "hang" });
  const hasty = createTokenEndpoint(upstream, durationMs(200));
  const grant: TokenGrant = { kind: "refresh_token", refreshToken: new Secret("test", "rt") };
  const startedAtMs = performance.now();
  const answer = await hasty.request({ tokenUrl: endpoint.url, clientId: "operator-client", grant });
  expect(answer).toMatchObject({ error: { kind: "temporary" } });
  expect(performance.now() - startedAtMs).toBeLessThan(2_000);
});
