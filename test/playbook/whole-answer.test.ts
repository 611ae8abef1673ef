import { describe, expect, test } from "bun:test";
import zlib from "node:zlib";
import { account, createStage, type Stage } from "./stage.ts";

const ENCODINGS = [
  { encoding: "gzip", whole: (text: string) => zlib.gzipSync(text) },
  { encoding: "x-gzip", whole: (text: string) => zlib.gzipSync(text) },
  { encoding: "br", whole: (text: string) => zlib.brotliCompressSync(text) },
  { encoding: "zstd", whole: (text: string) => zlib.zstdCompressSync(text) },
];

describe("an encoded whole answer", () => {
  const MESSAGE = JSON.stringify({ type: "message", usage: { input_tokens: 3, output_tokens: 4 } });

  test.each(ENCODINGS)("in $encoding is relayed as it is and metered", async ({ encoding, whole }) => {
    const stage = createStage();
    const bytes = whole(MESSAGE);
    stage.upstream.plan({
      headers: [
        ["content-type", "application/json"],
        ["content-encoding", encoding],
      ],
      chunks: [bytes.subarray(0, 10), bytes.subarray(10)],
    });
    const client = await stage.serve(stage.call());
    await stage.background();
    expect(client.bytes).toEqual(Buffer.from(bytes));
    expect(stage.settled).toMatchObject([{ outcome: "completed", usage: { inputTokens: 3, outputTokens: 4 } }]);
  });

  test("that is an error is decoded before it is judged", async () => {
    const stage = createStage({ accounts: [account("a")] });
    const text = "You have reached your specified API usage limits. You will regain access on 2027-01-01 at 00:00 UTC.";
    const error = { type: "error", error: { type: "invalid_request_error", message: text } };
    stage.upstream.plan({
      status: 400,
      headers: [["content-encoding", "gzip"]],
      chunks: [zlib.gzipSync(JSON.stringify(error))],
    });
    await stage.serve(stage.call());
    await stage.background();
    expect(stage.attempted).toMatchObject([{ event: "spend_limit", action: "next" }]);
    expect(stage.settled).toMatchObject([{ status: 400, errorType: "invalid_request_error" }]);
  });
});

describe("a large plain answer", () => {
  const LARGE = JSON.stringify({ content: "x".repeat(300_000), usage: { input_tokens: 3, output_tokens: 4 } });

  async function large(stage: Stage) {
    stage.upstream.plan({ chunks: [LARGE.slice(0, 200_000), LARGE.slice(200_000, 290_000)], ending: "open" });
    const call = stage.call();
    const client = await stage.serve(call);
    return { call, client, body: (await stage.upstream.nth(0)).body };
  }

  test("is relayed while it still comes, and metered", async () => {
    const stage = createStage();
    const { client, body } = await large(stage);
    expect(client.bytes).toHaveLength(290_000);
    expect(stage.rooms.budget.usedBytes).toBe(0);
    body.push(LARGE.slice(290_000));
    body.end();
    expect(client.text).toBe(LARGE);
    expect(client.end).toBe("end");
    expect(stage.settled).toMatchObject([
      { outcome: "completed", responseBytes: LARGE.length, usage: { inputTokens: 3, outputTokens: 4 } },
    ]);
  });

  test("that is cut fails without a word", async () => {
    const stage = createStage();
    const { client, body } = await large(stage);
    body.fail("reset");
    expect(client.bytes).toHaveLength(290_000);
    expect(client.end).toMatchObject({ kind: "reset" });
    expect(stage.settled).toMatchObject([{ outcome: "truncated", usage: null }]);
  });

  test("whose client leaves is cancelled", async () => {
    const stage = createStage();
    const { client, body } = await large(stage);
    client.pause();
    expect(body.isPaused).toBe(true);
    client.resume();
    client.leave();
    expect(body.isCancelled).toBe(true);
    expect(stage.settled).toMatchObject([{ outcome: "client_gone" }]);
    expect(client.late).toEqual([]);
  });
});

test("an error body of more than 1 MiB is judged by what came, and relayed whole", async () => {
  const stage = createStage();
  const call = stage.call();
  const serving = stage.serve(call);
  const sending = await stage.upstream.nth(0);
  sending.reply({ status: 400, ending: "open" });
  sending.body.push('{"type":"error","error":{"type":"invalid_request_error","message":"no"},"more":"');
  for (let chunk = 0; chunk < 17; chunk += 1) sending.body.push("x".repeat(65_536));
  const client = await serving;
  sending.body.push('"}');
  sending.body.end();
  expect(client.bytes).toHaveLength(80 + 17 * 65_536 + 2);
  expect(stage.settled).toMatchObject([{ status: 400, outcome: "upstream_error", errorType: "invalid_request_error" }]);
});
