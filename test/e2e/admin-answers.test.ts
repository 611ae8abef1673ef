import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import type { z } from "zod";
import { type Simulator, startSimulator } from "../../sim/simulator.ts";
import { accountDetailSchema, accountListSchema } from "../../src/contract/accounts.ts";
import { auditListSchema, auditSinkListSchema } from "../../src/contract/audit.ts";
import { doctorSchema } from "../../src/contract/health.ts";
import { keyListSchema } from "../../src/contract/keys.ts";
import { requestListSchema, statsSchema } from "../../src/contract/requests.ts";
import { strategySchema } from "../../src/contract/strategy.ts";
import { userListSchema } from "../../src/contract/users.ts";
import { vaultStatusSchema } from "../../src/contract/vault.ts";
import { adminSocket } from "./admin-socket.ts";
import { type GatewayProcess, startGateway } from "./gateway-process.ts";

// A store's row must not reach the wire by itself: what an answer holds is what its contract names, and nothing else.

let gateway: GatewayProcess;
let simulator: Simulator;

beforeAll(async () => {
  simulator = await startSimulator();
  simulator.account("sk-sim-main");
  gateway = await startGateway();
  await adminSocket(gateway).addAccount({
    name: "main",
    baseUrl: simulator.url,
    credential: "sk-sim-main",
    credentialKind: "api_key",
    priority: 1,
  });
  await gateway.cli(["user", "create", "ann", "--role", "owner", "--password-stdin"], "a long enough pass phrase 1");
  await fetch(`${gateway.url}/v1/messages`, {
    method: "POST",
    headers: { "x-api-key": gateway.firstKey, "content-type": "application/json" },
    body: JSON.stringify({ model: "claude-sonnet-5", max_tokens: 16, messages: [{ role: "user", content: "hi" }] }),
  });
}, 20_000);

afterAll(async () => {
  await gateway.stop();
  await simulator.stop();
});

const ANSWERS: readonly (readonly [string, z.ZodType])[] = [
  ["/api/accounts", accountListSchema],
  ["/api/accounts/main", accountDetailSchema],
  ["/api/audit?limit=5", auditListSchema],
  ["/api/audit/sinks", auditSinkListSchema],
  ["/api/doctor", doctorSchema],
  ["/api/keys", keyListSchema],
  ["/api/requests", requestListSchema],
  ["/api/stats", statsSchema],
  ["/api/strategy", strategySchema],
  ["/api/users", userListSchema],
  ["/api/vault", vaultStatusSchema],
];

test.each(ANSWERS)("T-7.01 %s answers what its contract names, and nothing else", async (path, schema) => {
  const answer = await fetch(`http://localhost${path}`, { unix: join(gateway.dataDir, "control.sock") });
  expect(answer.status).toBe(200);
  const body: unknown = await answer.json();
  expect(JSON.stringify(body).length, "something to compare").toBeGreaterThan(10);
  expect(schema.parse(body)).toEqual(body);
});
