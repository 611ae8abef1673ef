import { afterEach, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import type { Simulator, SimulatorOptions } from "./simulator.ts";
import { startSimulator } from "./simulator.ts";
import { connectWire, printRequest } from "./wire-client.ts";

const started: Simulator[] = [];

async function start(options: SimulatorOptions = {}): Promise<Simulator> {
  const simulator = await startSimulator(options);
  started.push(simulator);
  return simulator;
}

afterEach(async () => {
  for (const simulator of started.splice(0)) await simulator.stop();
});

type Call = {
  readonly target?: string;
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Uint8Array<ArrayBuffer>;
};

function call(simulator: Simulator, how: Call = {}): Promise<Response> {
  const { target = "/v1/messages", method = "POST", headers = { "x-api-key": "key" }, body } = how;
  return fetch(`${simulator.url}${target}`, { method, headers, ...(body === undefined ? {} : { body }) });
}

test.each<{ name: string; headers: Record<string, string>; status: number }>([
  { name: "x-api-key", headers: { "x-api-key": "key" }, status: 200 },
  { name: "a bearer token", headers: { authorization: "Bearer key" }, status: 200 },
  { name: "both, the same", headers: { authorization: "Bearer key", "x-api-key": "key" }, status: 200 },
  { name: "both, different", headers: { authorization: "Bearer other", "x-api-key": "key" }, status: 401 },
  { name: "an unknown key", headers: { "x-api-key": "nobody" }, status: 401 },
  { name: "no credential", headers: {}, status: 401 },
  { name: "a key where a token is wanted", headers: { "x-api-key": "token" }, status: 401 },
  { name: "a token where a token is wanted", headers: { authorization: "Bearer token" }, status: 200 },
])("answers $status to $name", async ({ headers, status }) => {
  const simulator = await start();
  simulator.account("key");
  simulator.account("token", { kind: "bearer" });
  const response = await call(simulator, { headers, body: "{}" });
  expect(response.status).toBe(status);
  await response.arrayBuffer();
});

test.each<Call & { status: number }>([
  { method: "HEAD", target: "/", headers: {}, status: 200 },
  { method: "HEAD", target: "/api/hello", headers: {}, status: 200 },
  { method: "GET", target: "/elsewhere", status: 404 },
  { method: "GET", target: "/v1/files", status: 200 },
  { method: "POST", target: "/prefix/v1/messages?beta=true", body: "{}", status: 200 },
])("answers $status to $method $target", async ({ status, ...how }) => {
  const simulator = await start();
  simulator.account("key");
  const response = await call(simulator, how);
  expect(response.status).toBe(status);
  await response.arrayBuffer();
});

test("records requests as they came, and per account", async () => {
  const clock = { nowMs: 1000 };
  const simulator = await start({ nowMs: () => clock.nowMs });
  const one = simulator.account("one");
  simulator.account("two");
  const client = await connectWire(simulator.port);
  const body = '{"model" :"claude-x",  "text":"ü"}';
  client.send(
    printRequest({ credential: "two", target: "/v1/messages?beta=true", headers: ["X-Odd-CASE:  v "], body }),
  );
  await simulator.waitFor((requests) => requests.length === 1 && requests[0]?.completedAtMs !== null);
  client.send(printRequest({ credential: "one" }));
  await simulator.waitFor((requests) => requests.length === 2);
  client.close();
  const [first] = simulator.requests;
  expect(first).toMatchObject({
    id: 1,
    credential: "two",
    method: "POST",
    target: "/v1/messages?beta=true",
    arrivedAtMs: 1000,
    completedAtMs: 1000,
    abortedAtMs: null,
    bodySha256: createHash("sha256").update(body).digest("hex"),
  });
  expect(first?.headers).toContainEqual(["X-Odd-CASE", "v"]);
  expect(Buffer.from(first?.rawHead ?? []).toString()).toContain("\r\nX-Odd-CASE:  v \r\n");
  expect(Buffer.from(first?.body ?? []).toString()).toBe(body);
  expect(one.requests.map((request) => request.id)).toEqual([2]);
});

test("reads a body of 32 MiB and its hash, and refuses one byte more", async () => {
  const simulator = await start();
  simulator.account("key");
  const body = new Uint8Array(32 * 1024 * 1024).map((_, index) => index * 7);
  expect((await call(simulator, { body })).status).toBe(200);
  expect(simulator.requests[0]?.bodySha256).toBe(createHash("sha256").update(body).digest("hex"));
  const client = await connectWire(simulator.port);
  client.send(`POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length + 1}\r\n\r\n`);
  expect(await client.until((text) => text.includes("}"))).toStartWith("HTTP/1.1 413 ");
  client.close();
});

test("answers Expect: 100-continue before the body comes", async () => {
  const simulator = await start();
  simulator.account("key");
  const client = await connectWire(simulator.port);
  const whole = printRequest({ headers: ["Expect: 100-continue"], body: "{}" });
  client.send(whole.slice(0, -2));
  expect(await client.until((text) => text.endsWith("\r\n\r\n"))).toBe("HTTP/1.1 100 Continue\r\n\r\n");
  client.send("{}");
  expect(await client.until((text) => text.includes("end_turn"))).toContain("HTTP/1.1 200 OK");
  client.close();
});

test("plays pipelined requests one after the other", async () => {
  const simulator = await start();
  simulator
    .account("key")
    .enqueue(
      { kind: "status", status: 500, firstByteDelayMs: 20 },
      { kind: "status", status: 501 },
      { kind: "status", status: 502 },
    );
  const client = await connectWire(simulator.port);
  client.send(printRequest({ body: "{}" }).repeat(3));
  const text = await client.until((seen) => seen.split("request_id").length === 4);
  expect([...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map((match) => match[1])).toEqual(["500", "501", "502"]);
  client.close();
});

test("refuses a malformed request with 400 and closes", async () => {
  const simulator = await start();
  const client = await connectWire(simulator.port);
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n");
  expect(await client.ended()).toBe("fin");
  expect(client.text).toContain("HTTP/1.1 400 ");
  expect(client.text).toContain("Content-Length and Transfer-Encoding came together");
  client.close();
});

test("records an upload that its sender abandons", async () => {
  const simulator = await start();
  simulator.account("key");
  const client = await connectWire(simulator.port);
  client.send(printRequest({ body: "x".repeat(100) }).slice(0, -40));
  await simulator.waitFor(() => simulator.openConnections === 1);
  client.close();
  await simulator.waitFor((requests) => requests.length === 1 && requests[0]?.abortedAtMs !== null);
  expect(simulator.requests[0]?.body.length).toBe(60);
  expect(simulator.openConnections).toBe(0);
});

test("refuses by itself when the organization's bucket is empty, whichever account asks", async () => {
  const clock = { nowMs: Date.UTC(2026, 0, 1) };
  const simulator = await start({ nowMs: () => clock.nowMs });
  const first = simulator.account("first", { organization: "org", limits: { requests: 1 } });
  simulator.account("second", { organization: "org" });
  first.enqueue({ kind: "message", text: "one" }, { kind: "message", text: "two" });
  const ask = (key: string) => call(simulator, { headers: { "x-api-key": key }, body: "{}" });
  const granted = await ask("first");
  expect(granted.headers.get("anthropic-ratelimit-requests-remaining")).toBe("0");
  expect(await granted.text()).toContain("one");
  for (const key of ["first", "second"]) {
    const refused = await ask(key);
    expect(refused.status).toBe(429);
    expect(refused.headers.get("retry-after")).toBe("60");
    expect(await refused.json()).toMatchObject({ error: { type: "rate_limit_error" } });
  }
  clock.nowMs += 60_000;
  expect(await (await ask("first")).text()).toContain("two");
});

test("sends plan windows on every answer until they are taken away", async () => {
  const simulator = await start();
  const account = simulator.account("key", { unified: { status: "allowed" } });
  account.enqueue({ kind: "status", status: 429 });
  expect((await call(simulator)).headers.get("anthropic-ratelimit-unified-status")).toBe("allowed");
  account.setUnified(undefined);
  expect((await call(simulator)).headers.get("anthropic-ratelimit-unified-status")).toBeNull();
});

test("shares prompt caches within a workspace and nowhere else", async () => {
  const simulator = await start();
  simulator.account("a", { organization: "o", workspace: "w" });
  simulator.account("b", { organization: "o", workspace: "w" });
  simulator.account("c", { organization: "o", workspace: "v" });
  const system = [{ type: "text", text: "x".repeat(4000), cache_control: { type: "ephemeral", ttl: "1h" } }];
  const body = JSON.stringify({ model: "claude-a", system, messages: [{ role: "user", content: "hi" }] });
  const usageOf = async (key: string) => {
    const answer = await (await call(simulator, { headers: { "x-api-key": key }, body })).json();
    return typeof answer === "object" && answer !== null && "usage" in answer ? answer.usage : null;
  };
  const written = { cache_read_input_tokens: 0, cache_creation: { ephemeral_5m_input_tokens: 0 } };
  expect(await usageOf("a")).toMatchObject(written);
  expect(await usageOf("b")).toMatchObject({ cache_creation_input_tokens: 0 });
  expect(await usageOf("c")).toMatchObject(written);
});

test("keeps only the newest 10,000 requests", async () => {
  const simulator = await start();
  const client = await connectWire(simulator.port);
  const batch = printRequest({ method: "HEAD", target: "/" }).repeat(500);
  for (let sent = 500; sent <= 10_500; sent += 500) {
    client.send(batch);
    await simulator.waitFor(() => simulator.counters.completed === sent);
  }
  client.close();
  expect(simulator.requests.length).toBeLessThanOrEqual(10_000);
  expect(simulator.requests.length).toBeGreaterThanOrEqual(9_500);
  expect(simulator.requests.at(-1)?.id).toBe(10_500);
});

test("rejects a wait whose condition does not come true, or that it outlives", async () => {
  const simulator = await start();
  await expect(simulator.waitFor(() => false, 10)).rejects.toThrow("did not hold within 10 ms");
  const outcome = simulator
    .waitFor(() => false)
    .then(
      () => "held",
      (error: unknown) => String(error),
    );
  await simulator.stop();
  expect(await outcome).toContain("it was stopped");
});

test("stops while streams are under way", async () => {
  const simulator = await start();
  simulator.account("key").setDefault({ kind: "stream", eventDelayMs: 10_000 });
  const client = await connectWire(simulator.port);
  client.send(printRequest({ body: "{}" }));
  await simulator.waitFor(() => simulator.activeStreams === 1);
  await simulator.stop();
  expect(simulator.activeStreams).toBe(0);
  expect(simulator.openConnections).toBe(0);
});

test("counts instead of recording, with the same answers", async () => {
  const simulator = await start({ recording: "counts" });
  const account = simulator.account("key");
  account.setDefault({ kind: "stream", textDeltas: 3, eventDelayMs: 1 });
  account.enqueue({ kind: "auto" });
  const plain = await call(simulator, { body: '{"model":"claude-echo"}' });
  expect(await plain.json()).toMatchObject({ type: "message", model: "claude-echo" });
  const stream = await (await call(simulator, { body: "x".repeat(1000) })).text();
  expect(stream).toStartWith("event: message_start\n");
  expect(stream).toEndWith('event: message_stop\ndata: {"type":"message_stop"}\n\n');
  account.setDefault({ kind: "message", text: "fixed" });
  for (let asked = 0; asked < 3; asked += 1) expect(await (await call(simulator)).text()).toContain("fixed");
  await simulator.waitFor(() => simulator.counters.completed === 5);
  expect(simulator.requests).toHaveLength(0);
  expect(simulator.activeStreams).toBe(0);
});

test.each(["records", "counts"] as const)(
  "honours backpressure (%s): a reader that pauses gets all",
  async (recording) => {
    const simulator = await start({ recording });
    const text = "0123456789".repeat(800_000);
    simulator.account("key").setDefault({ kind: "message", text });
    const client = await connectWire(simulator.port);
    client.pause();
    client.send(printRequest({ body: "{}" }));
    await simulator.waitFor(() => simulator.counters.requests === 1);
    // The kernel's buffers hold less than the answer, so it cannot be complete while nobody reads.
    await new Promise((resolve) => setImmediate(resolve));
    expect(simulator.counters.completed).toBe(0);
    client.resume();
    await simulator.waitFor(() => simulator.counters.completed === 1);
    expect((await client.until((seen) => seen.endsWith("}}"))).split(text)).toHaveLength(2);
    client.close();
  },
);
