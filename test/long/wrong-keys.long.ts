import { expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { processCost } from "../../bench/process-cost.ts";
import { startSimulator } from "../../sim/simulator.ts";
import { CLIENT_KEY_RANDOM_BYTES, composeClientKey } from "../../src/domain/access/client-key.ts";
import { printFigures } from "../e2e/figures.ts";
import { startGateway } from "../e2e/gateway-process.ts";
import { runHealthyClient } from "../e2e/healthy-client.ts";
import { connectRaw } from "../e2e/raw-http.ts";

setDefaultTimeout(180_000);

const SECONDS = Number(process.env["SECONDS"] ?? 60);
const PER_SECOND = 1_000;
const CONNECTIONS = 50;
const CREDENTIAL = "sk-sim-wrong-keys";
/** Of the form of a key, with a checksum that fits: it costs the gateway as much as a wrong key can. */
const WRONG_KEY = composeClientKey("sk", randomBytes(CLIENT_KEY_RANDOM_BYTES));
const MAX_CPU_RATIO = 0.3;
/** Of the calm figure, beside what a shared machine adds by itself. */
const MAX_P99_RATIO = 1.5;
const NOISE_MS = 5;

type Guesses = { isOver: boolean; readonly byStatus: Map<number, number> };

test("T-2.14 a thousand wrong keys a second are refused cheaply, and the right key is served as before", async () => {
  const simulator = await startSimulator();
  simulator.account(CREDENTIAL);
  const gateway = await startGateway();
  try {
    await gateway.addAccount("main", { baseUrl: simulator.url, credential: CREDENTIAL });
    const healthy = { url: gateway.url, key: gateway.firstKey, requests: (SECONDS * 1_000) / 20, pauseMs: 15 };
    await runHealthyClient({ ...healthy, requests: 500, pauseMs: 0 });
    const calmBefore = processCost(gateway.pid);
    const calmStartMs = performance.now();
    const calm = await runHealthyClient({ ...healthy, requests: 500 });
    const calmCpu = (processCost(gateway.pid).cpuUs - calmBefore.cpuUs) / ((performance.now() - calmStartMs) * 1_000);

    const guesses: Guesses = { isOver: false, byStatus: new Map() };
    const port = Number(new URL(gateway.url).port);
    const guessing = Array.from({ length: CONNECTIONS }, () => guess(port, guesses));
    const before = processCost(gateway.pid);
    const startMs = performance.now();
    const beside = await runHealthyClient(healthy);
    const spentMs = performance.now() - startMs;
    const cpuRatio = (processCost(gateway.pid).cpuUs - before.cpuUs) / (spentMs * 1_000) - calmCpu;
    guesses.isOver = true;
    await Promise.all(guessing);

    const perSecond = Math.round(
      [...guesses.byStatus.values()].reduce((sum, count) => sum + count, 0) / (spentMs / 1_000),
    );
    printFigures("wrong-keys", {
      perSecond,
      statuses: Object.fromEntries(guesses.byStatus),
      cpuRatio: Number(cpuRatio.toFixed(3)),
      calmP99Ms: calm.p99Ms,
      besideP99Ms: beside.p99Ms,
      failures: beside.failures,
    });
    expect([...guesses.byStatus.keys()].sort()).toEqual([401, 429]);
    // Twenty a minute are told why.
    expect(guesses.byStatus.get(401)).toBeLessThanOrEqual(20 * (SECONDS / 60 + 2));
    expect(perSecond).toBeGreaterThan(PER_SECOND * 0.8);
    expect(beside.failures).toBe(0);
    expect(beside.p99Ms).toBeLessThan(calm.p99Ms * MAX_P99_RATIO + NOISE_MS);
    expect(cpuRatio).toBeLessThan(MAX_CPU_RATIO);
  } finally {
    await gateway.stop();
    await simulator.stop();
  }
});

/** One connection's share of the guesses, one after the other at a steady pace. */
async function guess(port: number, guesses: Guesses): Promise<void> {
  const request = `GET /v1/models HTTP/1.1\r\nhost: 127.0.0.1\r\nx-api-key: ${WRONG_KEY}\r\n\r\n`;
  const paceMs = (CONNECTIONS * 1_000) / PER_SECOND;
  let client = await connectRaw(port);
  let dueMs = performance.now() + Math.random() * paceMs;
  while (!guesses.isOver) {
    await Bun.sleep(Math.max(0, dueMs - performance.now()));
    dueMs += paceMs;
    await client.write(request);
    const { status, headers } = await client.answer();
    guesses.byStatus.set(status, (guesses.byStatus.get(status) ?? 0) + 1);
    if (!headers.some(([name, value]) => name.toLowerCase() === "connection" && value === "close")) continue;
    client.close();
    client = await connectRaw(port);
  }
  client.close();
}
