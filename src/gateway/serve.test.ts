import { describe, expect, test } from "bun:test";
import { turns } from "../../test/playbook/manual-clock.ts";
import type { CallScript } from "../../test/playbook/scripted-call.ts";
import { createScriptedBody } from "../../test/playbook/scripted-upstream.ts";
import { errorEvent, MESSAGE_START, SSE_HEADERS } from "../../test/playbook/sse.ts";
import { createStage, openCaller } from "../../test/playbook/stage.ts";
import { newKeyMeter } from "../domain/access/key-limits.ts";
import { requestFactsOf } from "../domain/request/request-facts.ts";
import { serve } from "./serve.ts";
import { newWalk, settleWalk } from "./walk.ts";

describe("a request that nobody may send", () => {
  test.each<{ script: CallScript; status: number; code: string; isAdmitted: boolean }>([
    { script: { path: "/v2/messages" }, status: 404, code: "GW_UNKNOWN_PATH", isAdmitted: false },
    { script: { method: "GET" }, status: 405, code: "GW_METHOD", isAdmitted: false },
    { script: { headers: [["x-api-key", "bad"]] }, status: 401, code: "GW_BAD_KEY", isAdmitted: false },
    { script: { body: "no" }, status: 400, code: "GW_BODY_NOT_JSON", isAdmitted: true },
    { script: { problem: "too_slow" }, status: 408, code: "GW_BODY_TOO_SLOW", isAdmitted: true },
  ])("is refused as $code before any upstream is asked", async ({ script, status, code, isAdmitted }) => {
    const stage = createStage();
    const call = stage.call(script);
    const client = await stage.serve(call);
    expect(client.status).toBe(status);
    expect(client.text).toContain(code);
    expect(call.isAdmitted).toBe(isAdmitted);
    expect(stage.upstream.sendings).toHaveLength(0);
    expect(stage.rooms.budget.usedBytes).toBe(0);
  });
});

test("the row is there before the request leaves, and is settled once", async () => {
  const stage = createStage();
  const serving = stage.serve(stage.call());
  await stage.upstream.nth(0);
  expect(stage.begun).toMatchObject([{ id: "request-1", requestBytes: 59, accountId: "id-a", isStream: false }]);
  expect(stage.settled).toHaveLength(0);
  stage.upstream.sendings[0]?.reply({ chunks: ["{}"] });
  await serving;
  expect(stage.settled).toHaveLength(1);
  expect(stage.announced.slice(-1)).toEqual([...stage.settled]);
});

test("a walk that is settled again stays as it was", async () => {
  const stage = createStage();
  const call = stage.call();
  const facts = requestFactsOf(new Uint8Array(0));
  const walk = newWalk(stage.rooms.presences.enter(call, openCaller("k", "k"), newKeyMeter(call.acceptedAtMs)), {
    body: null,
    facts,
    reservedBytes: 0,
  });
  settleWalk(walk, { status: 200, outcome: "completed" }, stage.rooms);
  settleWalk(walk, { status: null, outcome: "client_gone" }, stage.rooms);
  expect(stage.settled).toMatchObject([{ status: 200, outcome: "completed" }]);
});

test("an upstream that stops under a waiting client is told as our own stop", async () => {
  const stage = createStage();
  stage.upstream.plan("aborted");
  const client = await stage.serve(stage.call());
  expect(client.status).toBe(503);
  expect(client.text).toContain("GW_STOPPING");
  expect(stage.settled).toMatchObject([{ status: 503, outcome: "upstream_error" }]);
});

test("an error in a stream that came behind 1 MiB of pings still teaches the pool", async () => {
  const stage = createStage();
  const serving = stage.serve(stage.call({ body: '{"model":"m","stream":true}' }));
  const { body } = await stage.upstream.nth(0);
  stage.upstream.sendings[0]?.reply({ headers: SSE_HEADERS, ending: "open" });
  body.push(new TextEncoder().encode(`:${"x".repeat(1_100_000)}\n\n`));
  const client = await serving;
  body.push(errorEvent("overloaded_error"));
  body.end();
  await turns();
  expect(client.end).toBe("end");
  expect(stage.learned.map(({ type }) => type)).toEqual(["origin_failed"]);
  expect(stage.settled).toMatchObject([{ outcome: "upstream_error", errorType: "overloaded_error" }]);
});

test("a client that leaves inside its own callback hears nothing more", async () => {
  const stage = createStage();
  stage.upstream.plan({ headers: SSE_HEADERS, chunks: [MESSAGE_START, MESSAGE_START, MESSAGE_START] });
  const call = stage.call({ body: '{"model":"m","stream":true}' });
  const answer = await serve(call, stage.rooms);
  const body = answer?.body;
  if (body === null || body === undefined || body instanceof Uint8Array) throw new Error("Cannot test: no stream");
  const got: string[] = [];
  body.subscribe({
    onChunk() {
      got.push("chunk");
      body.cancel();
    },
    onEnd: () => void got.push("end"),
    onFailure: () => void got.push("failure"),
  });
  expect(got).toEqual(["chunk"]);
  expect(stage.settled).toMatchObject([{ outcome: "client_gone" }]);
  expect(stage.rooms.streams.active).toBe(0);
});

test("a client that left while upstream's head came is noticed by an upstream that overlooked it, too", async () => {
  const stage = createStage();
  const call = stage.call();
  const serving = stage.serve(call);
  const sending = await stage.upstream.nth(0);
  const deaf = createScriptedBody(() => undefined);
  sending.reply({ body: deaf });
  call.leave();
  expect((await serving).answer).toBeNull();
  expect(deaf.isCancelled).toBe(true);
  expect(call.listeners).toBe(0);
  expect(stage.settled).toMatchObject([{ outcome: "client_gone" }]);
});
