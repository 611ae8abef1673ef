import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type SimulatedAccount, type Simulator, startSimulator } from "../../sim/simulator.ts";
import { CANARIES, headOf, messageWith, type Shown, sendRaw, shownOf, singleRequests } from "./error-provocations.ts";
import { type GatewayProcess, startGateway } from "./gateway-process.ts";
import { connectRaw } from "./raw-http.ts";

// Each of our own errors, provoked over the wire: a code, a sentence and a request id, and nothing of the inside.

setDefaultTimeout(30_000);

const CREDENTIAL = ["sk", "ant", "api03", "CANARYcredential0123456789"].join("-");
const ROOT = join(import.meta.dir, "..", "..");

/** Codes that no client can bring about in this run, and where they are shown instead. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  GW_INTERNAL: "src/data-plane.test.ts: a bug is needed",
  GW_CLIENT_CERTIFICATE: "test/e2e/tls-clients.test.ts: TLS with client certificates",
};

let simulator: Simulator;
let upstream: SimulatedAccount;
let gateway: GatewayProcess;
let dataDir = "";
let port = 0;
let key = "";
const provoked = new Map<string, Shown>();
const seen: Shown[] = [];

const CONFIG = {
  limits: { requestBodyBytes: 2_048, inFlightBodyBytes: 4_096, maxConnections: 16 },
  deadlines: { headersMs: 300, streamHeadersMs: 300 },
  queue: { maxWaitMs: 3_000, maxWaiting: 1 },
  retry: { attempts: 1 },
};

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "bccf-errors-"));
  const path = join(dataDir, "config.json");
  writeFileSync(path, JSON.stringify(CONFIG), { mode: 0o600 });
  simulator = await startSimulator();
  upstream = simulator.account(CREDENTIAL);
  const env = { BETTER_CCFLARE_TRUSTED_PROXIES: "127.0.0.1", BETTER_CCFLARE_ALLOW_FROM: "127.0.0.0/8" };
  gateway = await startGateway({ dataDir, args: ["--config", path], env });
  port = Number(new URL(gateway.url).port);
  key = gateway.firstKey;
});

afterAll(async () => {
  await gateway.stop();
  await simulator.stop();
  rmSync(dataDir, { recursive: true, force: true });
});

function note(code: string, shown: Shown): void {
  seen.push(shown);
  expect({ code, body: shown.body }).toEqual({ code, body: expect.stringContaining(`(${code})`) });
  provoked.set(code, shown);
}

/** Held uploads, each with the whole budget of one body. */
async function holdBodies(count: number) {
  const held = await Promise.all(Array.from({ length: count }, () => connectRaw(port)));
  const head = headOf({
    headers: [
      ["x-api-key", key],
      ["content-type", "application/json"],
    ],
  });
  for (const client of held) {
    await client.write(head.replace("\r\n\r\n", "\r\ncontent-length: 2048\r\n\r\n"));
    await client.write("x".repeat(2_047));
  }
  return held;
}

describe("the data plane", () => {
  test("what one request brings about", async () => {
    for (const [code, text] of Object.entries(singleRequests(key))) note(code, await sendRaw(port, text));
  });

  test("what comes too slowly, or is too much at one time", async () => {
    const held = await holdBodies(2);
    const slowHead = await connectRaw(port);
    await slowHead.write("POST /v1/messages HTTP/1.1\r\n");
    await Bun.sleep(50);
    note("GW_BODY_BUDGET", await sendRaw(port, messageWith(key)));
    const idle = await Promise.all(Array.from({ length: 13 }, () => connectRaw(port)));
    const oneMore = await connectRaw(port);
    await oneMore.write(messageWith(key)).catch(() => undefined);
    note("GW_CONNECTIONS", shownOf(await oneMore.answer()));
    for (const client of idle) client.close();
    note("GW_HEAD_TOO_SLOW", shownOf(await slowHead.answer()));
    const [first, second] = held;
    if (first === undefined) throw new Error("nothing is held");
    note("GW_BODY_TOO_SLOW", shownOf(await first.answer()));
    await second?.answer();
    for (const client of [first, second, slowHead, oneMore]) client?.close();
  });

  test("what a client key may not do", async () => {
    const limited = async (name: string, ...flags: string[]): Promise<string> => {
      const made = await gateway.json<{ readonly key: string }>(["key", "create", name, ...flags]);
      return messageWith(made.key);
    };
    note("GW_KEY_SCOPE", await sendRaw(port, await limited("models-alone", "--scope", "models")));
    note("GW_KEY_MODEL", await sendRaw(port, await limited("haiku-alone", "--model", "claude-haiku-*")));
    note("GW_KEY_ADDRESS", await sendRaw(port, await limited("elsewhere", "--from", "10.0.0.0/8")));
    const once = await limited("once", "--requests-per-minute", "1");
    await sendRaw(port, once);
    note("GW_KEY_LIMIT", await sendRaw(port, once));
    const ownKey = headOf({
      headers: [
        ["x-better-ccflare-key", key],
        ["x-api-key", CANARIES.providerKey],
        ["content-type", "application/json"],
      ],
      body: "{}",
    });
    note("GW_NO_PASSTHROUGH", await sendRaw(port, ownKey));
    // From an address of its own: the wrong keys of the others are counted too.
    const guess = headOf({
      method: "GET",
      target: "/v1/models",
      headers: [
        ["x-forwarded-for", "127.9.9.9"],
        ["x-api-key", CANARIES.wrongKey],
      ],
    });
    for (let tries = 0; tries < 20; tries += 1) await sendRaw(port, guess);
    note("GW_FAILED_KEYS", await sendRaw(port, guess));
  });

  test("what upstream and the pool bring about", async () => {
    await gateway.addAccount("main", { baseUrl: simulator.url, credential: CREDENTIAL });
    upstream.enqueue({ kind: "refuse" });
    note("GW_UPSTREAM_UNREACHABLE", await sendRaw(port, messageWith(key)));
    upstream.enqueue({ kind: "silence" });
    note("GW_UPSTREAM_TIMEOUT", await sendRaw(port, messageWith(key)));
    upstream.enqueue({ kind: "stream", cutAfterEvents: 4 });
    note("GW_STREAM_CUT", await sendRaw(port, messageWith(key, true)));

    const { key: shortLived } = await gateway.createKey("short-lived");
    upstream.enqueue({ kind: "stream", text: "a b c d e f", textDeltas: 6, eventDelayMs: 300 });
    const running = sendRaw(port, messageWith(shortLived, true));
    await simulator.waitFor(() => upstream.requests.length === 4);
    await gateway.cli(["key", "revoke", "short-lived"]);
    note("GW_KEY_REVOKED", await running);

    upstream.enqueue({ kind: "status", status: 429, headers: { "retry-after": "2" } });
    await sendRaw(port, messageWith(key));
    const waiting = await connectRaw(port);
    await waiting.write(messageWith(key));
    await Bun.sleep(100);
    note("GW_QUEUE_FULL", await sendRaw(port, messageWith(key)));
    upstream.enqueue({ kind: "status", status: 429, headers: { "retry-after": "3600" } });
    await waiting.answer();
    waiting.close();
    note("GW_ALL_LIMITED", await sendRaw(port, messageWith(key)));
  });
});

type Refused = readonly [status: number, method: string, path: string, body?: string, contentType?: string];

const GOOD_KEY = '{"name":"twice"}';

describe("the admin plane", () => {
  const REFUSED: readonly Refused[] = [
    // Names that the caller chose may come back to it: which route, parameter or strategy there is not.
    [404, "GET", "/api/nowhere"],
    [404, "GET", "/api/accounts/ghost"],
    [400, "GET", `/api/audit?limit=${CANARIES.query}`],
    [400, "GET", `/api/audit?nothing=${CANARIES.query}`],
    [400, "POST", "/api/keys", `{"name": ${CANARIES.body}`],
    [400, "POST", "/api/keys", `{"name":"a","name":"${CANARIES.body}"}`],
    [400, "POST", "/api/keys", `{"name":{"$ne":"${CANARIES.body}"}}`],
    [400, "POST", "/api/accounts", `{"name":"x","provider":"anthropic","credential":"${CANARIES.providerKey} "}`],
    [400, "PUT", "/api/strategy", '{"name":"fastest"}'],
    [400, "POST", "/api/audit/prune", '{"olderThanDays":1}'],
    [409, "POST", "/api/keys", GOOD_KEY],
    [413, "POST", "/api/keys", `{"name":"${CANARIES.body.repeat(200_000)}"}`],
    [415, "POST", "/api/keys", GOOD_KEY, "text/plain"],
  ];

  const ask = async (method: string, path: string, body?: string, contentType = "application/json"): Promise<Shown> => {
    const unix = join(dataDir, "control.sock");
    const init = body === undefined ? {} : { body, headers: { "content-type": contentType } };
    const answer = await fetch(`http://localhost${path}`, { method, unix, ...init });
    const shown = { status: answer.status, head: JSON.stringify([...answer.headers]), body: await answer.text() };
    if (shown.status >= 400) seen.push(shown);
    return shown;
  };

  test("refuses over the Unix socket", async () => {
    await ask("POST", "/api/keys", GOOD_KEY);
    for (const [status, ...request] of REFUSED) {
      const shown = await ask(...request);
      expect({ request: request.slice(0, 2), status: shown.status }).toEqual({ request: request.slice(0, 2), status });
      // The runtime itself answers what is far too large, with a status alone.
      if (status === 413) continue;
      expect(JSON.parse(shown.body)).toEqual({ error: expect.objectContaining({ code: expect.any(String) }) });
    }
  });

  test("refuses over TCP before anybody has signed in", async () => {
    for (const [method, path, body] of [
      ["GET", "/api/accounts"],
      ["POST", "/auth/login", `{"name":"canary","password":"${CANARIES.body}"}`],
      ["POST", "/auth/setup", `{"secret":"${CANARIES.wrongKey}","name":"canary","password":"${CANARIES.body}"}`],
      ["POST", "/auth/mfa/totp", '{"code":"000000"}'],
      ["GET", "/api/nowhere"],
    ] as const) {
      const headers = [
        ["content-type", "application/json"],
        ["authorization", `Bearer ${CANARIES.wrongKey}`],
      ] as const;
      const shown = await sendRaw(
        port,
        headOf({ method, target: path, headers, ...(body === undefined ? {} : { body }) }),
      );
      seen.push(shown);
      expect(shown.status).toBeGreaterThanOrEqual(400);
    }
  });

  test("says of a store that is away, or that breaks, no more than that", async () => {
    const path = join(dataDir, "gateway.db");
    renameSync(path, `${path}.away`);
    try {
      const shown = await ask("POST", "/api/keys", '{"name":"while-away"}');
      expect(shown.status).toBe(503);
      // The socket is the operator's own: the sentence that names the file is for it alone, and nothing else is in it.
      seen.splice(seen.indexOf(shown), 1, { ...shown, body: shown.body.replace(path, "the database") });
    } finally {
      renameSync(`${path}.away`, path);
    }
  });
});

test("what a stop answers while a stream still runs", async () => {
  const spare = ["sk", "ant", "api03", "CANARYspare0123456789"].join("-");
  await gateway.addAccount("spare", { baseUrl: simulator.url, credential: spare, organization: "other" });
  const account = simulator.account(spare);
  account.enqueue({ kind: "stream", textDeltas: 8, eventDelayMs: 200 });
  const running = sendRaw(port, messageWith(key, true));
  await simulator.waitFor(() => account.requests.length === 1);
  gateway.signal("SIGTERM");
  let shown = await sendRaw(port, messageWith(key));
  for (let tries = 0; !shown.body.includes("GW_STOPPING") && tries < 20; tries += 1) {
    shown = await sendRaw(port, messageWith(key));
  }
  note("GW_STOPPING", shown);
  await running;
});

const ERROR_KEYS = ["error", "request_id", "type"];

test("every own error was provoked, and no answer shows a stack, a path, a version or a secret", () => {
  const codes = [...readFileSync(join(ROOT, "src/gateway/refusal.ts"), "utf8").matchAll(/^ {2}(GW_\w+): \{/gm)].map(
    ([, code = ""]) => code,
  );
  expect(codes.length).toBeGreaterThan(30);
  expect(codes.filter((code) => !provoked.has(code) && ELSEWHERE[code] === undefined)).toEqual([]);
  const forbidden: readonly RegExp[] = [
    /\bat (?:async )?[\w$.<>[\] ]+ \(?[^\s)]*:\d+/u,
    /\.(?:ts|js|mjs|zig|rs)\b/u,
    /node_modules|bunfs|file:\/\/|\/src\//u,
    /\b(?:Type|Range|Syntax|Reference|SQLite)?Error:/u,
    /\b(?:sqlite|SELECT|INSERT|hono|zod)\b/iu,
    /\bbun\/|Bun v|server: /iu,
    new RegExp([dataDir, tmpdir(), ROOT].map((path) => path.replaceAll(/[.*+?^${}()|[\]\\]/gu, "\\$&")).join("|"), "u"),
    new RegExp([...Object.values(CANARIES), "CANARY", CREDENTIAL, key.slice(-24)].join("|"), "u"),
  ];
  for (const { status, head, body } of seen) {
    const shown = `${status}\n${head}\n${body}`;
    for (const pattern of forbidden)
      expect({ shown, found: pattern.exec(shown)?.[0] }).toEqual({ shown, found: undefined });
  }
  for (const [code, { body }] of provoked) {
    if (code === "GW_STREAM_CUT" || code === "GW_KEY_REVOKED") continue;
    const parsed: { readonly error: object } = JSON.parse(body);
    expect({ code, keys: Object.keys(parsed).sort() }).toEqual({ code, keys: ERROR_KEYS });
    expect({ code, keys: Object.keys(parsed.error).sort() }).toEqual({ code, keys: ["message", "type"] });
  }
});
