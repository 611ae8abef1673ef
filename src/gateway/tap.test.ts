import { describe, expect, test } from "bun:test";
import zlib from "node:zlib";
import { WHOLE_STREAM } from "../../test/playbook/sse.ts";
import { createStreamTap, createWholeTap } from "./tap.ts";

const STREAM = Buffer.from(WHOLE_STREAM.join(""));
const WHOLE = Buffer.from('{"usage":{"input_tokens":3,"output_tokens":4}}');

describe("the tap of a stream", () => {
  test.each([null, "", "identity", "Identity"])("in plain bytes (%p) is never behind", (encoding) => {
    const tap = createStreamTap(encoding);
    expect(tap.feed(STREAM)).toBeUndefined();
    expect(tap.drained()).toBeUndefined();
    expect(tap).toMatchObject({ kind: "stream", isIdentity: true, isBlind: false });
    expect(tap.meter.events.hasEnded).toBe(true);
    tap.dispose();
  });

  test("in gzip has looked at a chunk when its promise resolves", async () => {
    const tap = createStreamTap("gzip");
    await tap.feed(zlib.gzipSync(STREAM));
    await tap.drained();
    expect(tap).toMatchObject({ isIdentity: false, isBlind: false });
    expect(tap.meter.events.hasEnded).toBe(true);
  });

  test("in an unknown encoding is blind", () => {
    expect(createStreamTap("compress")).toMatchObject({ isIdentity: false, isBlind: true });
  });
});

describe("the tap of a whole answer", () => {
  test.each([
    { encoding: null, bytes: WHOLE },
    { encoding: "gzip", bytes: zlib.gzipSync(WHOLE) },
  ])("in $encoding reads the usage", async ({ encoding, bytes }) => {
    const tap = createWholeTap(encoding);
    await tap.feed(bytes);
    expect((await tap.finish()).usage).toMatchObject({ inputTokens: 3, outputTokens: 4 });
  });

  test("tells how much thinking upstream left out, as that of a stream does", async () => {
    const left = '"input_transformations":[{"type":"thinking_dropped"}]';
    const whole = createWholeTap(null);
    void whole.feed(Buffer.from(`{${left}}`));
    expect((await whole.finish()).thinkingDropped).toBe(1);
    const stream = createStreamTap("gzip");
    const start = `event: message_start\ndata: {"type":"message_start","message":{${left}}}\n\n`;
    await stream.feed(zlib.gzipSync(start));
    await stream.drained();
    expect(stream.meter.end("cut").thinkingDropped).toBe(1);
  });

  test("that was disposed of still finishes", async () => {
    const tap = createWholeTap("gzip");
    tap.dispose();
    expect((await tap.finish()).usage).toBeNull();
    createWholeTap(null).dispose();
  });
});
