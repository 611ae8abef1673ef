import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import Anthropic from "@anthropic-ai/sdk";
import { type SimulatedAccount, type Simulator, startSimulator } from "../../sim/simulator.ts";
import type { Step } from "../../sim/step.ts";
import { type GatewayProcess, startGateway } from "./gateway-process.ts";

// What the official SDK makes of each error that comes through the gateway. A refusal benches accounts per model
// class, so each test that causes one names a family of its own.

let simulator: Simulator;
let gateway: GatewayProcess;
let first: SimulatedAccount;
let second: SimulatedAccount;

beforeAll(async () => {
  simulator = await startSimulator();
  gateway = await startGateway();
  first = simulator.account("sk-sim-first");
  second = simulator.account("sk-sim-second");
  await gateway.addAccount("first", { baseUrl: simulator.url, credential: "sk-sim-first", priority: 1 });
  await gateway.addAccount("second", { baseUrl: simulator.url, credential: "sk-sim-second", priority: 2 });
});

afterAll(async () => {
  await gateway.stop();
  await simulator.stop();
});

function client(options: { readonly key?: string; readonly maxRetries?: number } = {}): Anthropic {
  const { key = gateway.firstKey, maxRetries = 0 } = options;
  return new Anthropic({ baseURL: gateway.url, apiKey: key, authToken: null, maxRetries });
}

function request(model = "claude-sonnet-5-5") {
  return { model, max_tokens: 100, messages: [{ role: "user" as const, content: "Say hello" }] };
}

/** The SDK's promises start when somebody awaits them, which `expect().rejects` does not do. */
async function errorOf(call: PromiseLike<unknown>): Promise<InstanceType<typeof Anthropic.APIError>> {
  try {
    await call;
  } catch (error) {
    if (error instanceof Anthropic.APIError) return error;
    throw error;
  }
  throw new Error("Cannot find an error: the call succeeded");
}

function both(step: Step): void {
  first.enqueue(step);
  second.enqueue(step);
}

describe("an error of upstream arrives unchanged", () => {
  test("429, once no account is left", async () => {
    const limits = { "retry-after": "31", "anthropic-ratelimit-requests-remaining": "0", "x-should-retry": "true" };
    first.enqueue({ kind: "status", status: 429, headers: { "retry-after": "30" }, message: "first is limited" });
    second.enqueue({ kind: "status", status: 429, headers: limits, message: "second is limited" });
    const error = await errorOf(client().messages.create(request("claude-opus-5-5")));
    expect(error).toBeInstanceOf(Anthropic.RateLimitError);
    expect(error.error).toEqual({
      type: "error",
      error: { type: "rate_limit_error", message: "second is limited" },
      request_id: error.requestID,
    });
    for (const [name, value] of Object.entries(limits)) expect(error.headers?.get(name)).toBe(value);
    expect(error.headers?.get("x-better-ccflare-attempts")).toBe("2");
    const [line] = await gateway.requests(1);
    expect(line).toMatchObject({ status: 429, outcome: "upstream_error", attempts: 2, errorType: "rate_limit_error" });
  });

  test("and the next request is refused with the earliest reset, without asking upstream", async () => {
    const asked = simulator.requests.length;
    const error = await errorOf(client().messages.create(request("claude-opus-5-5")));
    expect(error).toBeInstanceOf(Anthropic.RateLimitError);
    expect(error.message).toContain("GW_ALL_LIMITED");
    const seconds = Number(error.headers?.get("retry-after"));
    expect(seconds).toBeGreaterThan(20);
    expect(seconds).toBeLessThanOrEqual(30);
    expect(simulator.requests).toHaveLength(asked);
  });

  test("529, after one more try in place and one elsewhere", async () => {
    first.enqueue({ kind: "status", status: 529 }, { kind: "status", status: 529 });
    second.enqueue({ kind: "status", status: 529, message: "Overloaded, all of it" });
    const error = await errorOf(client().messages.create(request()));
    expect(error).toBeInstanceOf(Anthropic.InternalServerError);
    expect(error.status).toBe(529);
    expect(error.type).toBe("overloaded_error");
    expect(error.message).toContain("Overloaded, all of it");
    expect(error.headers?.get("x-better-ccflare-attempts")).toBe("3");
  });

  test.each([
    { status: 400, error: Anthropic.BadRequestError },
    { status: 409, error: Anthropic.ConflictError },
    { status: 413, error: Anthropic.APIError },
  ])("$status, and nobody else is asked", async ({ status, error: Class }) => {
    first.enqueue({ kind: "status", status, message: "prompt is too long: 250000 tokens > 200000 maximum" });
    const asked = simulator.requests.length;
    const error = await errorOf(client().messages.create(request()));
    expect(error).toBeInstanceOf(Class);
    expect(error.status).toBe(status);
    expect(error.message).toContain("prompt is too long: 250000 tokens > 200000 maximum");
    expect(error.requestID).toStartWith("req_");
    expect(simulator.requests).toHaveLength(asked + 1);
  });

  test("404 of a model that no account has", async () => {
    both({ kind: "status", status: 404, message: "model: claude-haiku-9" });
    const error = await errorOf(client().messages.create(request("claude-haiku-9")));
    expect(error).toBeInstanceOf(Anthropic.NotFoundError);
    expect(error.message).toContain("model: claude-haiku-9");
  });

  test("an error event in the middle of a stream", async () => {
    first.enqueue({ kind: "stream", errorAfterEvents: 4 });
    const stream = await client().messages.create({ ...request(), stream: true });
    const error = await errorOf(Array.fromAsync(stream));
    expect(error.message).toContain("overloaded_error");
    const [line] = await gateway.requests(1);
    expect(line).toMatchObject({ status: 200, outcome: "upstream_error", errorType: "overloaded_error", attempts: 1 });
  });
});

describe("a fault before the first content byte is not the client's to see", () => {
  test.each([
    { fault: "a 529 once", step: { kind: "status", status: 529 }, account: "first" },
    { fault: "a stream that opens with an error", step: { kind: "streamError", pings: 2 }, account: "first" },
    { fault: "a connection closed without an answer", step: { kind: "refuse" }, account: "first" },
  ] as const)("$fault", async ({ step, account }) => {
    first.enqueue(step);
    const message = await client().messages.stream(request()).finalMessage();
    expect(message.stop_reason).toBe("end_turn");
    const [line] = await gateway.requests(1);
    expect(line).toMatchObject({ outcome: "completed", account, attempts: 2 });
  });
});

describe("the gateway's own refusals have the API's shape", () => {
  test.each([
    { what: "a wrong client key", key: `bccf_sk_${"A".repeat(59)}`, code: "GW_BAD_KEY" },
    { what: "a provider's key", key: `sk-ant-api03-${"A".repeat(80)}`, code: "GW_PROVIDER_CREDENTIAL" },
    { what: "a claude.ai login", key: `sk-ant-oat01-${"A".repeat(80)}`, code: "GW_PROVIDER_CREDENTIAL" },
  ])("401 for $what, which reaches neither upstream nor the answer", async ({ key, code }) => {
    const asked = simulator.requests.length;
    const error = await errorOf(client({ key }).messages.create(request()));
    expect(error).toBeInstanceOf(Anthropic.AuthenticationError);
    expect(error.type).toBe("authentication_error");
    expect(error.message).toContain(code);
    expect(error.message).not.toContain(key);
    expect(error.error).toMatchObject({ request_id: error.headers?.get("x-better-ccflare-request-id") });
    expect(simulator.requests).toHaveLength(asked);
  });

  test("413 for a body over 32 MiB, without reading it to the end", async () => {
    const asked = simulator.requests.length;
    const content = "x".repeat(33 * 1024 * 1024);
    const error = await errorOf(client().messages.create({ ...request(), messages: [{ role: "user", content }] }));
    expect(error.status).toBe(413);
    expect(String(error.type)).toBe("request_too_large");
    expect(simulator.requests).toHaveLength(asked);
  });

  test("400 for two different keys", async () => {
    const error = await errorOf(client().messages.create(request(), { headers: { "x-api-key": "other" } }));
    expect(error).toBeInstanceOf(Anthropic.BadRequestError);
    expect(error.message).toContain("GW_TWO_KEYS");
  });
});

test("the SDK's own retry works on top of the gateway's", async () => {
  first.enqueue({ kind: "status", status: 529 }, { kind: "status", status: 529 });
  second.enqueue({ kind: "status", status: 529 });
  const message = await client({ maxRetries: 1 }).messages.create(request());
  expect(message.stop_reason).toBe("end_turn");
  const [answered, failed] = await gateway.requests(2);
  expect(answered).toMatchObject({ status: 200, attempts: 1, account: "first" });
  expect(failed).toMatchObject({ status: 529, attempts: 3 });
  const retried = first.requests.at(-1)?.headers.find(([name]) => name.toLowerCase() === "x-stainless-retry-count");
  expect(retried?.[1]).toBe("1");
});
