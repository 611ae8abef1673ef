import { afterAll, beforeAll, expect, test } from "bun:test";
import { type SimulatedAccount, type Simulator, startSimulator } from "../../sim/simulator.ts";
import { type GatewayProcess, startGateway } from "./gateway-process.ts";
import { waitForRows } from "./ledger-rows.ts";
import { sendMessage } from "./message-client.ts";

let simulator: Simulator;
let account: SimulatedAccount;
let gateway: GatewayProcess;

beforeAll(async () => {
  simulator = await startSimulator();
  account = simulator.account("sk-sim-gone");
  gateway = await startGateway();
  await gateway.addAccount("gone", { baseUrl: simulator.url, credential: "sk-sim-gone" });
});

afterAll(async () => {
  await gateway.stop();
  await simulator.stop();
});

test("a client that leaves in the middle of a stream is recorded as gone, not as a cut stream", async () => {
  account.enqueue({ kind: "stream", stallAfterEvents: 4 });
  const model = "claude-sonnet-5-5-k000001";
  const seen = await sendMessage({
    url: gateway.url,
    key: gateway.firstKey,
    model,
    isStream: true,
    leaveAfterChunks: 1,
  });
  expect(seen).toEqual({ kind: "left" });
  const isSettled = (outcome: string | undefined) => outcome !== undefined && outcome !== "in_flight";
  const rows = await waitForRows(gateway.dataDir, (found) => isSettled(found[0]?.outcome));
  expect(rows).toMatchObject([{ model, outcome: "client_gone", attempts: 1, status: 200 }]);
  expect(simulator.counters.aborted).toBe(1);
});
