import { describe, expect, test } from "bun:test";
import { turns } from "./manual-clock.ts";
import { STREAMED_MESSAGE } from "./scripted-call.ts";
import {
  BLOCK_START,
  DELTA,
  errorEvent,
  MESSAGE_DELTA,
  MESSAGE_START,
  MESSAGE_STOP,
  PING,
  SSE_HEADERS,
  WHOLE_STREAM,
} from "./sse.ts";
import { createStage, type Stage, type StageOptions } from "./stage.ts";

const GATEWAY_PING = 'event: ping\ndata: {"type": "ping"}\n\n';

/** A stream of which the client has seen `chunks`, and that goes on. */
async function streaming(chunks: readonly string[], options: StageOptions = {}) {
  const stage = createStage(options);
  const call = stage.call({ body: STREAMED_MESSAGE });
  stage.upstream.plan({ headers: SSE_HEADERS, chunks, ending: "open" });
  const client = await stage.serve(call);
  const { body } = await stage.upstream.nth(0);
  return { stage, call, client, body };
}

function nothingLeft(stage: Stage): void {
  expect(stage.rooms.budget.usedBytes).toBe(0);
  expect(stage.rooms.streams.active).toBe(0);
  expect(stage.clock.timers).toBe(0);
}

describe("a stream", () => {
  test.each([
    { how: "as one chunk with the head", chunks: [WHOLE_STREAM.join("")] },
    { how: "as many chunks with the head", chunks: WHOLE_STREAM },
  ])("that comes $how is relayed and metered whole", async ({ chunks }) => {
    const { stage, client, body } = await streaming(chunks);
    body.end();
    expect(client.text).toBe(WHOLE_STREAM.join(""));
    expect(client.end).toBe("end");
    expect(stage.settled).toHaveLength(1);
    expect(stage.settled[0]).toMatchObject({
      status: 200,
      outcome: "completed",
      responseBytes: WHOLE_STREAM.join("").length,
      upstreamRequestId: "req_upstream",
      usage: { inputTokens: 10, outputTokens: 7, isPartial: false },
    });
    nothingLeft(stage);
  });

  test("that comes event by event is relayed event by event", async () => {
    const { stage, client, body } = await streaming([MESSAGE_START]);
    let soFar = MESSAGE_START;
    for (const event of [BLOCK_START, DELTA, MESSAGE_DELTA, MESSAGE_STOP]) {
      body.push(event);
      soFar += event;
      expect(client.text).toBe(soFar);
    }
    body.end();
    expect(stage.settled[0]).toMatchObject({ outcome: "completed", usage: { outputTokens: 7 } });
    nothingLeft(stage);
  });

  test("that is complete counts as completed when the connection breaks afterwards", async () => {
    const { stage, client, body } = await streaming(WHOLE_STREAM);
    body.fail("reset");
    expect(client.end).toBe("end");
    expect(stage.settled[0]).toMatchObject({ outcome: "completed", errorType: null });
  });

  test.each([
    { where: "between two events", chunks: [MESSAGE_START, BLOCK_START], hasError: true },
    { where: "inside an event", chunks: [MESSAGE_START, DELTA.slice(0, 20)], hasError: false },
  ])("that is cut $where ends visibly", async ({ chunks, hasError }) => {
    const { stage, client, body } = await streaming(chunks);
    body.fail("reset");
    expect(client.text.startsWith(chunks.join(""))).toBe(true);
    expect(client.text.includes("GW_STREAM_CUT")).toBe(hasError);
    expect(client.text).not.toContain("message_stop");
    expect(client.end).toMatchObject({ kind: "reset" });
    expect(stage.settled[0]).toMatchObject({ status: 200, outcome: "truncated", usage: { isPartial: true } });
    nothingLeft(stage);
  });

  test("that ends in order without message_stop is a cut stream", async () => {
    const { stage, client, body } = await streaming([MESSAGE_START, BLOCK_START]);
    body.end();
    expect(client.text).toContain("GW_STREAM_CUT");
    expect(client.end).toMatchObject({ kind: "reset", detail: "the stream ended without message_stop" });
    expect(stage.settled[0]).toMatchObject({ outcome: "truncated" });
  });

  test("that reports an error after content is relayed as it is, and the pool learns from it", async () => {
    const { stage, client, body } = await streaming([MESSAGE_START, BLOCK_START]);
    stage.learned.length = 0;
    body.push(errorEvent("overloaded_error"));
    body.end();
    expect(client.end).toBe("end");
    expect(client.text).not.toContain("GW_STREAM_CUT");
    expect(stage.settled[0]).toMatchObject({ status: 200, outcome: "upstream_error", errorType: "overloaded_error" });
    expect(stage.learned.map(({ type }) => type)).toEqual(["origin_failed"]);
    expect(stage.upstream.sendings).toHaveLength(1);
  });

  test("whose client leaves is cancelled upstream and recorded with the usage so far", async () => {
    const { stage, client, body, call } = await streaming([MESSAGE_START, DELTA]);
    client.leave();
    expect(body.isCancelled).toBe(true);
    expect(stage.settled).toHaveLength(1);
    expect(stage.settled[0]).toMatchObject({ outcome: "client_gone", usage: { inputTokens: 10, isPartial: true } });
    expect(client.late).toEqual([]);
    expect(call.listeners).toBe(0);
    nothingLeft(stage);
  });

  test("hands backpressure to upstream and back", async () => {
    const { client, body } = await streaming([MESSAGE_START]);
    client.pause();
    expect(body.isPaused).toBe(true);
    body.push(BLOCK_START);
    expect(client.text).toBe(MESSAGE_START);
    client.resume();
    expect(client.text).toBe(MESSAGE_START + BLOCK_START);
  });

  test("remembers no request bytes while it runs", async () => {
    const { stage } = await streaming([MESSAGE_START]);
    expect(stage.rooms.budget.usedBytes).toBe(0);
  });
});

describe("silence", () => {
  test("is broken by a ping of our own after 15 s, and again 15 s later", async () => {
    const { stage, client } = await streaming([MESSAGE_START]);
    stage.clock.advance(14_500);
    expect(client.text).toBe(MESSAGE_START);
    stage.clock.advance(1_000);
    expect(client.text).toBe(MESSAGE_START + GATEWAY_PING);
    stage.clock.advance(15_000);
    expect(client.text).toBe(MESSAGE_START + GATEWAY_PING + GATEWAY_PING);
  });

  test("counts from the last byte of upstream", async () => {
    const { stage, client, body } = await streaming([MESSAGE_START]);
    stage.clock.advance(10_000);
    body.push(PING);
    stage.clock.advance(10_000);
    expect(client.text).toBe(MESSAGE_START + PING);
  });

  test("gets no ping inside an event", async () => {
    const { stage, client } = await streaming([MESSAGE_START, DELTA.slice(0, 30)]);
    stage.clock.advance(60_000);
    expect(client.text).toBe(MESSAGE_START + DELTA.slice(0, 30));
  });

  test("gets no ping while the client does not read", async () => {
    const { stage, client } = await streaming([MESSAGE_START]);
    client.pause();
    stage.clock.advance(30_000);
    expect(client.text).toBe(MESSAGE_START);
  });

  test("the bytes of our pings are counted as relayed", async () => {
    const { stage, client, body } = await streaming([MESSAGE_START]);
    stage.clock.advance(16_000);
    body.push([DELTA, MESSAGE_STOP].join(""));
    body.end();
    expect(stage.settled[0]?.responseBytes).toBe(client.bytes.length);
  });
});

describe("a client that takes no byte", () => {
  test("for 60 s is gone", async () => {
    const { stage, client, body } = await streaming([MESSAGE_START]);
    client.pause();
    stage.clock.advance(60_500);
    expect(body.isCancelled).toBe(true);
    expect(client.end).toMatchObject({ kind: "idle_timeout" });
    expect(stage.settled[0]).toMatchObject({ outcome: "client_gone" });
    nothingLeft(stage);
  });

  test("for 59 s and then reads on keeps its stream", async () => {
    const { stage, client, body } = await streaming([MESSAGE_START]);
    client.pause();
    client.pause();
    stage.clock.advance(59_000);
    client.resume();
    stage.clock.advance(10_000);
    expect(body.isOver).toBe(false);
    expect(client.end).toBe("open");
  });
});

describe("a gateway that stops", () => {
  test("ends a running stream with an error event", async () => {
    const { stage, client, body } = await streaming([MESSAGE_START]);
    stage.rooms.streams.stopAll();
    expect(client.text).toContain("GW_STOPPING");
    expect(client.end).toMatchObject({ kind: "reset" });
    expect(body.isCancelled).toBe(true);
    expect(stage.settled[0]).toMatchObject({ outcome: "truncated" });
    nothingLeft(stage);
  });

  test("says nothing inside an event", async () => {
    const { stage, client } = await streaming([MESSAGE_START, DELTA.slice(0, 30)]);
    stage.rooms.streams.stopAll();
    expect(client.text).not.toContain("GW_STOPPING");
    expect(client.end).toMatchObject({ kind: "reset" });
  });

  test("adds no error to a message that is complete", async () => {
    const { stage, client } = await streaming(WHOLE_STREAM);
    stage.rooms.streams.stopAll();
    expect(client.text).toBe(WHOLE_STREAM.join(""));
    expect(client.end).toBe("end");
    expect(stage.settled[0]).toMatchObject({ outcome: "completed" });
  });

  test("tells a request that waits for its first event", async () => {
    const stage = createStage();
    const call = stage.call({ body: STREAMED_MESSAGE });
    stage.upstream.plan({ headers: SSE_HEADERS, chunks: [PING], ending: "open" });
    const serving = stage.serve(call);
    await turns();
    stage.rooms.streams.stopAll();
    const client = await serving;
    expect(client.status).toBe(503);
    expect(client.text).toContain("GW_STOPPING");
    nothingLeft(stage);
  });
});
