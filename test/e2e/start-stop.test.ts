import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Simulator, startSimulator } from "../../sim/simulator.ts";
import { type GatewayProcess, startGateway } from "./gateway-process.ts";

setDefaultTimeout(20_000);

const root = mkdtempSync(join(tmpdir(), "bccf-stop-"));
let simulator: Simulator;

beforeAll(async () => {
  simulator = await startSimulator();
});
afterAll(async () => {
  await simulator.stop();
  rmSync(root, { recursive: true, force: true });
});

/** A gateway of its own per test, since each is stopped. */
async function gatewayWith(name: string, env: Readonly<Record<string, string>> = {}) {
  const account = simulator.account(`sk-sim-${name}`);
  const gateway = await startGateway({ dataDir: join(root, name), env });
  await gateway.addAccount("main", { baseUrl: simulator.url, credential: `sk-sim-${name}` });
  return { account, gateway, key: gateway.firstKey };
}

function ask(gateway: GatewayProcess, key: string, stream = true): Promise<Response> {
  return fetch(`${gateway.url}/v1/messages`, {
    method: "POST",
    headers: { "x-api-key": key, "content-type": "application/json", connection: "close" },
    body: JSON.stringify({
      model: "claude-sonnet-5-5",
      max_tokens: 16,
      stream,
      messages: [{ role: "user", content: "hi" }],
    }),
  });
}

type RunningStream = { readonly rest: () => Promise<string> };

/** A stream of which the first bytes are here; `rest` gives the text up to its end, however that comes. */
async function runningStream(answer: Response): Promise<RunningStream> {
  const reader = answer.body?.getReader();
  if (reader === undefined) throw new Error("Cannot read the stream: it has no body");
  const decoder = new TextDecoder();
  let text = decoder.decode((await reader.read()).value, { stream: true });
  return {
    async rest() {
      try {
        for (let next = await reader.read(); !next.done; next = await reader.read()) {
          text += decoder.decode(next.value, { stream: true });
        }
      } catch (failure) {
        text += `\n[broken off: ${failure instanceof Error ? failure.name : ""}]`;
      }
      return text;
    },
  };
}

test.each(["SIGTERM", "SIGINT"] as const)(
  "%s lets a running stream finish, refuses new requests and exits with 0",
  async (signal) => {
    const { account, gateway, key } = await gatewayWith(`drain-${signal}`);
    account.enqueue({ kind: "stream", textDeltas: 8, eventDelayMs: 120 });
    const stream = await runningStream(await ask(gateway, key));
    gateway.signal(signal);
    const refused = await untilRefused(gateway, key);
    expect(refused.headers.get("retry-after")).toMatch(/^[1-9]\d?$/);
    expect(await refused.json()).toMatchObject({
      type: "error",
      error: { type: "overloaded_error", message: expect.stringContaining("GW_STOPPING") },
    });
    expect((await fetch(`${gateway.url}/readyz`)).status).toBe(503);
    expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200);
    const text = await stream.rest();
    expect(text).toContain("event: message_stop");
    expect(text).not.toContain("event: error");
    expect(text).not.toContain("broken off");
    expect(await gateway.exited).toBe(0);
    expect(await ledgerAfter(gateway)).toMatchObject([{ status: 200, outcome: "completed" }]);
  },
);

test("a stream that outlasts the drain is ended visibly, and recorded as truncated", async () => {
  const { account, gateway, key } = await gatewayWith("deadline", { BETTER_CCFLARE_DRAIN_MS: "300" });
  account.enqueue({ kind: "stream", stallAfterEvents: 4 });
  const stream = await runningStream(await ask(gateway, key));
  const askedAtMs = performance.now();
  gateway.signal("SIGTERM");
  const text = await stream.rest();
  expect(await gateway.exited).toBe(0);
  expect(performance.now() - askedAtMs).toBeLessThan(2_000);
  expect(text).toContain("event: error\ndata: ");
  expect(text).toContain("GW_STOPPING");
  expect(text).not.toContain("message_stop");
  await simulator.waitFor(() => account.requests.at(-1)?.abortedAtMs !== null);
  const [line] = await ledgerAfter(gateway);
  expect(line).toMatchObject({ outcome: "truncated", account: "main", attempts: 1 });
  expect(line?.usage?.["inputTokens"]).toBeGreaterThan(0);
});

test("a request that waits for its answer when the drain ends is settled too", async () => {
  const { account, gateway, key } = await gatewayWith("waiting", { BETTER_CCFLARE_DRAIN_MS: "200" });
  account.enqueue({ kind: "silence" });
  const answer = ask(gateway, key, false).then(
    ({ status }) => status,
    () => "broken off",
  );
  await simulator.waitFor(() => account.requests.some(({ target }) => target === "/v1/messages"));
  gateway.signal("SIGTERM");
  expect(await gateway.exited).toBe(0);
  expect(["broken off", 503, 502]).toContain(await answer);
  const [line] = await ledgerAfter(gateway);
  expect(line?.outcome).not.toBe("in_flight");
});

test("without anything under way, a stop takes less than a second", async () => {
  const { gateway, key } = await gatewayWith("idle");
  await (await ask(gateway, key, false)).text();
  const askedAtMs = performance.now();
  gateway.signal("SIGTERM");
  expect(await gateway.exited).toBe(0);
  expect(performance.now() - askedAtMs).toBeLessThan(1_000);
});

/** The signal is heard a moment after it was sent. */
async function untilRefused(gateway: GatewayProcess, key: string): Promise<Response> {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    const answer = await ask(gateway, key, false);
    if (answer.status === 503) return answer;
    await answer.text();
  }
  throw new Error("Cannot see a refusal: 50 requests after the signal were served");
}

/** What a later start reads. Only requests that reached upstream. */
async function ledgerAfter({ dataDir }: GatewayProcess) {
  const later = await startGateway({ dataDir });
  const lines = (await later.requests()).filter(({ attempts }) => attempts > 0);
  await later.stop();
  return lines.slice(-1);
}
