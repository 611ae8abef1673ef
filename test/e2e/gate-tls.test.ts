import { afterAll, beforeAll, expect, test } from "bun:test";
import { createCertificateAuthority } from "../../sim/certificate-authority.ts";
import { PASSWORD } from "./admin-client.ts";
import { type GatewayProcess, startGateway } from "./gateway-process.ts";

const HSTS = "max-age=63072000; includeSubDomains";
const authority = createCertificateAuthority();
let gateway: GatewayProcess;

beforeAll(async () => {
  const pair = authority.issue("gateway", { names: "DNS:localhost,IP:127.0.0.1" });
  gateway = await startGateway({ env: { SSL_CERT_PATH: pair.certFile, SSL_KEY_PATH: pair.keyFile } });
}, 30_000);

afterAll(async () => {
  await gateway.stop();
  authority[Symbol.dispose]();
});

function ask(path: string, init: RequestInit = {}): Promise<Response> {
  return fetch(`${gateway.url}${path}`, { ...init, tls: { ca: authority.root } });
}

test("T-6.05 over TLS every answer tells browsers to come by TLS alone", async () => {
  for (const path of ["/", "/healthz", "/api/accounts", "/v1/models", "/nothing", "/auth/session"]) {
    expect((await ask(path)).headers.get("strict-transport-security")).toBe(HSTS);
  }
  const models = await ask("/v1/models", { headers: { "x-api-key": gateway.firstKey } });
  expect(models.headers.get("strict-transport-security")).toBe(HSTS);
});

test("T-4.01 over TLS cookies are bound to this host and to TLS, and no other name is taken for one", async () => {
  const secret = /bccf_st_[0-9A-Za-z]+/.exec(gateway.output())?.[0] ?? "";
  const headers = { origin: gateway.url, "content-type": "application/json" };
  const body = JSON.stringify({ secret, name: "olivia", password: PASSWORD });
  const plain = await ask("/auth/setup", {
    method: "POST",
    headers: { ...headers, origin: gateway.url.replace("https", "http") },
    body,
  });
  expect(plain.status).toBe(403);
  const made = await ask("/auth/setup", { method: "POST", headers, body });
  expect(made.status).toBe(200);
  const cookies = made.headers.getSetCookie();
  expect(cookies[0]).toMatch(/^__Host-bccf_sid=[A-Za-z0-9_-]{43}; Path=\/; Secure; HttpOnly; SameSite=Strict$/);
  expect(cookies[1]).toMatch(
    /^__Host-bccf_dev=[A-Za-z0-9_-]{43}; Path=\/; Secure; HttpOnly; SameSite=Strict; Max-Age=15552000$/,
  );
  const session = cookies[0]?.split(";")[0] ?? "";
  const asking = (cookie: string) => ask("/auth/session", { headers: { cookie, origin: gateway.url } });
  expect((await asking(session)).status).toBe(200);
  expect((await asking(session.replace("__Host-", ""))).status).toBe(401);
  expect((await asking(session.replace("__Host-", "__Secure-"))).status).toBe(401);
});
