import { afterAll, beforeAll, expect, test } from "bun:test";
import { type Simulator, startSimulator } from "../../sim/simulator.ts";
import { type GatewayProcess, startGateway } from "./gateway-process.ts";

let simulator: Simulator;
let gateway: GatewayProcess;

beforeAll(async () => {
  simulator = await startSimulator();
  gateway = await startGateway();
});

afterAll(async () => {
  await gateway.stop();
  await simulator.stop();
});

test("a request goes from a client key through an account and into the ledger", async () => {
  simulator.account("sk-sim-first");
  await gateway.addAccount("first", { baseUrl: simulator.url, credential: "sk-sim-first" });
  const { key } = await gateway.createKey("laptop");
  const body = JSON.stringify({
    model: "claude-sonnet-5-5",
    max_tokens: 16,
    messages: [{ role: "user", content: "hi" }],
  });
  const answer = await fetch(`${gateway.url}/v1/messages?beta=true`, {
    method: "POST",
    headers: { "x-api-key": key, "content-type": "application/json", "anthropic-version": "2023-06-01" },
    body,
  });
  expect(answer.status).toBe(200);
  expect(await answer.json()).toMatchObject({ type: "message", role: "assistant" });
  const id = answer.headers.get("x-better-ccflare-request-id");
  const [line] = await gateway.requests(1);
  expect(line).toMatchObject({
    id,
    status: 200,
    outcome: "completed",
    account: "first",
    clientKey: "laptop",
    attempts: 1,
  });
  expect(simulator.requests.at(-1)).toMatchObject({ target: "/v1/messages?beta=true", credential: "sk-sim-first" });
});
