import { describe, expect, test } from "bun:test";
import type { HeaderField } from "../../src/gateway/ports.ts";
import { turns } from "./manual-clock.ts";
import { STREAMED_MESSAGE } from "./scripted-call.ts";
import type { Reply } from "./scripted-upstream.ts";
import { errorEvent, SSE_HEADERS } from "./sse.ts";
import { account, createStage, type Stage } from "./stage.ts";

const JSON_HEADERS: readonly HeaderField[] = [
  ["content-type", "application/json"],
  ["request-id", "req_1"],
];
const OK: Reply = {
  headers: JSON_HEADERS,
  chunks: ['{"type":"message","usage":{"input_tokens":3,', '"output_tokens":4}}'],
};

function failing(status: number, type: string, headers: readonly HeaderField[] = []): Reply {
  return {
    status,
    headers: [...JSON_HEADERS, ...headers],
    chunks: [JSON.stringify({ type: "error", error: { type, message: `scripted ${status}` } })],
  };
}

/** The accounts that were asked, in order. */
function asked(stage: Stage): string[] {
  return stage.upstream.sendings.map(({ request }) => request.credential?.label ?? "");
}

/** Serves one call; whatever sleeps is woken until the answer is there. */
async function serveThrough(stage: Stage, body?: string) {
  const call = stage.call(body === undefined ? {} : { body });
  const serving = stage.serve(call);
  for (let step = 0; step < 5; step += 1) {
    await turns();
    if (stage.clock.sleeping > 0) stage.clock.advance(10_000);
  }
  return { call, client: await serving };
}

function nothingLeft(stage: Stage): void {
  expect(stage.rooms.budget.usedBytes).toBe(0);
  expect(stage.rooms.streams.active).toBe(0);
  expect(stage.rooms.queue.waiting).toBe(0);
  expect(stage.clock.timers).toBe(0);
}

describe("an answer", () => {
  test("of the first account goes to the client unchanged, with the gateway's two headers", async () => {
    const stage = createStage();
    stage.upstream.plan(OK);
    const { client } = await serveThrough(stage);
    expect(client.status).toBe(200);
    expect(client.text).toBe('{"type":"message","usage":{"input_tokens":3,"output_tokens":4}}');
    expect(client.header("request-id")).toBe("req_1");
    expect(client.header("x-better-ccflare-request-id")).toBe("request-1");
    expect(client.header("x-better-ccflare-attempts")).toBe("1");
    expect(stage.begun).toHaveLength(1);
    expect(stage.settled).toHaveLength(1);
    expect(stage.settled[0]).toMatchObject({
      id: "request-1",
      status: 200,
      outcome: "completed",
      accountId: "id-a",
      attempts: 1,
      queueMs: 0,
      firstByteMs: 0,
      responseBytes: 63,
      upstreamRequestId: "req_1",
      errorType: null,
      usage: { inputTokens: 3, outputTokens: 4 },
    });
    nothingLeft(stage);
  });

  test("asks upstream for the same bytes, target and headers, without the client's key", async () => {
    const stage = createStage();
    stage.upstream.plan(OK);
    await stage.serve(
      stage.call({
        query: "?beta=true",
        headers: [
          ["Authorization", "Bearer key-of-the-test"],
          ["Anthropic-Version", "2023-06-01"],
        ],
      }),
    );
    expect(stage.upstream.sendings[0]?.request).toMatchObject({
      baseUrl: "https://a.example",
      method: "POST",
      target: "/v1/messages?beta=true",
      headers: [["Anthropic-Version", "2023-06-01"]],
      credentialKind: "api_key",
    });
  });

  test.each([
    { method: "HEAD", path: "/v1/files/file_1" },
    { method: "GET", path: "/v1/files/file_1" },
    { method: "DELETE", path: "/v1/files/file_1" },
  ])("to $method $path needs no body", async ({ method, path }) => {
    const stage = createStage();
    stage.upstream.plan({ headers: JSON_HEADERS, chunks: [] });
    const client = await stage.serve(stage.call({ method, path }));
    expect(client.status).toBe(200);
    expect(client.bytes).toHaveLength(0);
    expect(stage.upstream.sendings[0]?.request).toMatchObject({ method, target: path, body: null });
    expect(stage.settled[0]).toMatchObject({ outcome: "completed", responseBytes: 0, firstByteMs: null });
  });

  test("to count_tokens is relayed, and has no usage", async () => {
    const stage = createStage();
    stage.upstream.plan({ headers: JSON_HEADERS, chunks: ['{"input_tokens":12}'] });
    const client = await stage.serve(stage.call({ path: "/v1/messages/count_tokens" }));
    expect(client.text).toBe('{"input_tokens":12}');
    expect(stage.settled[0]).toMatchObject({ outcome: "completed", usage: null });
    expect(stage.begun[0]).toMatchObject({ path: "/v1/messages/count_tokens", model: "claude-sonnet-4-5" });
  });
});

describe("failover", () => {
  test.each<{ what: string; first: Reply; sends: [string, string] }>([
    { what: "a limit", first: failing(429, "rate_limit_error", [["retry-after", "30"]]), sends: ["a", "b"] },
    { what: "a refused credential", first: failing(401, "authentication_error"), sends: ["a", "b"] },
    { what: "a refused model class", first: failing(403, "permission_error"), sends: ["a", "b"] },
    { what: "an unpaid bill", first: failing(402, "billing_error"), sends: ["a", "b"] },
    { what: "a missing model", first: failing(404, "not_found_error"), sends: ["a", "b"] },
    { what: "a redirect", first: { status: 307, headers: [["location", "https://x"]] }, sends: ["a", "b"] },
    { what: "bad HTTP", first: "protocol", sends: ["a", "b"] },
    { what: "a private address", first: "address_refused", sends: ["a", "b"] },
    { what: "an overload", first: failing(529, "overloaded_error"), sends: ["a", "a"] },
    { what: "no connection", first: "connect", sends: ["a", "a"] },
    { what: "a late head", first: "headers_timeout", sends: ["a", "a"] },
    { what: "a cut answer", first: { chunks: ['{"type"'], ending: "reset" }, sends: ["a", "a"] },
    { what: "an empty stream", first: { headers: SSE_HEADERS }, sends: ["a", "a"] },
    {
      what: "an error as first event",
      first: { headers: SSE_HEADERS, chunks: [errorEvent("rate_limit_error")] },
      sends: ["a", "b"],
    },
    {
      what: "a stream that breaks before its first event",
      first: { headers: SSE_HEADERS, chunks: ["event: mess"], ending: "reset" },
      sends: ["a", "a"],
    },
  ])("after $what goes on with $sends", async ({ first, sends }) => {
    const stage = createStage();
    stage.upstream.plan(first, OK);
    const { client } = await serveThrough(stage);
    expect(client.status).toBe(200);
    expect(asked(stage)).toEqual(sends);
    expect(client.header("x-better-ccflare-attempts")).toBe("2");
    expect(stage.settled[0]).toMatchObject({ outcome: "completed", attempts: 2, accountId: `id-${sends[1]}` });
    expect(stage.attempted.map(({ action }) => action)).toEqual([sends[1] === "a" ? "retry_same" : "next", "relay"]);
    nothingLeft(stage);
  });

  test.each([
    { status: 400, type: "invalid_request_error" },
    { status: 409, type: "conflict_error" },
    { status: 413, type: "request_too_large" },
  ])("never follows the client's own $status", async ({ status, type }) => {
    const stage = createStage();
    stage.upstream.plan(failing(status, type));
    const { client } = await serveThrough(stage);
    expect(client.status).toBe(status);
    expect(stage.settled[0]).toMatchObject({ status, outcome: "upstream_error", errorType: type, attempts: 1 });
    nothingLeft(stage);
  });

  test("waits delayMs before it retries in place, once for each request", async () => {
    const stage = createStage({ accounts: [account("a")] });
    stage.upstream.plan("connect", "connect");
    const serving = stage.serve(stage.call());
    await turns();
    expect(stage.upstream.sendings).toHaveLength(1);
    stage.clock.advance(499);
    await turns();
    expect(stage.upstream.sendings).toHaveLength(1);
    stage.clock.advance(1);
    const client = await serving;
    expect(asked(stage)).toEqual(["a", "a"]);
    expect(client.status).toBe(502);
    nothingLeft(stage);
  });

  test("sends at most retry.attempts requests", async () => {
    const stage = createStage({ accounts: ["a", "b", "c", "d", "e"].map((name) => account(name)) });
    const limited = failing(429, "rate_limit_error");
    stage.upstream.plan(limited, limited, limited, OK);
    const { client } = await serveThrough(stage);
    expect(client.status).toBe(429);
    expect(asked(stage)).toEqual(["a", "b", "c"]);
  });

  test("passes over accounts whose credential cannot be read", async () => {
    const stage = createStage();
    stage.unreadable.add("a");
    stage.upstream.plan(OK);
    await serveThrough(stage);
    expect(asked(stage)).toEqual(["b"]);
  });
});

describe("the last word", () => {
  test.each<{ first: Reply; second: Reply; status: number; from: string }>([
    { first: failing(429, "rate_limit_error"), second: failing(401, "authentication_error"), status: 429, from: "a" },
    { first: failing(401, "authentication_error"), second: failing(429, "rate_limit_error"), status: 429, from: "b" },
    { first: failing(429, "rate_limit_error"), second: "protocol", status: 429, from: "a" },
    { first: "protocol", second: failing(402, "billing_error"), status: 402, from: "b" },
    { first: failing(401, "authentication_error"), second: failing(403, "permission_error"), status: 403, from: "b" },
  ])("of two failing accounts is the $status of $from", async ({ first, second, status, from }) => {
    const stage = createStage({ accounts: [account("a"), account("b")] });
    stage.upstream.plan(first, second);
    const { client } = await serveThrough(stage);
    expect(client.status).toBe(status);
    expect(client.text).toContain(`scripted ${status}`);
    expect(stage.settled[0]).toMatchObject({ status, outcome: "upstream_error", accountId: `id-${from}`, attempts: 2 });
    nothingLeft(stage);
  });

  test.each([
    { failure: "protocol" as const, status: 502, code: "GW_UPSTREAM_UNREACHABLE" },
    { failure: "address_refused" as const, status: 502, code: "GW_UPSTREAM_UNREACHABLE" },
    { failure: "connect_timeout" as const, status: 504, code: "GW_UPSTREAM_TIMEOUT" },
    { failure: "headers_timeout" as const, status: 504, code: "GW_UPSTREAM_TIMEOUT" },
  ])("after nothing but $failure is $code, of no account", async ({ failure, status, code }) => {
    const stage = createStage({ accounts: [account("a")] });
    stage.upstream.plan(failure, failure);
    const { client } = await serveThrough(stage);
    expect(client.status).toBe(status);
    expect(client.text).toContain(code);
    expect(stage.settled[0]).toMatchObject({ status, outcome: "upstream_error", accountId: null });
    nothingLeft(stage);
  });

  test("is never a redirect, and drops its body", async () => {
    const stage = createStage({ accounts: [account("a")] });
    stage.upstream.plan({ status: 302, chunks: [new Uint8Array(300_000)], ending: "open" });
    const { client } = await serveThrough(stage);
    expect(client.status).toBe(502);
    expect(stage.upstream.sendings[0]?.body.isCancelled).toBe(true);
    expect(stage.settled[0]).toMatchObject({ status: 502, accountId: null });
  });

  test("is the error stream itself when every account's stream begins with an error, and the pool learns it once", async () => {
    const stage = createStage({ accounts: [account("a")] });
    const overloaded: Reply = { headers: SSE_HEADERS, chunks: [errorEvent("overloaded_error")] };
    stage.upstream.plan(overloaded, overloaded);
    const { client } = await serveThrough(stage, STREAMED_MESSAGE);
    expect(client.status).toBe(200);
    expect(client.text).toBe(errorEvent("overloaded_error"));
    expect(stage.settled[0]).toMatchObject({ outcome: "upstream_error", errorType: "overloaded_error", attempts: 2 });
    expect(stage.learned.filter(({ type }) => type === "origin_failed")).toHaveLength(2);
    nothingLeft(stage);
  });

  test("holds no more than one read of an answer that nobody wants yet", async () => {
    const stage = createStage({ accounts: [account("a"), account("b")] });
    const serving = stage.serve(stage.call());
    const first = await stage.upstream.nth(0);
    first.reply({ status: 429, chunks: [new Uint8Array(1_100_000)], ending: "open" });
    const second = await stage.upstream.nth(1);
    expect(first.body.isPaused).toBe(true);
    second.reply("protocol");
    const client = await serving;
    first.body.push("the rest");
    first.body.end();
    expect(client.bytes).toHaveLength(1_100_008);
    expect(client.end).toBe("end");
    expect(stage.settled[0]).toMatchObject({ status: 429, outcome: "upstream_error", responseBytes: 1_100_008 });
  });
});
