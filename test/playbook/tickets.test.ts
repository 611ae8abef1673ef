import { describe, expect, test } from "bun:test";
import { failing, limitedFor, OK, turnOf } from "./answers.ts";
import { turns } from "./manual-clock.ts";
import { STREAMED_MESSAGE } from "./scripted-call.ts";
import type { Reply } from "./scripted-upstream.ts";
import { errorEvent, MESSAGE_START, SSE_HEADERS, WHOLE_STREAM } from "./sse.ts";
import { account, createStage, type Stage } from "./stage.ts";

const one = account("a");
const STREAM: Reply = { headers: SSE_HEADERS, chunks: [MESSAGE_START], ending: "open" };

function kinds(stage: Stage): string[][] {
  return stage.tickets.map(({ ends }) => ends.map(({ kind }) => kind));
}

describe("what is reserved for a request", () => {
  test.each<{ what: string; reply: Reply; body?: string; ends: string[][] }>([
    { what: "a whole answer", reply: OK, ends: [["served"]] },
    { what: "a whole stream", reply: { headers: SSE_HEADERS, chunks: WHOLE_STREAM }, ends: [["served"]] },
    { what: "a refusal of the client's own", reply: failing(400), ends: [["failed"]] },
    { what: "a limit", reply: limitedFor(60), ends: [["limited"]] },
    { what: "a limit that a paid answer tells of", reply: hard(), ends: [["limited"]] },
    { what: "a dead credential", reply: failing(401), ends: [["limited"]] },
    { what: "a missing model", reply: failing(404), ends: [["failed"]] },
    { what: "a redirect", reply: { status: 307 }, ends: [["failed"]] },
    { what: "bad HTTP", reply: "protocol", ends: [["failed"]] },
    { what: "an upstream that stops under us", reply: "aborted", ends: [["gone"]] },
    {
      what: "a stream that breaks after its first event",
      reply: { headers: SSE_HEADERS, chunks: [MESSAGE_START], ending: "reset" },
      ends: [["failed"]],
    },
    {
      what: "a stream with a late error",
      reply: { headers: SSE_HEADERS, chunks: [MESSAGE_START, errorEvent("overloaded_error")] },
      ends: [["failed"]],
    },
  ])("is given back once after $what", async ({ reply, ends }) => {
    const stage = createStage({ accounts: [one] });
    stage.upstream.plan(reply);
    await stage.serve(stage.call({ body: STREAMED_MESSAGE }));
    await stage.background();
    expect(kinds(stage)).toEqual(ends);
    expect(stage.reservations.inFlightOf(one.id)).toBe(0);
  });

  test("is given back once for each attempt that fails", async () => {
    const stage = createStage({ accounts: [one] });
    stage.upstream.plan(failing(529), failing(529));
    const serving = stage.serve(stage.call());
    await turns();
    expect(stage.reservations.inFlightOf(one.id)).toBe(0);
    stage.clock.advance(1_000);
    await serving;
    expect(kinds(stage)).toEqual([["failed"], ["failed"]]);
  });

  test("is held until the last byte of a stream, and comes back with its usage and its first token", async () => {
    const stage = createStage({ accounts: [one] });
    const serving = stage.serve(stage.call({ body: STREAMED_MESSAGE }));
    const sending = await stage.upstream.nth(0);
    stage.clock.advance(300);
    sending.reply(STREAM);
    await serving;
    expect(stage.reservations.inFlightOf(one.id)).toBe(1);
    for (const event of WHOLE_STREAM.slice(1)) sending.body.push(event);
    stage.clock.advance(5_000);
    expect(stage.reservations.inFlightOf(one.id)).toBe(1);
    sending.body.end();
    expect(stage.reservations.inFlightOf(one.id)).toBe(0);
    expect(stage.tickets[0]?.ends as unknown).toMatchObject([
      { kind: "served", firstTokenMs: 300, usage: { inputTokens: 10, outputTokens: 7 } },
    ]);
  });

  test.each(["before the head", "in the body"])("is given back when the client leaves %s", async (when) => {
    const stage = createStage({ accounts: [one] });
    const call = stage.call({ body: STREAMED_MESSAGE });
    const serving = stage.serve(call);
    const sending = await stage.upstream.nth(0);
    if (when === "in the body") {
      sending.reply(STREAM);
      (await serving).leave();
    } else {
      call.leave();
      await serving;
    }
    expect(kinds(stage)).toEqual([["gone"]]);
    expect(stage.reservations.inFlightOf(one.id)).toBe(0);
  });

  test("is given back when the gateway itself fails", async () => {
    const observer = {
      ...createStage().rooms.observer,
      attempted: () => {
        throw new Error("scripted bug");
      },
    };
    const broken = createStage({ accounts: [one], overrides: { observer } });
    broken.upstream.plan(OK);
    await expect(broken.serve(broken.call())).rejects.toThrow("scripted bug");
    expect(kinds(broken)).toEqual([["failed"]]);
    expect(broken.reservations.inFlightOf(one.id)).toBe(0);
  });
});

/** 200, and its headers say that it was the last one. */
function hard(): Reply {
  return {
    headers: [
      ["content-type", "application/json"],
      ["anthropic-ratelimit-unified-status", "rejected"],
      ["anthropic-ratelimit-unified-reset", String(Date.UTC(2026, 10, 24) / 1000)],
    ],
    chunks: ["{}"],
  };
}

describe("a settled row", () => {
  test("has its price, its conversation and what upstream dropped", async () => {
    const stage = createStage({ accounts: [one] });
    const usage = { input_tokens: 1_000, output_tokens: 1_000 };
    const message = { type: "message", usage, input_transformations: [{ type: "thinking_dropped" }] };
    stage.upstream.plan({ chunks: [JSON.stringify(message)] });
    await stage.serve(stage.call(turnOf("s1")));
    expect(stage.settled[0]).toMatchObject({
      costMicroUsd: 18_000,
      conversation: "k1/sonnet/s:s1",
      thinkingDropped: 1,
    });
  });

  test("has no decision when nothing was decided", async () => {
    const stage = createStage({ accounts: [one] });
    const call = stage.call();
    call.leave();
    await stage.serve(call);
    expect(stage.settled).toMatchObject([{ outcome: "client_gone", decision: null, costMicroUsd: null }]);
  });
});
