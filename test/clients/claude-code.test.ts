import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type RecordedRequest, type SimulatedAccount, type Simulator, startSimulator } from "../../sim/simulator.ts";
import { type GatewayProcess, startGateway } from "../e2e/gateway-process.ts";
import { runClaudeCode } from "./run-claude-code.ts";
import { tapWire, type WireTap } from "./wire-tap.ts";

// The real Claude Code, pinned by tools/install-claude-code.ts. What it was seen to send: docs/upstream/claude-code.md.

setDefaultTimeout(90_000);

const ANSWER = "Hello! This answer comes from the simulator.";
const FIRST = "sk-sim-claude-first";
const SECOND = "sk-sim-claude-second";

let simulator: Simulator;
let gateway: GatewayProcess;
let wire: WireTap;
let first: SimulatedAccount;
let second: SimulatedAccount;
let key: string;
/** Where the test at hand begins in `simulator.requests`. */
let asked: number;

beforeAll(async () => {
  simulator = await startSimulator();
  gateway = await startGateway();
  first = simulator.account(FIRST, { organization: "org-first" });
  second = simulator.account(SECOND, { organization: "org-second" });
  await gateway.addAccount("first", { baseUrl: simulator.url, credential: FIRST, priority: 1 });
  await gateway.addAccount("second", { baseUrl: simulator.url, credential: SECOND, priority: 2 });
  key = (await gateway.createKey("claude-code")).key;
  wire = await tapWire(gateway.url);
});
afterAll(async () => {
  wire.stop();
  await gateway.stop();
  await simulator.stop();
});
beforeEach(() => {
  asked = simulator.requests.length;
});

function messages(): readonly RecordedRequest[] {
  return simulator.requests.slice(asked).filter(({ target }) => target.startsWith("/v1/messages"));
}

function headerOf({ headers }: RecordedRequest, name: string): string | null {
  return headers.find(([each]) => each.toLowerCase() === name)?.[1] ?? null;
}

type StreamLine = {
  readonly type: string;
  readonly subtype?: string;
  readonly result?: string;
  readonly message?: { readonly content: readonly { readonly type: string; readonly [field: string]: unknown }[] };
};

function linesOf(stdout: string): readonly StreamLine[] {
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}

const STREAM_JSON = ["--output-format", "stream-json", "--verbose"] as const;

describe("claude -p", () => {
  test.each(["ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY"])("prints the answer, with the key in %s", async (name) => {
    const run = await runClaudeCode({
      prompt: "say hello",
      env: { ANTHROPIC_BASE_URL: wire.url, [name]: key },
    });
    expect(run).toEqual({ exitCode: 0, stdout: `${ANSWER}\n`, stderr: "" });
    const [line] = await gateway.requests(1);
    expect(line).toMatchObject({
      status: 200,
      outcome: "completed",
      account: "first",
      clientKey: "claude-code",
      stream: true,
      attempts: 1,
    });
    expect(messages()).toHaveLength(1);
  });

  test("prints every event of a long answer as stream-json, thinking included", async () => {
    first.enqueue({ kind: "stream", thinking: "It greets.", text: ANSWER, textDeltas: 20, randomCutSeed: 11 });
    const run = await runClaudeCode({
      prompt: "say hello",
      args: STREAM_JSON,
      env: { ANTHROPIC_BASE_URL: wire.url, ANTHROPIC_AUTH_TOKEN: key },
    });
    expect(run).toMatchObject({ exitCode: 0, stderr: "" });
    const lines = linesOf(run.stdout);
    expect(lines[0]).toMatchObject({ type: "system", subtype: "init" });
    const blocks = lines.flatMap(({ type, message }) => (type === "assistant" ? (message?.content ?? []) : []));
    expect(blocks).toMatchObject([
      { type: "thinking", thinking: "It greets." },
      { type: "text", text: ANSWER },
    ]);
    expect(lines.at(-1)).toMatchObject({ type: "result", subtype: "success", is_error: false, result: ANSWER });
    const [line] = await gateway.requests(1);
    const usage = line?.usage ?? {};
    expect(lines.at(-1)).toMatchObject({
      usage: { input_tokens: usage["inputTokens"], output_tokens: usage["outputTokens"] },
    });
  });
});

describe("a session", () => {
  test("calls a tool on this machine and sends its result back through the gateway", async () => {
    const text = "The note says CANARYnote";
    const run = await toolTurn(() => first.enqueue({ kind: "auto", text }));
    expect(linesOf(run.stdout).at(-1)).toMatchObject({
      type: "result",
      subtype: "success",
      num_turns: 2,
      result: text,
    });
    expect(messages().map(({ credential }) => credential)).toEqual([FIRST, FIRST]);
    expect(Buffer.from(messages().at(-1)?.body ?? []).includes("CANARYnote")).toBeTrue();
    const sessions = new Set(messages().map((request) => headerOf(request, "x-claude-code-session-id")));
    expect(sessions.size).toBe(1);
    const lines = await gateway.requests(2);
    expect(lines.map(({ outcome, attempts }) => ({ outcome, attempts }))).toEqual([
      { outcome: "completed", attempts: 1 },
      { outcome: "completed", attempts: 1 },
    ]);
  });

  test("goes on at the second account when the first one is limited in the middle of it", async () => {
    const run = await toolTurn(() => {
      first.enqueue({ kind: "status", status: 429, headers: { "retry-after": "3600" } });
      second.enqueue({ kind: "auto", text: "The second account goes on" });
    });
    expect(linesOf(run.stdout).at(-1)).toMatchObject({ subtype: "success", result: "The second account goes on" });
    expect(messages().map(({ credential }) => credential)).toEqual([FIRST, FIRST, SECOND]);
    const [onFirst, onSecond] = messages().slice(1);
    expect(onSecond?.bodySha256).toBe(onFirst?.bodySha256 ?? "");
    expect(await gateway.requests(1)).toMatchObject([{ outcome: "completed", account: "second", attempts: 2 }]);
    expect((await gateway.cli(["account", "resume", "first"])).code).toBe(0);
  });

  /** The simulated model asks for a file of the working directory; `next` scripts what it answers then. */
  async function toolTurn(next: () => void) {
    first.enqueue({ kind: "auto", text: "I look", toolUse: { name: "Read", input: { file_path: "note.txt" } } });
    next();
    const run = await runClaudeCode({
      prompt: "what does note.txt say?",
      args: STREAM_JSON,
      env: { ANTHROPIC_BASE_URL: wire.url, ANTHROPIC_AUTH_TOKEN: key },
      files: { "note.txt": "CANARYnote" },
    });
    expect(run).toMatchObject({ exitCode: 0, stderr: "" });
    return run;
  }
});

describe("an error of upstream", () => {
  // The client matches upstream's wording: a gateway that wraps errors breaks its recovery.
  test("is recognised by its words", async () => {
    first.enqueue({ kind: "status", status: 400, message: "prompt is too long: 250000 tokens > 200000 maximum" });
    const run = await runClaudeCode({
      prompt: "say hello",
      env: { ANTHROPIC_BASE_URL: wire.url, ANTHROPIC_AUTH_TOKEN: key },
    });
    expect(run.exitCode).toBe(1);
    expect(run.stdout).toStartWith("Prompt is too long");
    expect(run.stdout).toContain("~250000 tokens (limit 200000)");
    expect(messages()).toHaveLength(1);
  });

  test("that the client does not know is printed as upstream said it", async () => {
    first.setDefault({ kind: "status", status: 400, message: "This model does not take the field CANARYfield." });
    const run = await runClaudeCode({
      prompt: "say hello",
      env: { ANTHROPIC_BASE_URL: wire.url, ANTHROPIC_AUTH_TOKEN: key },
    });
    first.setDefault({ kind: "auto" });
    expect(run).toMatchObject({
      exitCode: 1,
      stdout: "API Error: 400 This model does not take the field CANARYfield.\n",
    });
    // It tries again with fewer betas; no request of it may go to another account.
    expect(new Set(messages().map(({ credential }) => credential))).toEqual(new Set([FIRST]));
  });

  test("is retried by the gateway, and the client notices nothing", async () => {
    first.enqueue({ kind: "status", status: 529 });
    const run = await runClaudeCode({
      prompt: "say hello",
      env: { ANTHROPIC_BASE_URL: wire.url, ANTHROPIC_AUTH_TOKEN: key },
    });
    expect(run).toMatchObject({ exitCode: 0, stdout: `${ANSWER}\n` });
    expect(new Set(messages().map((request) => headerOf(request, "x-stainless-retry-count")))).toEqual(new Set(["0"]));
    expect(await gateway.requests(1)).toMatchObject([{ outcome: "completed", attempts: 2 }]);
  });
});

test("model discovery is answered from what the accounts offer", async () => {
  let cached = "";
  const run = await runClaudeCode({
    prompt: "say hello",
    env: {
      ANTHROPIC_BASE_URL: wire.url,
      ANTHROPIC_AUTH_TOKEN: key,
      CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY: "1",
    },
    inspectHome(home) {
      const path = join(home, ".claude", "cache", "gateway-models.json");
      cached = existsSync(path) ? readFileSync(path, "utf8") : "";
    },
  });
  expect(run.exitCode).toBe(0);
  expect(wire.sent().includes("GET /v1/models?limit=1000 HTTP/1.1\r\n")).toBeTrue();
  expect(cached).toContain("claude-");
  expect(simulator.requests.slice(asked).some(({ target }) => target.startsWith("/v1/models"))).toBeFalse();
});

// Last: it looks at everything that the tests above made the client send.
describe("every request of the client", () => {
  const upstreamOnly = new Set(["host", "x-api-key", "authorization", "content-length", "connection"]);

  function all(): readonly RecordedRequest[] {
    return simulator.requests.filter(({ target }) => target.startsWith("/v1/messages"));
  }

  test("reaches upstream with body and headers byte for byte", () => {
    const sent = wire.sent();
    const text = sent.toString("latin1").toLowerCase();
    expect(all().length).toBeGreaterThan(8);
    for (const { body, headers } of all()) {
      expect(body.length).toBeGreaterThan(10_000);
      expect(sent.includes(body)).toBeTrue();
      const lost = headers
        .filter(([name]) => !upstreamOnly.has(name.toLowerCase()))
        .filter(([name, value]) => !text.includes(`\r\n${name}: ${value}\r\n`.toLowerCase()));
      expect(lost).toEqual([]);
    }
  });

  test("keeps its betas and its session, and says nothing of the gateway", () => {
    const sentBetas = new Set(
      [
        ...wire
          .sent()
          .toString("latin1")
          .matchAll(/\r\nanthropic-beta: (.*?)\r\n/gi),
      ].map(([, value]) => value),
    );
    for (const request of all()) {
      expect(sentBetas).toContain(headerOf(request, "anthropic-beta") ?? "");
      expect(headerOf(request, "x-claude-code-session-id")).toMatch(/^[0-9a-f-]{36}$/);
      expect(headerOf(request, "user-agent")).toStartWith("claude-cli/");
      expect(request.headers.filter(([name]) => /better-ccflare|forwarded|via/i.test(name))).toEqual([]);
    }
  });

  test("carries exactly one credential, the account's, and the client key nowhere", () => {
    for (const request of simulator.requests) {
      const credentials = request.headers.filter(([name]) => /^(authorization|x-api-key)$/i.test(name));
      expect(credentials).toEqual([["x-api-key", request.credential ?? ""]]);
      const bytes = Buffer.concat([request.rawHead, request.body]);
      expect(bytes.includes(key)).toBeFalse();
      expect(bytes.includes("bccf_sk_")).toBeFalse();
    }
  });
});
