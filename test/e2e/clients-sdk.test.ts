import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import Anthropic from "@anthropic-ai/sdk";
import { type SimulatedAccount, type Simulator, startSimulator } from "../../sim/simulator.ts";
import { type GatewayProcess, type LedgerLine, startGateway } from "./gateway-process.ts";

// The official SDK, as an application uses it, through the gateway as an operator runs it.

const CREDENTIAL = "sk-sim-sdk";
const REQUEST_ID_HEADER = "x-better-ccflare-request-id";

let simulator: Simulator;
let gateway: GatewayProcess;
let upstream: SimulatedAccount;
let key: string;
/** What the SDK handed to `fetch`, newest last. */
const sent: { readonly headers: Headers; readonly body: string }[] = [];

beforeAll(async () => {
  simulator = await startSimulator();
  gateway = await startGateway();
  upstream = simulator.account(CREDENTIAL, {
    models: [
      { id: "claude-sonnet-5-5", displayName: "Claude Sonnet 5.5" },
      { id: "claude-haiku-5", displayName: "Claude Haiku 5" },
    ],
  });
  await gateway.addAccount("main", { baseUrl: simulator.url, credential: CREDENTIAL });
  key = gateway.firstKey;
});

afterAll(async () => {
  await gateway.stop();
  await simulator.stop();
});

type Login = { readonly apiKey?: string; readonly authToken?: string };

function client(login: Login = { apiKey: key }): Anthropic {
  return new Anthropic({
    baseURL: gateway.url,
    apiKey: login.apiKey ?? null,
    authToken: login.authToken ?? null,
    maxRetries: 0,
    fetch(url, init) {
      sent.push({ headers: new Headers(init?.headers), body: String(init?.body ?? "") });
      return fetch(url, init);
    },
  });
}

const request = {
  model: "claude-sonnet-5-5",
  max_tokens: 100,
  messages: [{ role: "user" as const, content: "Say hello – 你好" }],
};
const weatherTool = { name: "get_weather", input_schema: { type: "object" as const, properties: {} } };

async function ledgerLine(id: string | null): Promise<LedgerLine & { readonly upstreamRequestId: string | null }> {
  const lines = await gateway.json<(LedgerLine & { readonly upstreamRequestId: string | null })[]>(["requests"]);
  const line = lines.find((each) => each.id === id);
  if (line === undefined) throw new Error(`Cannot find the request ${id} in the ledger`);
  return line;
}

function expectAccountCredentialAlone(): void {
  const recorded = upstream.requests.at(-1);
  const credentials = recorded?.headers.filter(([name]) => /^(authorization|x-api-key)$/i.test(name));
  expect(credentials).toEqual([["x-api-key", CREDENTIAL]]);
  expect(Buffer.from(recorded?.rawHead ?? []).includes(key)).toBeFalse();
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

describe("messages.create", () => {
  test("answers, shows upstream's request id and writes one line", async () => {
    const { data: message, response, request_id: requestId } = await client().messages.create(request).withResponse();
    expect(message.model).toBe("claude-sonnet-5-5");
    expect(message.content).toMatchObject([{ type: "text", text: "Hello! This answer comes from the simulator." }]);
    expect(requestId ?? "").toStartWith("req_");
    expect(response.headers.get("x-better-ccflare-attempts")).toBe("1");
    expect(await ledgerLine(response.headers.get(REQUEST_ID_HEADER))).toMatchObject({
      status: 200,
      outcome: "completed",
      account: "main",
      clientKey: "default",
      model: "claude-sonnet-5-5",
      stream: false,
      attempts: 1,
      upstreamRequestId: requestId,
      usage: { inputTokens: message.usage.input_tokens, outputTokens: message.usage.output_tokens },
    });
  });

  test("reaches upstream with the very bytes and headers that the SDK sent", async () => {
    const body = { ...request, metadata: { user_id: '{"session_id":"s-1"}' } };
    await client().messages.create(body, { headers: { "anthropic-beta": "one-2026-01-01,two-2026-02-02" } });
    const recorded = upstream.requests.at(-1);
    expect(recorded?.bodySha256).toBe(sha256(sent.at(-1)?.body ?? ""));
    const received = new Headers(recorded?.headers.map(([name, value]): [string, string] => [name, value]));
    const kept = [...(sent.at(-1)?.headers ?? [])].filter(([name]) => !/^(authorization|x-api-key)$/.test(name));
    expect(kept.map(([name]) => name)).toContain("anthropic-version");
    expect(kept.map(([name]) => [name, received.get(name)])).toEqual(kept);
    expect(received.get("anthropic-beta")).toBe("one-2026-01-01,two-2026-02-02");
  });

  test.each([
    { how: "apiKey", login: () => ({ apiKey: key }) },
    { how: "authToken", login: () => ({ authToken: key }) },
  ])("takes the client key as $how, and sends upstream the account's credential alone", async ({ login }) => {
    expect(await client(login()).messages.create(request)).toMatchObject({ role: "assistant" });
    expectAccountCredentialAlone();
  });

  test("takes the client key in both headers, as apiKeyHelper of Claude Code sends it", async () => {
    await client().messages.create(request, { headers: { "x-api-key": key } });
    expectAccountCredentialAlone();
  });

  test("calls a tool and takes its result back", async () => {
    upstream.enqueue(
      { kind: "auto", text: "Let me look", toolUse: { name: "get_weather", input: { city: "Zürich" } } },
      { kind: "auto", text: "It snows" },
    );
    const asked = await client().messages.create({ ...request, tools: [weatherTool] });
    const call = asked.content.find((block) => block.type === "tool_use");
    expect(asked.stop_reason).toBe("tool_use");
    expect(call?.input).toEqual({ city: "Zürich" });
    const answered = await client().messages.create({
      ...request,
      tools: [weatherTool],
      messages: [
        ...request.messages,
        { role: "assistant", content: asked.content },
        { role: "user", content: [{ type: "tool_result", tool_use_id: call?.id ?? "", content: "snow, -2 °C" }] },
      ],
    });
    expect(answered.content).toMatchObject([{ type: "text", text: "It snows" }]);
    const recorded = upstream.requests.at(-1);
    expect(recorded?.bodySha256).toBe(sha256(sent.at(-1)?.body ?? ""));
    expect(Buffer.from(recorded?.body ?? []).includes("snow, -2 °C")).toBeTrue();
  });
});

describe("messages.stream", () => {
  test("puts text, thinking and a tool call together again, piece by piece", async () => {
    upstream.enqueue({
      kind: "stream",
      thinking: "The user greets – 你好.",
      text: "Grüße aus Zürich",
      toolUse: { name: "get_weather", input: { city: "Zürich", days: [1, 2] } },
      unknownEvent: true,
      randomCutSeed: 7,
    });
    const seen = { text: "", thinking: "", json: "", pieces: 0 };
    const stream = client().messages.stream({ ...request, tools: [weatherTool] });
    stream.on("text", (delta) => {
      seen.text += delta;
    });
    stream.on("thinking", (delta) => {
      seen.thinking += delta;
    });
    stream.on("inputJson", (partial) => {
      seen.json += partial;
      seen.pieces += 1;
    });
    const message = await stream.finalMessage();
    expect(message.content).toMatchObject([
      { type: "thinking", thinking: "The user greets – 你好.", signature: expect.stringMatching(/.+/) },
      { type: "text", text: "Grüße aus Zürich" },
      { type: "tool_use", name: "get_weather", input: { city: "Zürich", days: [1, 2] } },
    ]);
    expect(message.stop_reason).toBe("tool_use");
    expect(seen).toMatchObject({ text: "Grüße aus Zürich", thinking: "The user greets – 你好." });
    expect(JSON.parse(seen.json)).toEqual({ city: "Zürich", days: [1, 2] });
    expect(seen.pieces).toBeGreaterThan(1);
  });

  test("keeps events, their order and their number", async () => {
    upstream.enqueue({ kind: "stream", text: "abcd", textDeltas: 2 });
    const seen: string[] = [];
    for await (const event of await client().messages.create({ ...request, stream: true })) seen.push(event.type);
    expect(seen).toEqual([
      "message_start",
      "content_block_start",
      "content_block_delta",
      "content_block_delta",
      "content_block_stop",
      "message_delta",
      "message_stop",
    ]);
  });

  test("gives each event when it comes, not at the end", async () => {
    upstream.enqueue({ kind: "stream", stallAfterEvents: 4 });
    const stream = client().messages.stream(request);
    // Upstream says nothing more after the first delta, so this resolves only if nobody holds it back.
    const first = await new Promise<string>((resolve) => stream.once("text", resolve));
    expect(first).not.toBe("");
    stream.abort();
    await stream.done().catch(() => undefined);
  });

  test("is recorded whole, however its first events arrive", async () => {
    const answers = await Promise.all(
      Array.from({ length: 24 }, () =>
        client()
          .messages.create({ ...request, stream: true })
          .withResponse(),
      ),
    );
    const ids = new Set(answers.map(({ response }) => response.headers.get(REQUEST_ID_HEADER)));
    const seen = await Promise.all(answers.map(async ({ data }) => (await Array.fromAsync(data)).at(-1)?.type));
    expect(new Set(seen)).toEqual(new Set(["message_stop"]));
    const lines = (await gateway.requests(1000)).filter(({ id }) => ids.has(id));
    expect(lines).toHaveLength(24);
    expect(lines.filter(({ outcome, usage }) => outcome !== "completed" || usage?.["outputTokens"] === 1)).toEqual([]);
  });
});

describe("usage in the ledger", () => {
  const cached = {
    input_tokens: 2679,
    cache_creation_input_tokens: 500,
    cache_creation: { ephemeral_5m_input_tokens: 200, ephemeral_1h_input_tokens: 300 },
    cache_read_input_tokens: 1000,
  };
  const cacheTokens = { cacheWrite5mTokens: 200, cacheWrite1hTokens: 300, cacheReadTokens: 1000 };

  test("is what the SDK saw at the end of a stream, corrected input included", async () => {
    upstream.enqueue({ kind: "stream", usage: cached, finalUsage: { input_tokens: 10_682, output_tokens: 510 } });
    const { data, response } = await client()
      .messages.create({ ...request, stream: true })
      .withResponse();
    const figures: unknown[] = [];
    for await (const event of data) {
      if (event.type === "message_start") figures.push(event.message.usage);
      if (event.type === "message_delta") figures.push(event.usage);
    }
    expect(figures).toMatchObject([cached, { input_tokens: 10_682, output_tokens: 510 }]);
    const { usage } = await ledgerLine(response.headers.get(REQUEST_ID_HEADER));
    expect(usage).toMatchObject({ inputTokens: 10_682, outputTokens: 510, ...cacheTokens });
  });

  test("is what the SDK saw in a plain answer", async () => {
    upstream.enqueue({ kind: "message", usage: { ...cached, output_tokens: 42 } });
    const { data, response } = await client().messages.create(request).withResponse();
    expect(data.usage).toMatchObject(cached);
    const { usage } = await ledgerLine(response.headers.get(REQUEST_ID_HEADER));
    expect(usage).toMatchObject({ inputTokens: 2679, outputTokens: data.usage.output_tokens, ...cacheTokens });
  });
});

describe("a client that leaves", () => {
  test.each([
    { when: "in the middle of a stream", step: { kind: "stream", stallAfterEvents: 4 }, outcome: "client_gone" },
    { when: "before the first byte", step: { kind: "silence" }, outcome: "client_gone" },
  ] as const)("$when is told upstream within 100 ms", async ({ step, outcome }) => {
    upstream.enqueue(step);
    const before = upstream.requests.length;
    const stream = client().messages.stream(request);
    const left = stream.done().catch(() => undefined);
    if (step.kind === "stream") await new Promise((resolve) => stream.once("text", resolve));
    else await simulator.waitFor(() => upstream.requests.length > before);
    const leftAtMs = Date.now();
    stream.abort();
    await simulator.waitFor(() => (upstream.requests.at(-1)?.abortedAtMs ?? null) !== null);
    expect((upstream.requests.at(-1)?.abortedAtMs ?? Number.POSITIVE_INFINITY) - leftAtMs).toBeLessThan(100);
    await left;
    const [line] = await gateway.requests(1);
    expect(line).toMatchObject({ outcome, account: "main", attempts: 1 });
  });
});

describe("the other endpoints", () => {
  test("count tokens", async () => {
    const before = upstream.requests.length;
    const { input_tokens: counted } = await client().messages.countTokens({
      model: request.model,
      messages: request.messages,
    });
    expect(counted).toBeGreaterThan(0);
    expect(upstream.requests.slice(before).map(({ target }) => target)).toEqual(["/v1/messages/count_tokens"]);
  });

  test("list models without a trip upstream", async () => {
    const before = upstream.requests.length;
    const ids: string[] = [];
    for await (const model of client().models.list()) ids.push(model.id);
    expect(ids.toSorted()).toEqual(["claude-haiku-5", "claude-sonnet-5-5"]);
    expect((await client().models.retrieve("claude-haiku-5")).display_name).toBe("Claude Haiku 5");
    expect(upstream.requests).toHaveLength(before);
  });
});
