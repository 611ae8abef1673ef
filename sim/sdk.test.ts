import { afterAll, beforeAll, expect, test } from "bun:test";
import Anthropic from "@anthropic-ai/sdk";
import { rateLimitedStep, spendLimitStep } from "./api-error.ts";
import type { Simulator } from "./simulator.ts";
import { startSimulator } from "./simulator.ts";

// The official SDK is the judge of what a valid answer is: it is used here exactly as an application uses it.

let simulator: Simulator;

beforeAll(async () => {
  simulator = await startSimulator();
});
afterAll(() => simulator.stop());

function client(credential: string): Anthropic {
  return new Anthropic({ baseURL: simulator.url, apiKey: credential, maxRetries: 0 });
}

/** The SDK's promises start when somebody awaits them, which `expect().rejects` does not do. */
async function failureOf(call: PromiseLike<unknown>): Promise<unknown> {
  try {
    await call;
    return null;
  } catch (error) {
    return error;
  }
}

const request = {
  model: "claude-sonnet-5-5",
  max_tokens: 100,
  messages: [{ role: "user" as const, content: "Say hello" }],
};
const weatherTool = { name: "get_weather", input_schema: { type: "object" as const, properties: {} } };

test("answers messages.create with the model of the request", async () => {
  simulator.account("sdk-plain");
  const message = await client("sdk-plain").messages.create(request);
  expect(message.model).toBe("claude-sonnet-5-5");
  expect(message.content).toMatchObject([{ type: "text", text: "Hello! This answer comes from the simulator." }]);
  expect(message.stop_reason).toBe("end_turn");
  expect(message.usage.output_tokens).toBeGreaterThan(1);
  expect(message._request_id).toStartWith("req_");
});

test("streams text, thinking and a tool call that the SDK puts together again", async () => {
  const account = simulator.account("sdk-stream");
  account.enqueue({
    kind: "stream",
    thinking: "The user greets – 你好.",
    text: "Grüße aus Zürich",
    toolUse: { name: "get_weather", input: { city: "Zürich", days: [1, 2] } },
  });
  const stream = client("sdk-stream").messages.stream({ ...request, tools: [weatherTool] });
  const message = await stream.finalMessage();
  expect(message.content).toMatchObject([
    { type: "thinking", thinking: "The user greets – 你好." },
    { type: "text", text: "Grüße aus Zürich" },
    { type: "tool_use", name: "get_weather", input: { city: "Zürich", days: [1, 2] } },
  ]);
  expect(message.stop_reason).toBe("tool_use");
});

test("calls the first tool of the request when the step only asks for a call", async () => {
  const account = simulator.account("sdk-tool");
  account.enqueue({ kind: "auto", toolUse: true });
  const message = await client("sdk-tool").messages.create({ ...request, tools: [weatherTool] });
  expect(message.content.at(-1)).toMatchObject({ type: "tool_use", name: "get_weather" });
});

test("corrects the input usage at the end of the stream", async () => {
  const account = simulator.account("sdk-usage");
  account.enqueue({
    kind: "stream",
    usage: { input_tokens: 2679 },
    finalUsage: { input_tokens: 10682, output_tokens: 510, server_tool_use: { web_search_requests: 1 } },
  });
  const seen: unknown[] = [];
  for await (const event of await client("sdk-usage").messages.create({ ...request, stream: true })) {
    if (event.type === "message_start") seen.push(event.message.usage.input_tokens);
    if (event.type === "message_delta") seen.push(event.usage);
  }
  expect(seen[0]).toBe(2679);
  expect(seen[1]).toMatchObject({
    input_tokens: 10682,
    output_tokens: 510,
    server_tool_use: { web_search_requests: 1 },
  });
});

test.each([
  { status: 400, error: Anthropic.BadRequestError },
  { status: 401, error: Anthropic.AuthenticationError },
  { status: 403, error: Anthropic.PermissionDeniedError },
  { status: 404, error: Anthropic.NotFoundError },
  { status: 409, error: Anthropic.ConflictError },
  { status: 429, error: Anthropic.RateLimitError },
  { status: 529, error: Anthropic.InternalServerError },
])("makes the SDK throw its own error class for $status", async ({ status, error }) => {
  simulator.account("sdk-errors").enqueue({ kind: "status", status });
  expect(await failureOf(client("sdk-errors").messages.create(request))).toBeInstanceOf(error);
});

test("gives 429 with a retry-after and the spend limit its own words", async () => {
  simulator.account("sdk-limits").enqueue(rateLimitedStep(17), spendLimitStep("2026-12-01 at 00:00 UTC"));
  const limited = await failureOf(client("sdk-limits").messages.create(request));
  expect(limited).toBeInstanceOf(Anthropic.RateLimitError);
  expect(limited instanceof Anthropic.APIError && limited.headers?.get("retry-after")).toBe("17");
  const spent = await failureOf(client("sdk-limits").messages.create(request));
  expect(spent instanceof Anthropic.BadRequestError && spent.message).toContain(
    "You have reached your specified workspace API usage limits. You will regain access on 2026-12-01 at 00:00 UTC.",
  );
});

test("says an error as the first event of a stream", async () => {
  simulator.account("sdk-stream-error").enqueue({ kind: "streamError", pings: 2 });
  const stream = await client("sdk-stream-error").messages.create({ ...request, stream: true });
  await expect(Array.fromAsync(stream)).rejects.toThrow("overloaded_error");
});

test("counts tokens and lists models", async () => {
  simulator.account("sdk-models", {
    models: [
      { id: "claude-a", displayName: "A" },
      { id: "claude-b", displayName: "B" },
    ],
  });
  const sdk = client("sdk-models");
  const { input_tokens: counted } = await sdk.messages.countTokens({ model: "claude-a", messages: request.messages });
  expect(counted).toBeGreaterThan(0);
  const ids: string[] = [];
  for await (const model of sdk.models.list({ limit: 1 })) ids.push(model.id);
  expect(ids).toEqual(["claude-a", "claude-b"]);
  expect((await sdk.models.retrieve("claude-b")).display_name).toBe("B");
  expect(await failureOf(sdk.messages.create(request))).toBeInstanceOf(Anthropic.NotFoundError);
});
