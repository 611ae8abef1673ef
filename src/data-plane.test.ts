import { afterEach, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { STREAMED_MESSAGE } from "../test/playbook/scripted-call.ts";
import { createScriptedUpstream, type ScriptedUpstream } from "../test/playbook/scripted-upstream.ts";
import { MESSAGE_START, SSE_HEADERS, WHOLE_STREAM } from "../test/playbook/sse.ts";
import { account, openCaller } from "../test/playbook/stage.ts";
import { loadConfig } from "./config/load-config.ts";
import { createDataPlane, type DataPlane } from "./data-plane.ts";
import type { LedgerSettle } from "./domain/ledger/record.ts";
import { resetAccount } from "./domain/pool/pool-event.ts";
import type { ClientKeys } from "./gateway/ports.ts";
import { err } from "./kernel/result.ts";
import { Secret } from "./kernel/secret.ts";
import { createLog } from "./observe/log.ts";
import { systemClock } from "./system-clock.ts";

type Running = { plane: DataPlane; upstream: ScriptedUpstream; settled: LedgerSettle[]; lines: string[] };

const running: DataPlane[] = [];

afterEach(async () => {
  for (const plane of running.splice(0)) {
    plane.hurry();
    await plane.stop();
  }
});

const verifyGood: ClientKeys["verify"] = (key) => (key === "good" ? openCaller("k1", "k") : null);

function start(env: Readonly<Record<string, string>> = {}, verify = verifyGood): Running {
  const loaded = loadConfig({
    flags: {},
    env: { HOME: "/nowhere", PORT: "0", ...env },
    readFile: () => err("absent"),
    purpose: "command",
  });
  if (!loaded.ok) throw new Error(`Cannot test: ${JSON.stringify(loaded.error)}`);
  const upstream = createScriptedUpstream();
  const settled: LedgerSettle[] = [];
  const lines: string[] = [];
  const { config } = loaded.value;
  const accounts = [account("a")];
  const plane = createDataPlane({
    config,
    log: createLog({ level: "info", format: "json", write: (line) => void lines.push(line) }),
    clock: systemClock,
    upstream,
    ledger: {
      begin: () => undefined,
      settle: (entry) => void settled.push(entry),
      flush: () => Promise.resolve(true),
      stats: () => ({ spoolBytes: 0, pendingRows: 0, droppedRows: 0, ingestLagMs: 0, lastError: null }),
      stop: () => Promise.resolve(),
    },
    keys: { verify },
    admin: null,
    onQueryCredential: () => undefined,
    accounts: {
      snapshot: () => accounts,
      credential: ({ name }) => new Secret(name, "secret"),
      learnOrganization: () => undefined,
    },
    rule: () => ({ ...config.selection, maxWaitMs: config.queue.maxWaitMs }),
    poolStore: { load: () => Promise.resolve(null), save: () => Promise.resolve() },
    tls: null,
    homeStore: { loadAll: () => Promise.resolve([]), save: () => Promise.resolve(), prune: () => Promise.resolve() },
    auditSinks: () => [],
  });
  plane.listen();
  running.push(plane);
  return { plane, upstream, settled, lines };
}

const KEY = { "x-api-key": "good", "content-type": "application/json" };

function ask(plane: DataPlane): Promise<Response> {
  return fetch(`${plane.url}/v1/messages`, { method: "POST", headers: KEY, body: STREAMED_MESSAGE });
}

async function metricsOf(plane: DataPlane): Promise<string> {
  return (await fetch(`${plane.url}/metrics`, { headers: KEY })).text();
}

async function untilMetric(plane: DataPlane, line: string): Promise<void> {
  const giveUpAtMs = performance.now() + 5_000;
  while (!(await metricsOf(plane)).includes(line)) {
    if (performance.now() > giveUpAtMs) throw new Error(`Cannot go on: waited 5 s for ${line}`);
  }
}

/** fetch forgets its last bytes when a connection breaks; a socket does not. */
function rawClient(url: string) {
  const { port } = new URL(url);
  const whole = Promise.withResolvers<string>();
  const arrived = Promise.withResolvers<void>();
  let text = "";
  const socket = connect(Number(port), "127.0.0.1");
  socket.on("data", (bytes: Buffer) => {
    text += bytes.toString();
    if (text.includes("message_start")) arrived.resolve();
  });
  socket.on("error", () => undefined);
  socket.on("close", () => whole.resolve(text));
  socket.write(
    `POST /v1/messages HTTP/1.1\r\nhost: ${new URL(url).host}\r\nx-api-key: good\r\ncontent-length: ${STREAMED_MESSAGE.length}\r\n\r\n${STREAMED_MESSAGE}`,
  );
  return { whole: whole.promise, begun: arrived.promise };
}

describe("the process's own pages", () => {
  test.each([
    { path: "/", headers: {}, status: 200, says: "better-ccflare" },
    { path: "/healthz", headers: {}, status: 200, says: "ok" },
    { path: "/readyz", headers: {}, status: 200, says: "ready" },
    { path: "/metrics", headers: {}, status: 401, says: "GW_NO_KEY" },
    { path: "/metrics", headers: KEY, status: 200, says: "better_ccflare" },
    { path: "/other", headers: KEY, status: 404, says: "GW_UNKNOWN_PATH" },
  ])("case %#: $path answers $status", async ({ path, headers, status, says }) => {
    const { plane } = start();
    const response = await fetch(plane.url + path, { headers });
    expect(response.status).toBe(status);
    expect(await response.text()).toContain(says);
  });
});

test("a stream walks from socket to upstream and back, and is counted", async () => {
  const { plane, upstream, settled } = start();
  upstream.plan({ headers: SSE_HEADERS, chunks: WHOLE_STREAM });
  const response = await ask(plane);
  expect(await response.text()).toBe(WHOLE_STREAM.join(""));
  expect(settled).toMatchObject([{ outcome: "completed", usage: { outputTokens: 7 } }]);
  const metrics = await (await fetch(`${plane.url}/metrics`, { headers: KEY })).text();
  expect(metrics).toContain("completed");
});

describe("a data plane that stops", () => {
  test("takes no new work, says that it is not ready, and waits for what runs", async () => {
    const { plane, upstream, settled } = start();
    upstream.plan({ headers: SSE_HEADERS, chunks: [MESSAGE_START], ending: "open" });
    const response = await ask(plane);
    const stopping = plane.stop();
    const ready = await fetch(`${plane.url}/readyz`);
    expect(ready.status).toBe(503);
    const refused = await ask(plane);
    expect(refused.status).toBe(503);
    expect(await refused.text()).toContain("GW_STOPPING");
    const { body } = await upstream.nth(0);
    for (const event of WHOLE_STREAM.slice(1)) body.push(event);
    body.end();
    expect(await response.text()).toBe(WHOLE_STREAM.join(""));
    await stopping;
    expect(settled).toMatchObject([{ outcome: "completed" }]);
  });

  test("ends what still runs at its deadline with an error event", async () => {
    const { plane, upstream, settled } = start({ BETTER_CCFLARE_DRAIN_MS: "0" });
    upstream.plan({ headers: SSE_HEADERS, chunks: [MESSAGE_START], ending: "open" });
    const client = rawClient(plane.url);
    await client.begun;
    await plane.stop();
    const text = await client.whole;
    expect(text).toContain(MESSAGE_START);
    expect(text).toContain("GW_STOPPING");
    expect(settled).toMatchObject([{ outcome: "truncated" }]);
    expect((await upstream.nth(0)).body.isCancelled).toBe(true);
  });
});

test("an operator who resumes an account frees those who wait for it", async () => {
  const { plane, upstream } = start();
  const limited = account("a");
  upstream.plan({ status: 429, headers: [["retry-after", "15"]], chunks: ["{}"] });
  expect((await ask(plane)).status).toBe(429);
  const waiting = ask(plane);
  await untilMetric(plane, "better_ccflare_queue_waiting 1");
  upstream.plan({ headers: SSE_HEADERS, chunks: WHOLE_STREAM });
  plane.pool.learn([resetAccount(limited)]);
  expect((await waiting).status).toBe(200);
  const metrics = await metricsOf(plane);
  expect(metrics).toContain('better_ccflare_queue_wait_seconds_count{class="main"} 1');
  expect(metrics).toContain('better_ccflare_decisions_total{why="strategy"} 2');
});

test("a bug is logged without more than its message", () => {
  const { plane, lines } = start();
  plane.reportBug(new Error("scripted bug"));
  plane.reportBug("no error at all");
  expect(lines.filter((line) => line.includes("this is a bug"))).toHaveLength(2);
  expect(lines.join("")).toContain("scripted bug");
});

test("a bug is answered with a code, a sentence and an id; what it says is for the log alone", async () => {
  const bug = new TypeError("undefined is not an object (evaluating 'canary') at /src/gateway/admit.ts:12");
  const { plane, lines } = start({}, () => {
    throw bug;
  });
  const answer = await ask(plane);
  expect(answer.status).toBe(500);
  const id = answer.headers.get("request-id");
  expect(await answer.json()).toEqual({
    type: "error",
    error: { type: "api_error", message: "Cannot serve the request: the gateway failed (GW_INTERNAL)" },
    request_id: id,
  });
  expect(lines.join("")).toContain("canary");
});
