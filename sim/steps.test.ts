import { afterAll, beforeAll, expect, test } from "bun:test";
import { spendLimitStep, unknownModelStep } from "./api-error.ts";
import type { Simulator } from "./simulator.ts";
import { startSimulator } from "./simulator.ts";
import type { Step } from "./step.ts";
import type { WireClient, WireRequest } from "./wire-client.ts";
import { connectWire, printRequest } from "./wire-client.ts";

let simulator: Simulator;
let lastAccount = 0;

beforeAll(async () => {
  simulator = await startSimulator();
});
afterAll(() => simulator.stop());

/** Sends one request to an account of its own that has these steps. */
async function ask(steps: readonly Step[], request: WireRequest = {}): Promise<WireClient> {
  lastAccount += 1;
  const credential = `step-${lastAccount}`;
  simulator.account(credential).enqueue(...steps);
  const client = await connectWire(simulator.port);
  client.send(printRequest({ credential, ...request }));
  return client;
}

/** Is the last answer in the text whole? Those before it (interim, raw) end with an empty line. */
function hasWholeBody(text: string): boolean {
  const last = text.slice(text.search(/HTTP\/1\.1 [2-5](?!.*HTTP\/1\.1 [2-5])/s));
  const headEnd = last.indexOf("\r\n\r\n");
  if (headEnd === -1) return false;
  const length = /content-length: (\d+)/i.exec(last.slice(0, headEnd))?.[1];
  return length === undefined ? last.endsWith("0\r\n\r\n") : last.length >= headEnd + 4 + Number(length);
}

async function answerOf(step: Step, request: WireRequest = {}): Promise<string> {
  const client = await ask([step], request);
  const text = await client.until(hasWholeBody);
  client.close();
  return text;
}

test.each<{ step: Step; body: string; startsWith: string; type: string }>([
  { step: { kind: "auto" }, body: "{}", startsWith: "HTTP/1.1 200 OK", type: "application/json" },
  { step: { kind: "auto" }, body: '{"stream":true}', startsWith: "HTTP/1.1 200 OK", type: "text/event-stream" },
  { step: { kind: "message" }, body: '{"stream":true}', startsWith: "HTTP/1.1 200 OK", type: "application/json" },
  { step: { kind: "stream" }, body: "{}", startsWith: "HTTP/1.1 200 OK", type: "text/event-stream" },
  { step: { kind: "status", status: 503 }, body: "{}", startsWith: "HTTP/1.1 503 ", type: "application/json" },
])("answers $step.kind to $body with $type", async ({ step, body, startsWith, type }) => {
  const text = await answerOf(step, { body });
  expect(text).toStartWith(startsWith);
  expect(text).toContain(`content-type: ${type}`);
  expect(text).toMatch(/request-id: req_[a-z0-9]+\r\n/);
  expect(text).toMatch(/anthropic-organization-id: [0-9a-f-]{36}\r\n/);
});

test.each<{ name: string; step: Step; status: number; error: object }>([
  { name: "401", step: { kind: "status", status: 401 }, status: 401, error: { type: "authentication_error" } },
  { name: "402", step: { kind: "status", status: 402 }, status: 402, error: { type: "billing_error" } },
  { name: "403", step: { kind: "status", status: 403 }, status: 403, error: { type: "permission_error" } },
  { name: "500", step: { kind: "status", status: 500 }, status: 500, error: { type: "api_error" } },
  {
    name: "529",
    step: { kind: "status", status: 529 },
    status: 529,
    error: { type: "overloaded_error", message: "Overloaded" },
  },
  {
    name: "a spend limit",
    step: spendLimitStep("2026-12-01 at 00:00 UTC"),
    status: 400,
    error: { type: "invalid_request_error" },
  },
  { name: "an unknown model", step: unknownModelStep("claude-x"), status: 404, error: { message: "model: claude-x" } },
])("says $name in the API's shape", async ({ step, status, error }) => {
  const text = await answerOf(step);
  expect(text).toStartWith(`HTTP/1.1 ${status} `);
  const body = JSON.parse(text.slice(text.indexOf("\r\n\r\n")));
  expect(body).toMatchObject({ type: "error", error });
  expect(text).toContain(`request-id: ${body.request_id}\r\n`);
});

test("sends scripted headers instead of its own, in order and repeated", async () => {
  const headers = [
    ["Content-Type", "text/html"],
    ["anthropic-ratelimit-unified-status", "rejected"],
    ["Set-Cookie", "a=1"],
    ["Set-Cookie", "b=2"],
  ] as const;
  const text = await answerOf({ kind: "status", status: 429, headers, body: "<html>\xe9</html>" });
  expect(text).toContain(headers.map(([name, value]) => `${name}: ${value}\r\n`).join(""));
  expect(text).not.toContain("application/json");
  expect(text).toEndWith("\r\n\r\n<html>\xe9</html>");
});

test("says an error after pings as the first events of a stream", async () => {
  const text = await answerOf({ kind: "streamError", pings: 2, errorType: "rate_limit_error", message: "Slow down" });
  const events = [...text.matchAll(/event: (\w+)/g)].map((match) => match[1]);
  expect(events).toEqual(["ping", "ping", "error"]);
  expect(text).toContain('{"type":"error","error":{"type":"rate_limit_error","message":"Slow down"}}');
});

test("writes raw bytes as they are and closes", async () => {
  const bytes = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi\xff";
  const client = await ask([{ kind: "raw", bytes: [bytes.slice(0, 20), bytes.slice(20)], partDelayMs: 5 }]);
  expect(await client.ended()).toBe("fin");
  expect(client.text).toBe(bytes);
});

test("writes raw bytes from base64 and goes on with the next request", async () => {
  const bytes = Buffer.from("HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n\r\n").toString("base64");
  const client = await ask([
    { kind: "raw", bytes, bytesEncoding: "base64", end: "keepOpen" },
    { kind: "status", status: 418 },
  ]);
  await client.until((text) => text.endsWith("200 OK\r\n\r\n"));
  client.send(printRequest({ credential: `step-${lastAccount}` }));
  expect(await client.until(hasWholeBody)).toContain("HTTP/1.1 418 ");
  client.close();
});

test.each<{ step: Step; end: "fin" | "reset" }>([
  { step: { kind: "refuse" }, end: "fin" },
  { step: { kind: "reset" }, end: "reset" },
  { step: { kind: "raw", bytes: "", end: "reset" }, end: "reset" },
])("ends $step.kind with $end before any byte", async ({ step, end }) => {
  const client = await ask([step]);
  expect(await client.ended()).toBe(end);
  expect(client.text).toBe("");
});

test("never answers silence and notices when the peer leaves", async () => {
  const client = await ask([{ kind: "silence" }]);
  const mine = (abortedOnly: boolean) =>
    simulator.requests.some(
      (request) => request.credential === `step-${lastAccount}` && (!abortedOnly || request.abortedAtMs !== null),
    );
  await simulator.waitFor(() => mine(false));
  expect(mine(true)).toBe(false);
  client.close();
  await simulator.waitFor(() => mine(true));
  expect(client.text).toBe("");
});

test("answers before the body is there when the step does not wait for it", async () => {
  lastAccount += 1;
  const credential = `step-${lastAccount}`;
  simulator.account(credential).enqueue({ kind: "status", status: 413, waitForBody: false });
  const client = await connectWire(simulator.port);
  const whole = printRequest({ credential, body: "x".repeat(1000) });
  client.send(whole.slice(0, -900));
  expect(await client.until(hasWholeBody)).toContain('"type":"request_too_large"');
  expect(await client.ended()).toBe("fin");
  client.close();
  await simulator.waitFor((requests) => requests.some((request) => request.credential === credential));
  const record = simulator.requests.findLast((request) => request.credential === credential);
  expect(record?.body.length).toBe(100);
  expect(record?.completedAtMs).not.toBeNull();
});

test("keeps steps for a path until a request for it comes", async () => {
  const account = simulator.account("paths");
  account.enqueue({ kind: "status", status: 500, path: "/v1/models" }, { kind: "status", status: 529 });
  const headers = { "x-api-key": "paths" };
  const statusOf = async (path: string, method: string) =>
    (await fetch(`${simulator.url}${path}`, { method, headers })).status;
  expect(await statusOf("/v1/messages/count_tokens", "POST")).toBe(200);
  expect(await statusOf("/v1/messages?beta=true", "POST")).toBe(529);
  expect(await statusOf("/v1/models?limit=1000", "GET")).toBe(500);
  expect(await statusOf("/v1/models?limit=1000", "GET")).toBe(200);
});

test("sends interim answers before the real one", async () => {
  const text = await answerOf({ kind: "message", informational: [103, 100] });
  expect(text).toStartWith("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n");
});

test.each(["fin", "reset"] as const)(
  "closes by %s after a whole answer that promised to keep the connection",
  async (kind) => {
    const client = await ask([{ kind: "message", closeAfter: kind }]);
    expect(await client.ended()).toBe(kind);
    if (kind === "fin") expect(hasWholeBody(client.text)).toBe(true);
    expect(simulator.requests.at(-1)?.completedAtMs).not.toBeNull();
  },
);

test.each(["fin", "reset"] as const)("drops idle connections and refuses new ones by %s", async (kind) => {
  const idle = await connectWire(simulator.port);
  await simulator.waitFor(() => simulator.openConnections > 0);
  simulator.dropConnections(kind);
  expect(await idle.ended()).toBe(kind);
  simulator.refuseConnections(1, kind);
  expect(await (await connectWire(simulator.port)).ended()).toBe(kind);
  expect(await answerOf({ kind: "message" })).toContain("HTTP/1.1 200 OK");
});
