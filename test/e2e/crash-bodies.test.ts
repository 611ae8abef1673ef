import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type SimulatedAccount, type Simulator, startSimulator } from "../../sim/simulator.ts";
import { rssMib } from "./crowd.ts";
import { printFigures } from "./figures.ts";
import { type GatewayProcess, startGateway } from "./gateway-process.ts";
import { waitForRows } from "./ledger-rows.ts";
import { messageBody, sendMessage } from "./message-client.ts";
import { openPlug, type Plug } from "./plug.ts";

setDefaultTimeout(60_000);
const MIB = 1024 * 1024;
const BUDGET_BYTES = 16 * MIB;
const BODY_BYTES = 4 * MIB;
/** What the runtime may keep beside the bytes that it must hold. */
const SLACK_MIB = 48;
const BIG_ANSWER_BYTES = 32 * MIB;
const STALL_MS = 1_500;

let simulator: Simulator;
let account: SimulatedAccount;
let gateway: GatewayProcess;
let slowUpload: Promise<{ readonly answer: string; readonly tookMs: number }>;

beforeAll(async () => {
  simulator = await startSimulator();
  account = simulator.account("sk-sim-bodies");
  const dataDir = mkdtempSync(join(tmpdir(), "bccf-bodies-"));
  writeFileSync(
    join(dataDir, "config.toml"),
    `[limits]\ninFlightBodyBytes = ${BUDGET_BYTES}\nrequestBodyBytes = ${BODY_BYTES}\n`,
    { mode: 0o600 },
  );
  gateway = await startGateway({ dataDir });
  await gateway.addAccount("bodies", { baseUrl: simulator.url, credential: "sk-sim-bodies" });
  // It takes ten seconds, so it runs beside the other tests.
  slowUpload = trickleBody();
});

afterAll(async () => {
  expect(await gateway.stop()).toBe(0);
  rmSync(gateway.dataDir, { recursive: true });
  await simulator.stop();
});

function plug(): Promise<Plug> {
  return openPlug(Number(new URL(gateway.url).port));
}

function head(lengthBytes: number, key: string): string {
  return `POST /v1/messages HTTP/1.1\r\nhost: localhost\r\nx-api-key: ${key}\r\ncontent-type: application/json\r\ncontent-length: ${lengthBytes}\r\n\r\n`;
}

/** Authenticated, and then a byte every 200 ms: five a second, where 1 KiB a second is the least. */
async function trickleBody() {
  const startMs = performance.now();
  const slow = await plug();
  await slow.write(Buffer.from(head(100_000, gateway.firstKey)));
  const dripping = setInterval(() => void slow.write(Buffer.from("x")), 200);
  await slow.closed;
  clearInterval(dripping);
  return { answer: slow.received().toString("latin1"), tookMs: performance.now() - startMs };
}

test("uploads beyond the body budget are refused with 503, memory stays bounded, and the budget comes back", async () => {
  const uploadBytes = 2 * MIB;
  const parallel = 40;
  const model = "claude-sonnet-5-5-budget";
  account.setDefault({ kind: "auto", firstByteDelayMs: 1_000 });
  const beforeMib = rssMib(gateway.pid);
  const message = { url: gateway.url, key: gateway.firstKey, model, isStream: false, paddingBytes: uploadBytes };
  const all = await Promise.all(Array.from({ length: parallel }, () => sendMessage(message)));
  const duringMib = rssMib(gateway.pid);
  const refused = all.filter((seen) => seen.kind === "refused");
  const served = all.filter((seen) => seen.kind === "whole").length;
  printFigures("budget", {
    parallel,
    served,
    refused: refused.length,
    rssBeforeMib: beforeMib,
    rssAfterMib: duringMib,
  });
  // Each upload is a little larger than 2 MiB, and the trickling one holds some too.
  expect(served).toBe(BUDGET_BYTES / uploadBytes - 1);
  expect(refused.length).toBe(parallel - served);
  for (const seen of refused)
    expect(seen).toMatchObject({ status: 503, body: expect.stringContaining("GW_BODY_BUDGET") });
  expect(duringMib - beforeMib).toBeLessThan(BUDGET_BYTES / MIB + SLACK_MIB);
  account.setDefault({ kind: "auto" });
  expect(await sendMessage(message)).toMatchObject({ kind: "whole" });
});

test("the body of a request without a good key is not read", async () => {
  const promisedBytes = 30 * MIB;
  const chunk = Buffer.alloc(64 * 1024, "x");
  const beforeMib = rssMib(gateway.pid);
  const plugs = await Promise.all(Array.from({ length: 20 }, plug));
  const sent = await Promise.all(
    plugs.map(async (one) => {
      await one.write(Buffer.from(head(promisedBytes, `bccf_sk_${"x".repeat(59)}`)));
      let sentBytes = 0;
      while (one.isOpen && sentBytes < promisedBytes) sentBytes += await one.write(chunk);
      await one.closed;
      return sentBytes;
    }),
  );
  const afterMib = rssMib(gateway.pid);
  printFigures("unauthenticated", {
    connections: sent.length,
    mostSentBytes: Math.max(...sent),
    rssBeforeMib: beforeMib,
    rssAfterMib: afterMib,
  });
  for (const one of plugs) expect(one.received().toString("latin1")).toStartWith("HTTP/1.1 401");
  // What the kernel's buffers on both sides take before anybody reads.
  for (const bytes of sent) expect(bytes).toBeLessThan(8 * MIB);
  expect(afterMib - beforeMib).toBeLessThan(SLACK_MIB);
});

test.each(["stream", "plain"] as const)(
  "a client that stops reading a large %s answer pauses upstream",
  async (kind) => {
    const model = `claude-sonnet-5-5-stall-${kind}`;
    const text = "abcdefgh".repeat(BIG_ANSWER_BYTES / 8);
    account.enqueue({
      kind: kind === "stream" ? "stream" : "message",
      text,
      textDeltas: 256,
      headers: { "x-marker": kind },
    });
    const reader = await plug();
    const body = messageBody({ model, isStream: kind === "stream" });
    const completedBefore = simulator.counters.completed;
    const beforeMib = rssMib(gateway.pid);
    await reader.write(Buffer.from(head(body.length, gateway.firstKey) + body));
    await reader.someBytes();
    reader.pause();
    await Bun.sleep(STALL_MS);
    const stalledMib = rssMib(gateway.pid);
    const wasPaused = simulator.counters.completed === completedBefore;
    reader.resume();
    await reader.until((tail) => tail.includes(kind === "stream" ? "message_stop" : '"stop_sequence"'));
    const endMib = rssMib(gateway.pid);
    printFigures(`stalled-${kind}`, { rssBeforeMib: beforeMib, rssStalledMib: stalledMib, rssEndMib: endMib });
    expect(wasPaused).toBe(true);
    expect(stalledMib - beforeMib).toBeLessThan(16);
    const letters = reader
      .received()
      .toString("latin1")
      .match(/abcdefgh/g)?.length;
    expect(letters).toBeGreaterThan(BIG_ANSWER_BYTES / 8 - 2_000);
    const rows = await waitForRows(gateway.dataDir, (found) =>
      found.some((row) => row.model === model && row.outcome !== "in_flight"),
    );
    expect(rows.find((row) => row.model === model)).toMatchObject({ outcome: "completed", attempts: 1 });
    reader.close();
  },
);

test("an upload that trickles is closed with 408", async () => {
  const { answer, tookMs } = await slowUpload;
  printFigures("slow-upload", { closedAfterMs: Math.round(tookMs) });
  expect(answer).toStartWith("HTTP/1.1 408");
  expect(answer).toContain("GW_BODY_TOO_SLOW");
  expect(tookMs).toBeGreaterThan(9_500);
  expect(tookMs).toBeLessThan(15_000);
});
