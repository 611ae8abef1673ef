import { afterAll, beforeAll, expect, test } from "bun:test";
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from "node:zlib";
import { type Simulator, startSimulator } from "../../sim/simulator.ts";
import type { Step } from "../../sim/step.ts";
import { type GatewayProcess, startGateway } from "./gateway-process.ts";
import { connectRaw, headerValue, headerValues, printHead, type RawAnswer } from "./raw-http.ts";

const API_KEY = "sk-headers-key";
const BODY = '{"model":"claude-sonnet-5-5","max_tokens":1,"messages":[]}';

/** Starting and stopping processes takes its time on a busy machine. */
const HOOK_MS = 30_000;

let simulator: Simulator;
let gateway: GatewayProcess;
let key: string;
let port: number;

beforeAll(async () => {
  simulator = await startSimulator();
  // A page that is allowed to call: what it is must not go up either.
  gateway = await startGateway({ env: { ALLOWED_ORIGINS: "https://evil.example" } });
  port = Number(new URL(gateway.url).port);
  simulator.account(API_KEY, { kind: "api_key" });
  await gateway.addAccount("headers", { baseUrl: simulator.url, credential: API_KEY });
  key = (await gateway.createKey("headers")).key;
}, HOOK_MS);

afterAll(async () => {
  await gateway.stop();
  await simulator.stop();
}, HOOK_MS);

type Fields = readonly (readonly [name: string, value: string])[];

/** One request with exactly these field lines beside Host, x-api-key and the length; what upstream then saw. */
async function sendUp(lines: readonly string[], target = "/v1/messages"): Promise<{ answer: RawAnswer; seen: Fields }> {
  const client = await connectRaw(port);
  await client.write(`${printHead({ key, target, headers: lines, framing: { lengthBytes: BODY.length } })}${BODY}`);
  const answer = await client.answer();
  client.close();
  return { answer, seen: simulator.requests.at(-1)?.headers ?? [] };
}

/** The answer to a plain request when upstream sends these fields. */
async function sendDown(step: Step): Promise<RawAnswer> {
  simulator.account(API_KEY, { kind: "api_key" }).enqueue(step);
  return (await sendUp([])).answer;
}

function valuesIn(fields: Fields, name: string): readonly string[] {
  return fields.filter(([own]) => own.toLowerCase() === name).map(([, value]) => value);
}

const KEPT_UP: readonly (readonly [name: string, value: string])[] = [
  ["anthropic-version", "2023-06-01"],
  ["anthropic-beta", "claude-code-20250219,interleaved-thinking-2025-05-14 ,  fine-grained-tool-streaming-2025-05-14,"],
  ["anthropic-workspace-id", "wrkspc_01AbC"],
  ["anthropic-dangerous-direct-browser-access", "true"],
  ["anthropic-future-header", 'a "quoted" value; q=0.5, b'],
  ["x-claude-code-session-id", "0b9f7a6e-1c1e-4a5e-9a2b-1f2e3d4c5b6a"],
  ["x-claude-code-agent-id", "agent-1"],
  ["x-stainless-retry-count", "0"],
  ["x-app", "cli"],
  ["user-agent", "claude-cli/2.1.197 (external, sdk-cli)"],
  ["accept", "application/json"],
  ["accept-encoding", "gzip, deflate, br, zstd"],
  ["content-type", "application/json"],
  ["x-unknown", "passes: it is not ours to judge"],
];

test.each(KEPT_UP)("%s goes up with its value unchanged", async (name, value) => {
  const { answer, seen } = await sendUp([`${name}: ${value}`]);
  expect(answer.status).toBe(200);
  expect(valuesIn(seen, name)).toEqual([value]);
});

test("nothing is added on the way up but what HTTP needs", async () => {
  const { seen } = await sendUp(["anthropic-version: 2023-06-01"]);
  const names = seen.map(([name]) => name.toLowerCase()).sort();
  expect(names).toEqual(["anthropic-version", "content-length", "host", "x-api-key"]);
  expect(valuesIn(seen, "host")).toEqual([`127.0.0.1:${simulator.port}`]);
});

// T-14.01, T-14.03, T-14.04, T-14.08
test.each([
  "keep-alive: timeout=5",
  "proxy-connection: keep-alive",
  "proxy-authenticate: Basic",
  "proxy-authorization: Basic Y2FuYXJ5",
  "te: trailers",
  "trailer: x-checksum",
  "cookie: session=canary",
  "origin: https://evil.example",
  "referer: https://evil.example/page",
  "x-forwarded-for: 203.0.113.7",
  "X-Forwarded-Host: evil.example",
  "x-forwarded-proto: https",
  "forwarded: for=203.0.113.7",
  "via: 1.1 evil.example",
  "x-real-ip: 203.0.113.7",
  "x-better-ccflare-account: other",
  "x-bccf-debug: 1",
])("%s does not go up", async (line) => {
  const { answer, seen } = await sendUp([line, "anthropic-version: 2023-06-01"]);
  expect(answer.status).toBe(200);
  const name = line.slice(0, line.indexOf(":")).toLowerCase();
  expect(valuesIn(seen, name)).toEqual([]);
  expect(JSON.stringify(seen)).not.toMatch(/canary|Y2FuYXJ5|evil|203\.0\.113\.7/);
  expect(valuesIn(seen, "anthropic-version")).toEqual(["2023-06-01"]);
});

// T-14.02 (CVE-2024-45410 and CVE-2024-29054): Connection must not strip what upstream decides by.
test.each([
  "Connection: authorization, anthropic-version",
  "connection: x-api-key",
  "Connection: Anthropic-Version, ANTHROPIC-BETA, content-type",
  "Connection: host, content-length, transfer-encoding",
  "Connection: close, x-api-key, anthropic-beta",
  "Connection: keep-alive, x-forwarded-for",
])("%s takes away neither credential nor version", async (line) => {
  const { answer, seen } = await sendUp([
    line,
    "anthropic-version: 2023-06-01",
    "anthropic-beta: a,b",
    "content-type: application/json",
  ]);
  expect(answer.status).toBe(200);
  expect(valuesIn(seen, "x-api-key")).toEqual([API_KEY]);
  expect(valuesIn(seen, "anthropic-version")).toEqual(["2023-06-01"]);
  expect(valuesIn(seen, "anthropic-beta")).toEqual(["a,b"]);
  expect(valuesIn(seen, "content-type")).toEqual(["application/json"]);
  expect(valuesIn(seen, "connection").join()).not.toContain("anthropic");
});

test("a header that Connection names is for the gateway alone", async () => {
  const { seen } = await sendUp(["Connection: x-hop", "x-hop: 1", "x-end: 2"]);
  expect({ hop: valuesIn(seen, "x-hop"), end: valuesIn(seen, "x-end") }).toEqual({ hop: [], end: ["2"] });
});

// T-14.03
test.each([
  { how: "in x-api-key", lines: [] },
  { how: "in both headers", lines: ["Authorization: Bearer KEY"] },
])("a client key $how is replaced by exactly one upstream credential", async ({ lines }) => {
  const { answer, seen } = await sendUp(lines.map((line) => line.replace("KEY", key)));
  expect(answer.status).toBe(200);
  expect(valuesIn(seen, "x-api-key")).toEqual([API_KEY]);
  expect(valuesIn(seen, "authorization")).toEqual([]);
  expect(JSON.stringify(seen)).not.toContain(key);
});

test("an account with a bearer token gets Authorization alone", async () => {
  const token = "sk-headers-bearer";
  simulator.account(token, { kind: "bearer" });
  await gateway.addAccount("bearer", { baseUrl: simulator.url, credential: token, kind: "bearer", priority: 1 });
  const { answer, seen } = await sendUp([]);
  await gateway.json(["account", "remove", "bearer", "--yes"]);
  expect(answer.status).toBe(200);
  expect(valuesIn(seen, "authorization")).toEqual([`Bearer ${token}`]);
  expect(valuesIn(seen, "x-api-key")).toEqual([]);
});

test("the query goes up as it came", async () => {
  await sendUp([], "/v1/messages?beta=true&x=%2F%20+&empty&x=2");
  expect(simulator.requests.at(-1)?.target).toBe("/v1/messages?beta=true&x=%2F%20+&empty&x=2");
});

const KEPT_DOWN: readonly (readonly [name: string, value: string])[] = [
  ["request-id", "req_011CQxYz"],
  ["retry-after", "17"],
  ["x-should-retry", "true"],
  ["anthropic-organization-id", "6b1e0c0e-7d5a-4f33-9d0b-3f1a2b3c4d5e"],
  ["anthropic-ratelimit-requests-limit", "50"],
  ["anthropic-ratelimit-requests-remaining", "49"],
  ["anthropic-ratelimit-requests-reset", "2026-11-23T20:00:00Z"],
  ["anthropic-ratelimit-input-tokens-remaining", "40000"],
  ["anthropic-ratelimit-unified-status", "allowed"],
  ["anthropic-ratelimit-unified-5h-utilization", "0.4200000000000001"],
  ["anthropic-ratelimit-unified-overage-disabled-reason", "org_level_disabled"],
  ["anthropic-priority-input-tokens-remaining", "10000"],
  ["content-type", 'application/json; charset="utf-8"'],
  ["cf-ray", "8e2f-FRA"],
  ["x-envoy-upstream-service-time", "311"],
  ["x-unknown", "a,  b , c"],
];

test.each(KEPT_DOWN)("%s comes down with its value unchanged", async (name, value) => {
  const answer = await sendDown({ kind: "message", headers: { [name]: value } });
  expect(answer.status).toBe(200);
  expect(headerValues(answer, name)).toEqual([value]);
});

test("an error keeps its headers too", async () => {
  const headers = { "retry-after": "17", "x-should-retry": "false", "request-id": "req_err", "content-type": "text/x" };
  const answer = await sendDown({ kind: "status", status: 400, headers });
  expect(answer.status).toBe(400);
  for (const [name, value] of Object.entries(headers)) {
    expect([name, headerValue(answer, name)]).toEqual([name, value]);
  }
});

// T-14.01, and what would let an upstream set state in a browser for our origin.
test.each([
  "keep-alive",
  "proxy-authenticate",
  "proxy-connection",
  "trailer",
  "upgrade",
  "set-cookie",
  "alt-svc",
  "strict-transport-security",
  "access-control-allow-origin",
  "x-better-ccflare-request-id",
])("%s of upstream does not come down", async (name) => {
  const answer = await sendDown({ kind: "message", headers: { [name]: "canary" } });
  expect(answer.status).toBe(200);
  expect(JSON.stringify(answer.headers)).not.toContain("canary");
});

test("a header that upstream's Connection names does not come down", async () => {
  const answer = await sendDown({ kind: "message", headers: { Connection: "x-hop, request-id", "x-hop": "1" } });
  expect(answer.status).toBe(200);
  expect(headerValue(answer, "x-hop")).toBeNull();
});

test("every answer names its request and its attempts once", async () => {
  const { answer } = await sendUp([]);
  expect(headerValues(answer, "x-better-ccflare-request-id")).toHaveLength(1);
  expect(headerValues(answer, "x-better-ccflare-attempts")).toEqual(["1"]);
});

// T-14.09
test.each(["gzip", "br", "zstd"] as const)("a body in %s comes down encoded, with its header", async (encoding) => {
  const answer = await sendDown({ kind: "message", text: "compress me ".repeat(100), encoding });
  expect(headerValues(answer, "content-encoding")).toEqual([encoding]);
  const decode = { gzip: gunzipSync, br: brotliDecompressSync, zstd: zstdDecompressSync }[encoding];
  expect(JSON.parse(decode(answer.body).toString())).toMatchObject({ type: "message" });
});

// T-14.11, T-14.12
test.each([301, 302, 307, 308])("a redirect (%d) is neither followed nor relayed", async (status) => {
  const before = simulator.requests.length;
  const answer = await sendDown({ kind: "status", status, headers: { location: `${simulator.url}/v1/elsewhere` } });
  expect({ status: answer.status, location: headerValue(answer, "location") }).toEqual({ status: 502, location: null });
  expect(simulator.requests.length).toBe(before + 1);
});

test("a switch of protocols that nobody asked for is 502", async () => {
  const bytes = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n";
  const answer = await sendDown({ kind: "raw", bytes, end: "keepOpen" });
  expect(answer.status).toBe(502);
});
