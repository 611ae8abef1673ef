import { describe, expect, test } from "bun:test";
import zlib from "node:zlib";
import { turns, until } from "./manual-clock.ts";
import { STREAMED_MESSAGE } from "./scripted-call.ts";
import { BLOCK_START, DELTA, errorEvent, MESSAGE_START, MESSAGE_STOP, PING, SSE_HEADERS, WHOLE_STREAM } from "./sse.ts";
import { account, createStage, type Stage } from "./stage.ts";

/** A request that waits for the first event of its stream. */
async function atGate(chunks: readonly (string | Uint8Array)[], encoding?: string, stage: Stage = createStage()) {
  const call = stage.call({ body: STREAMED_MESSAGE });
  const headers =
    encoding === undefined ? SSE_HEADERS : [...SSE_HEADERS, ["content-encoding", encoding] as [string, string]];
  stage.upstream.plan({ headers, chunks, ending: "open" });
  let isOpen = false;
  const serving = stage.serve(call).finally(() => {
    isOpen = true;
  });
  const { body } = await stage.upstream.nth(0);
  await turns(2);
  return { stage, call, serving, body, isOpen: () => isOpen };
}

/** What `text` becomes when the server flushes its compressor after it. */
async function flushed(
  compressor: zlib.Gzip | zlib.BrotliCompress | zlib.ZstdCompress,
  text: string,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  const collect = (chunk: Uint8Array) => void chunks.push(chunk);
  compressor.on("data", collect);
  compressor.write(text);
  await new Promise<void>((resolve) => compressor.flush(() => resolve()));
  await turns(2);
  compressor.off("data", collect);
  return Buffer.concat(chunks);
}

const ENCODINGS = [
  { encoding: "gzip", compressor: () => zlib.createGzip() },
  { encoding: "x-gzip", compressor: () => zlib.createGzip() },
  { encoding: "br", compressor: () => zlib.createBrotliCompress() },
  { encoding: "zstd", compressor: () => zlib.createZstdCompress() },
];

describe("the gate", () => {
  test("holds pings back until the first event, then gives all of it", async () => {
    const { body, serving, isOpen } = await atGate([PING, PING]);
    expect(isOpen()).toBe(false);
    body.push(": comment\n\n");
    await turns();
    expect(isOpen()).toBe(false);
    body.push(MESSAGE_START);
    const client = await serving;
    expect(client.text).toBe(`${PING}${PING}: comment\n\n${MESSAGE_START}`);
  });

  test("goes elsewhere when only pings came in time", async () => {
    const { stage, serving, body } = await atGate([PING]);
    stage.clock.advance(59_000);
    await turns();
    expect(body.isOver).toBe(false);
    stage.clock.advance(1_500);
    await turns();
    expect(body.isCancelled).toBe(true);
    expect(stage.attempted).toMatchObject([{ event: "headers_timeout", action: "retry_same", status: null }]);
    stage.upstream.plan({ headers: SSE_HEADERS, chunks: WHOLE_STREAM });
    stage.clock.advance(1_000);
    expect((await serving).text).toBe(WHOLE_STREAM.join(""));
    expect(stage.settled[0]).toMatchObject({ outcome: "completed", attempts: 2 });
    expect(stage.clock.timers).toBe(0);
  });

  test("judges an error as first event by the status it names", async () => {
    const { stage, body, serving } = await atGate([PING]);
    stage.upstream.plan({ headers: SSE_HEADERS, chunks: WHOLE_STREAM });
    body.push(errorEvent("rate_limit_error"));
    await serving;
    expect(stage.attempted).toMatchObject([
      { status: 429, action: "next" },
      { status: 200, action: "relay" },
    ]);
    expect(body.isCancelled).toBe(true);
  });

  test("opens after 1 MiB that hold no event", async () => {
    const comment = `:${"x".repeat(65_534)}\n`;
    const { body, serving, isOpen } = await atGate([]);
    for (let chunk = 0; chunk < 16; chunk += 1) body.push(comment);
    await turns();
    expect(isOpen()).toBe(false);
    body.push(comment);
    expect((await serving).bytes).toHaveLength(17 * 65_536);
  });

  test("lets go when the client leaves", async () => {
    const { stage, call, body, serving } = await atGate([PING]);
    call.leave();
    expect((await serving).answer).toBeNull();
    expect(body.isOver).toBe(true);
    expect(call.listeners).toBe(0);
    expect(stage.settled).toMatchObject([{ outcome: "client_gone", status: null }]);
    expect(stage.clock.timers).toBe(0);
  });

  test("gives the probe back when the client leaves", async () => {
    const stage = createStage({ accounts: [account("a")] });
    stage.upstream.plan({ status: 429, chunks: ["{}"] });
    await stage.serve(stage.call());
    stage.clock.advance(5_000);
    stage.learned.length = 0;
    const { call, serving } = await atGate([PING], undefined, stage);
    expect(stage.learned.map(({ type }) => type)).toEqual(["probe_started"]);
    call.leave();
    await serving;
    expect(stage.learned.map(({ type }) => type)).toEqual(["probe_started", "probe_lost"]);
  }, 10_000);
});

describe("an encoded stream", () => {
  test.each(ENCODINGS)("in $encoding passes the gate with its first event alone, and is metered", async (row) => {
    const { encoding, compressor } = row;
    const parts = compressor();
    const first = await flushed(parts, PING + MESSAGE_START);
    const { stage, body, serving } = await atGate([first], encoding);
    const client = await serving;
    expect(client.header("content-encoding")).toBe(encoding);
    expect(client.bytes).toEqual(Buffer.from(first));
    const rest = await flushed(parts, WHOLE_STREAM.slice(1).join(""));
    body.push(rest);
    body.end();
    await until(() => client.end !== "open", "the end of the stream");
    await stage.background();
    expect(client.end).toBe("end");
    expect(client.bytes).toEqual(Buffer.concat([first, rest]));
    expect(stage.settled).toMatchObject([{ outcome: "completed", usage: { inputTokens: 10, outputTokens: 7 } }]);
  });

  test("gets no ping of ours, whose bytes it could not hold", async () => {
    const first = await flushed(zlib.createGzip(), MESSAGE_START);
    const { stage, serving } = await atGate([first], "gzip");
    const client = await serving;
    stage.clock.advance(60_000);
    expect(client.bytes).toEqual(Buffer.from(first));
  });

  test("that is cut ends as a bare failure", async () => {
    const first = await flushed(zlib.createGzip(), MESSAGE_START + DELTA);
    const { stage, serving, body } = await atGate([first], "gzip");
    const client = await serving;
    body.fail("reset");
    await until(() => client.end !== "open", "the end of the stream");
    await stage.background();
    expect(client.bytes).toEqual(Buffer.from(first));
    expect(client.end).toMatchObject({ kind: "reset" });
    expect(stage.settled).toMatchObject([{ outcome: "truncated", usage: { inputTokens: 10 } }]);
  });

  test("whose client leaves while the last bytes are decoded hears nothing more", async () => {
    const first = await flushed(zlib.createGzip(), WHOLE_STREAM.join(""));
    const { stage, serving, body } = await atGate([first], "gzip");
    const client = await serving;
    body.end();
    client.leave();
    await stage.background();
    expect(client.late).toEqual([]);
    expect(stage.settled).toHaveLength(1);
  });

  test("that is no gzip at all is relayed, and counts as completed when its framing ends", async () => {
    const { stage, serving, body } = await atGate(["this is plain text, not gzip"], "gzip");
    const client = await serving;
    body.push("more");
    body.end();
    await until(() => client.end !== "open", "the end of the stream");
    await stage.background();
    expect(client.text).toBe("this is plain text, not gzipmore");
    expect(client.end).toBe("end");
    expect(stage.settled).toMatchObject([{ outcome: "completed" }]);
  });

  test.each(["compress", "gzip, br"])("in %s is relayed unread", async (encoding) => {
    const { stage, serving, body } = await atGate(["opaque"], encoding);
    const client = await serving;
    body.end();
    await until(() => client.end !== "open", "the end of the stream");
    await stage.background();
    expect(client.text).toBe("opaque");
    expect(stage.settled).toMatchObject([{ outcome: "completed" }]);
  });

  test.each([
    { encoding: "compress", ending: "breaks", chunks: [] },
    { encoding: "compress", ending: "ends", chunks: [] },
    { encoding: "gzip", ending: "ends", chunks: [] },
  ])("in $encoding that $ending before its first byte is tried again", async ({ encoding, ending, chunks }) => {
    const { stage, serving, body } = await atGate(chunks, encoding);
    stage.upstream.plan({ headers: SSE_HEADERS, chunks: [MESSAGE_START, BLOCK_START, MESSAGE_STOP] });
    if (ending === "ends") body.end();
    else body.fail("reset");
    await until(() => stage.clock.sleeping > 0, "the wait before the retry");
    stage.clock.advance(1_000);
    expect((await serving).status).toBe(200);
    expect(stage.settled).toMatchObject([{ outcome: "completed", attempts: 2 }]);
  });
});
