import { describe, expect, test } from "bun:test";
import { parseIpNetwork } from "../../src/domain/access/ip-address.ts";
import type { KeyGrant } from "../../src/domain/access/key-grant.ts";
import type { KeyLimits } from "../../src/domain/access/key-limits.ts";
import type { Caller } from "../../src/gateway/ports.ts";
import { OK } from "./answers.ts";
import type { CallScript } from "./scripted-call.ts";
import { CLIENT_KEY, createStage, openCaller, type Stage, type StageOptions } from "./stage.ts";

type Rights = { readonly grant?: Partial<KeyGrant>; readonly limits?: Partial<KeyLimits> };

/** The gateway with one key of these rights. */
function stageFor({ grant = {}, limits = {} }: Rights, options: StageOptions = {}): Stage {
  const open = openCaller("k1", "limited");
  const { access } = open;
  const caller: Caller = {
    ...open,
    access: { ...access, grant: { ...access.grant, ...grant }, limits: { ...access.limits, ...limits } },
  };
  const keys = { verify: (presented: string) => (presented === CLIENT_KEY ? caller : null) };
  return createStage({ ...options, overrides: { keys, ...options.overrides } });
}

async function answered(stage: Stage, script: CallScript = {}) {
  stage.upstream.plan(OK);
  const client = await stage.serve(stage.call(script));
  return { status: client.status, text: client.text, retryAfter: client.header("retry-after") };
}

function message(model: string): string {
  return `{"model":${JSON.stringify(model)},"max_tokens":64,"messages":[]}`;
}

const A = message("claude-a");

describe("T-2.12 a key of some models", () => {
  test.each<{ what: string; script: CallScript; status: number }>([
    { what: "its model", script: { body: A }, status: 200 },
    { what: "the beginning of one", script: { body: message("claude-b-20260101") }, status: 200 },
    { what: "another model", script: { body: message("claude-c") }, status: 403 },
    { what: "an alias of another", script: { body: message("claude-c-latest") }, status: 403 },
    { what: "its model in capitals", script: { body: message("CLAUDE-A") }, status: 403 },
    { what: "another behind an escape", script: { body: '{"model":"claude\\u002dc","messages":[]}' }, status: 403 },
    { what: "no model", script: { body: '{"messages":[]}' }, status: 403 },
    { what: "two models", script: { body: '{"model":"claude-a","model":"claude-c"}' }, status: 400 },
    {
      what: "two, one behind an escape",
      script: { body: '{"model":"claude-a","mod\\u0065l":"claude-c"}' },
      status: 400,
    },
    { what: "a model that is a list", script: { body: '{"model":["claude-a"]}' }, status: 400 },
    { what: "a model in the query", script: { body: A, query: "?model=claude-c" }, status: 403 },
    { what: "one hidden in the query", script: { body: A, query: "?beta=true&%6Dode%6C=claude-c" }, status: 403 },
    { what: "a query without one", script: { body: A, query: "?beta=true&remodel=1" }, status: 200 },
    {
      what: "token counts of another",
      script: { path: "/v1/messages/count_tokens", body: message("claude-c") },
      status: 403,
    },
    {
      what: "a batch",
      script: { path: "/v1/messages/batches", body: '{"requests":[{"params":{"model":"claude-c"}}]}' },
      status: 403,
    },
    {
      what: "a batch that names its model",
      script: { path: "/v1/messages/batches", body: '{"model":"claude-c","requests":[]}' },
      status: 403,
    },
    {
      what: "another path with two models",
      script: { path: "/v1/complete", body: '{"model":"claude-c","model":"claude-a"}' },
      status: 403,
    },
    { what: "another path with its model", script: { path: "/v1/complete", body: A }, status: 200 },
    { what: "a spelling of the path", script: { path: "/v1/%6dessages", body: message("claude-c") }, status: 404 },
    { what: "the result of a batch", script: { method: "GET", path: "/v1/messages/batches/b1" }, status: 200 },
    { what: "a file", script: { path: "/v1/files", body: "--x" }, status: 200 },
  ])("sends $what: $status", async ({ script, status }) => {
    const stage = stageFor({ grant: { models: ["claude-a", "claude-b*"] } });
    const answer = await answered(stage, script);
    expect({ status: answer.status, text: answer.text }).toMatchObject({ status });
    expect(stage.upstream.sendings).toHaveLength(status === 200 ? 1 : 0);
    expect(stage.rooms.budget.usedBytes).toBe(0);
    expect(stage.rooms.presences.countOf(openCaller("k1", "").keyId)).toBe(0);
  });

  test("is shown its models alone", async () => {
    const stage = stageFor({ grant: { models: ["claude-b*"] } });
    const models = ["claude-a", "claude-b-1"].map((id) => ({ id, displayName: id }));
    stage.setAccounts(stage.rooms.accounts.snapshot().map((account) => ({ ...account, models })));
    const list = await stage.serve(stage.call({ method: "GET", path: "/v1/models" }));
    expect(JSON.parse(list.text).data.map(({ id }: { id: string }) => id)).toEqual(["claude-b-1"]);
    expect((await stage.serve(stage.call({ method: "GET", path: "/v1/models/claude-a" }))).status).toBe(404);
  });
});

test.each<{ path: string; method: string; scopes: KeyGrant["scopes"]; status: number }>([
  { path: "/v1/messages", method: "POST", scopes: null, status: 200 },
  { path: "/v1/messages", method: "POST", scopes: ["messages"], status: 200 },
  { path: "/v1/messages", method: "POST", scopes: ["count_tokens", "batches", "models", "other"], status: 403 },
  { path: "/v1/messages/count_tokens", method: "POST", scopes: ["messages"], status: 403 },
  { path: "/v1/messages/count_tokens", method: "POST", scopes: ["count_tokens"], status: 200 },
  { path: "/v1/messages/batches", method: "GET", scopes: ["messages"], status: 403 },
  { path: "/v1/messages/batches/b1/results", method: "GET", scopes: ["batches"], status: 200 },
  { path: "/v1/files/f1", method: "DELETE", scopes: ["batches"], status: 403 },
  { path: "/v1/files/f1", method: "DELETE", scopes: ["files"], status: 200 },
  { path: "/v1/models", method: "GET", scopes: ["messages"], status: 403 },
  { path: "/v1/models", method: "GET", scopes: ["models"], status: 200 },
  { path: "/v1/complete", method: "POST", scopes: ["messages"], status: 403 },
  { path: "/v1/complete", method: "POST", scopes: ["other"], status: 200 },
  { path: "/v1/messages", method: "POST", scopes: [], status: 403 },
])("T-2.10 $method $path with the scopes $scopes: $status", async ({ path, method, scopes, status }) => {
  const stage = stageFor({ grant: { scopes } });
  const answer = await answered(stage, { method, path });
  expect(answer.status).toBe(status);
  if (status === 403) expect(answer.text).toContain("GW_KEY_SCOPE");
});

test.each([
  { parts: [10, 1, 2, 3], status: 200 },
  { parts: [11, 1, 2, 3], status: 403 },
])("T-2.13 a key of a network, used from $parts: $status", async ({ parts, status }) => {
  const network = parseIpNetwork("10.0.0.0/8");
  if (!network.ok) throw new Error(network.error);
  const stage = stageFor({ grant: { networks: [network.value] } });
  const call = stage.call({
    client: { family: 4, parts },
    problem: status === 403 ? "throws" : undefined,
  } as CallScript);
  stage.upstream.plan(OK);
  const client = await stage.serve(call);
  // A body that must not be read throws: it was not.
  expect(client.status).toBe(status);
  expect(call.isAdmitted).toBe(status === 200);
});

describe("the limits of a key", () => {
  test("a 429 has the API's shape, whole seconds and the limit's name, and nothing goes upstream", async () => {
    const stage = stageFor({ limits: { requestsPerMinute: 2 } });
    await answered(stage);
    await answered(stage);
    const third = await answered(stage);
    expect(third).toMatchObject({ status: 429, retryAfter: "30" });
    expect(JSON.parse(third.text)).toMatchObject({ type: "error", error: { type: "rate_limit_error" } });
    expect(third.text).toContain("limit of 2 requests a minute is reached (requestsPerMinute) (GW_KEY_LIMIT)");
    expect(stage.upstream.sendings).toHaveLength(2);
    await stage.clock.advance(30_000);
    expect((await answered(stage)).status).toBe(200);
  });

  test("T-7.15 a thousand side by side with a limit of ten: ten go upstream", async () => {
    const stage = stageFor({ limits: { requestsPerMinute: 10 } });
    for (let count = 0; count < 10; count += 1) stage.upstream.plan(OK);
    const clients = await Promise.all(Array.from({ length: 1_000 }, () => stage.serve(stage.call())));
    expect(clients.filter(({ status }) => status === 200)).toHaveLength(10);
    expect(clients.filter(({ status }) => status === 429)).toHaveLength(990);
    expect(stage.upstream.sendings).toHaveLength(10);
  });

  test("T-7.15 a thousand side by side with output for ten: ten go upstream, and what they took counts in the end", async () => {
    const stage = stageFor({ limits: { outputTokensPerMinute: 640 } });
    for (let count = 0; count < 11; count += 1) stage.upstream.plan(OK);
    const clients = await Promise.all(Array.from({ length: 1_000 }, () => stage.serve(stage.call())));
    expect(clients.filter(({ status }) => status === 200)).toHaveLength(10);
    // Each wrote 4 tokens of the 64 that it might have.
    expect((await answered(stage)).status).toBe(200);
  });

  test("requests at one time: the next gets in when one has ended", async () => {
    const stage = stageFor({ limits: { concurrency: 1 } });
    const first = stage.serve(stage.call());
    const sending = await stage.upstream.nth(0);
    const second = await stage.serve(stage.call());
    expect(second.status).toBe(429);
    expect(second.text).toContain("(concurrency)");
    sending.reply(OK);
    expect((await first).status).toBe(200);
    expect((await answered(stage)).status).toBe(200);
  });

  test("input tokens: a request that was refused upstream gives back what it reserved", async () => {
    const stage = stageFor({ limits: { inputTokensPerMinute: 30 } });
    stage.upstream.plan({
      status: 400,
      chunks: ['{"type":"error","error":{"type":"invalid_request_error","message":"no"}}'],
    });
    expect((await stage.serve(stage.call())).status).toBe(400);
    expect((await answered(stage)).status).toBe(200);
    const large = await answered(stage, { body: `{"model":"m","messages":"${"x".repeat(200)}"}` });
    expect(large).toMatchObject({ status: 429 });
    expect(large.text).toContain("(inputTokensPerMinute)");
  });

  test("a client that leaves before its usage is known gets nothing back", async () => {
    const stage = stageFor({ limits: { outputTokensPerMinute: 64 } });
    const call = stage.call();
    const serving = stage.serve(call);
    await stage.upstream.nth(0);
    call.leave();
    await serving;
    expect((await answered(stage)).status).toBe(429);
  });
});

describe("a provider key of the client's own", () => {
  const OWN = "sk-ant-api03-own-key-canary";
  const passthrough = { baseUrl: "https://own.example" };
  const brought = (key = OWN, header = "x-api-key"): CallScript => ({
    headers: [
      [header, header === "x-api-key" ? key : `Bearer ${key}`],
      ["x-better-ccflare-key", CLIENT_KEY],
    ],
  });
  const mayPass: Rights = { grant: { scopes: ["messages", "models", "passthrough"] } };

  test.each([
    { header: "x-api-key", kind: "api_key" },
    { header: "Authorization", kind: "bearer" },
  ] as const)("in $header goes to the one upstream with that key, and to no account", async ({ header, kind }) => {
    const stage = stageFor(mayPass, { overrides: { passthrough } });
    stage.upstream.plan(OK);
    const client = await stage.serve(stage.call(brought(OWN, header)));
    expect(client.status).toBe(200);
    const [sending] = stage.upstream.sendings;
    expect(sending?.request).toMatchObject({ baseUrl: passthrough.baseUrl, credentialKind: kind });
    expect(sending?.request.headers.map(([name]) => name.toLowerCase())).not.toContain("x-better-ccflare-key");
    expect(stage.begun).toMatchObject([{ accountId: null, clientKeyId: "k1" }]);
    expect(stage.settled).toMatchObject([{ outcome: "completed", accountId: null, usage: { outputTokens: 4 } }]);
    expect(stage.learned).toEqual([]);
    expect(stage.tickets).toEqual([]);
    expect(JSON.stringify([stage.begun, stage.settled, stage.announced, sending])).not.toContain("canary");
  });

  test.each([401, 429, 500, 529])(
    "is never failed over: a %d is relayed, and the pool learns nothing",
    async (status) => {
      const stage = stageFor(mayPass, { overrides: { passthrough } });
      stage.upstream.plan({
        status,
        headers: [["retry-after", "7"]],
        chunks: ['{"type":"error","error":{"type":"x","message":"m"}}'],
      });
      const client = await stage.serve(stage.call(brought()));
      expect(client.status).toBe(status);
      expect(stage.upstream.sendings).toHaveLength(1);
      expect(stage.learned).toEqual([]);
      expect(stage.settled).toMatchObject([{ status, accountId: null, attempts: 1 }]);
    },
  );

  test("whose upstream does not answer is told so, once", async () => {
    const stage = stageFor(mayPass, { overrides: { passthrough } });
    stage.upstream.plan("connect");
    const client = await stage.serve(stage.call(brought()));
    expect(client.status).toBe(502);
    expect(stage.upstream.sendings).toHaveLength(1);
  });

  test("asks upstream for its own models", async () => {
    const stage = stageFor(mayPass, { overrides: { passthrough } });
    stage.upstream.plan(OK);
    await stage.serve(stage.call({ ...brought(), method: "GET", path: "/v1/models" }));
    expect(stage.upstream.sendings).toHaveLength(1);
  });

  test.each<{ what: string; rights: Rights; isOn: boolean; script: CallScript; status: number; code: string }>([
    {
      what: "without the setting",
      rights: mayPass,
      isOn: false,
      script: brought(),
      status: 403,
      code: "GW_NO_PASSTHROUGH",
    },
    { what: "without the scope", rights: {}, isOn: true, script: brought(), status: 403, code: "GW_KEY_SCOPE" },
    {
      what: "with a scope that lacks the path's",
      rights: { grant: { scopes: ["passthrough"] } },
      isOn: true,
      script: brought(),
      status: 403,
      code: "GW_KEY_SCOPE",
    },
    {
      what: "that is a personal login",
      rights: mayPass,
      isOn: true,
      script: brought("sk-ant-oat01-canary", "authorization"),
      status: 401,
      code: "GW_PROVIDER_CREDENTIAL",
    },
    {
      what: "with a wrong client key",
      rights: mayPass,
      isOn: true,
      script: {
        headers: [
          ["x-api-key", OWN],
          ["x-better-ccflare-key", "bccf_sk_no"],
        ],
      },
      status: 401,
      code: "GW_BAD_KEY",
    },
    {
      what: "with no client key",
      rights: mayPass,
      isOn: true,
      script: { headers: [["x-api-key", OWN]] },
      status: 401,
      code: "GW_PROVIDER_CREDENTIAL",
    },
  ])("$what is refused and not sent", async ({ rights, isOn, script, status, code }) => {
    const stage = stageFor(rights, { overrides: { passthrough: isOn ? passthrough : null } });
    const client = await stage.serve(stage.call(script));
    expect(client.status).toBe(status);
    expect(client.text).toContain(code);
    expect(client.text).not.toContain("canary");
    expect(stage.upstream.sendings).toHaveLength(0);
    expect(stage.settled).toEqual([]);
  });
});

test("T-2.14 wrong keys are told why twenty times, and the right key of the same address is served all the while", async () => {
  const stage = createStage();
  const wrong = async () => {
    const client = await stage.serve(stage.call({ headers: [["x-api-key", "bccf_sk_wrong"]] }));
    return client.status;
  };
  const statuses: (number | null)[] = [];
  for (let count = 0; count < 25; count += 1) statuses.push(await wrong());
  expect(statuses).toEqual([...Array.from({ length: 20 }, () => 401), ...Array.from({ length: 5 }, () => 429)]);
  const refused = await stage.serve(stage.call({ headers: [["x-api-key", "bccf_sk_wrong"]] }));
  expect(refused.header("retry-after")).toBe("3");
  expect(refused.text).toContain("GW_FAILED_KEYS");
  expect((await answered(stage)).status).toBe(200);
});
