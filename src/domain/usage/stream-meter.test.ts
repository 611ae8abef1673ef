import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { emptyUsage } from "./merge-usage.ts";
import { createStreamMeter, type StreamReading } from "./stream-meter.ts";

const utf8 = new TextEncoder();

function event(name: string, data: object): string {
  return `event: ${name}\ndata: ${JSON.stringify({ type: name, ...data })}\n\n`;
}

const START = event("message_start", {
  message: { model: "claude-opus-4-1", usage: { input_tokens: 2679, cache_read_input_tokens: 50, output_tokens: 3 } },
});
const TEXT = event("content_block_delta", { index: 0, delta: { type: "text_delta", text: "x".repeat(400) } });
const DELTA = event("message_delta", {
  delta: { stop_reason: "end_turn" },
  usage: { input_tokens: 10_682, output_tokens: 90 },
});
const STOP = event("message_stop", {});
const ERROR = event("error", { error: { type: "overloaded_error", message: "Overloaded" } });

function meter(stream: string, how: "complete" | "cut"): StreamReading {
  const streamMeter = createStreamMeter();
  streamMeter.feed(utf8.encode(stream));
  return streamMeter.end(how);
}

test("merges the usage of a whole stream", () => {
  expect(meter(START + TEXT + DELTA + STOP, "complete")).toEqual({
    usage: { ...emptyUsage, inputTokens: 10_682, cacheReadTokens: 50, outputTokens: 90 },
    model: "claude-opus-4-1",
    outcome: "completed",
    error: null,
    thinkingDropped: null,
  });
});

test("drives the scanner that it shows", () => {
  const streamMeter = createStreamMeter();
  streamMeter.feed(utf8.encode(START));
  expect(streamMeter.events).toMatchObject({
    firstEvent: { kind: "content" },
    isAtEventBoundary: true,
    hasEnded: false,
  });
});

describe("a stream that was cut", () => {
  test.each([
    { name: "in the text", stream: START + TEXT, outputTokens: 100 },
    { name: "before the text", stream: START, outputTokens: 3 },
    { name: "after the final count", stream: START + TEXT + DELTA, outputTokens: 90 },
    { name: "in text after a count", stream: START + TEXT + DELTA + TEXT, outputTokens: 200 },
    { name: "before anything", stream: "", outputTokens: null },
  ])("$name has an estimate of its output", ({ stream, outputTokens }) => {
    const { usage, outcome } = meter(stream, "cut");
    expect({ outputTokens: usage.outputTokens, isPartial: usage.isPartial, outcome }).toEqual({
      outputTokens,
      isPartial: true,
      outcome: "truncated",
    });
  });

  test("is whole when only the connection was lost behind message_stop", () => {
    expect(meter(START + DELTA + STOP, "cut")).toMatchObject({ usage: { isPartial: false }, outcome: "completed" });
  });
});

test.each([
  { name: "a message without message_stop", stream: START + TEXT + DELTA, outcome: "truncated" },
  { name: "content without message_start", stream: TEXT, outcome: "truncated" },
  { name: "pings alone", stream: event("ping", {}), outcome: "truncated" },
  { name: "nothing", stream: "", outcome: "truncated" },
  { name: "another stream", stream: 'event: status\ndata: {"done":true}\n\n', outcome: "completed" },
  { name: "another stream, cut in an event", stream: "event: status\ndata: 1\n\nevent: sta", outcome: "truncated" },
  { name: "an error first", stream: ERROR, outcome: "upstream_error" },
  { name: "an error after content", stream: START + TEXT + ERROR, outcome: "upstream_error" },
] as const)("calls $name $outcome when its framing is complete", ({ stream, outcome }) => {
  expect(meter(stream, "complete").outcome).toBe(outcome);
});

test("gives the error, and usage that is partial", () => {
  expect(meter(START + TEXT + ERROR, "complete")).toMatchObject({
    error: { type: "overloaded_error", message: "Overloaded" },
    usage: { inputTokens: 2679, outputTokens: 100, isPartial: true },
  });
});

test.each([
  { name: "usage missing", start: { message: {} }, delta: {} },
  { name: "usage as text", start: { message: { usage: "9" } }, delta: { usage: "9" } },
  {
    name: "hostile figures",
    start: { message: { usage: { input_tokens: -1 } } },
    delta: { usage: { output_tokens: 1e308 } },
  },
  { name: "message missing", start: {}, delta: { usage: null } },
  { name: "model no text", start: { message: { model: 7 } }, delta: { usage: [] } },
])("survives $name", ({ start, delta }) => {
  const stream = event("message_start", start) + event("message_delta", delta) + STOP;
  expect(meter(stream, "complete")).toEqual({
    usage: emptyUsage,
    model: null,
    outcome: "completed",
    error: null,
    thinkingDropped: null,
  });
});

describe("thinking that upstream left out", () => {
  const dropped = { type: "thinking_dropped", path: "messages.1.content.0", reason: "organization_binding_mismatch" };
  const started = (entries: unknown) => event("message_start", { message: { input_transformations: entries } });

  test.each([
    { entries: undefined, expected: null },
    { entries: [], expected: 0 },
    { entries: [dropped, dropped], expected: 2 },
  ])("is counted from message_start ($expected)", ({ entries, expected }) => {
    expect(meter(started(entries) + TEXT + DELTA + STOP, "complete").thinkingDropped).toBe(expected);
  });

  test("is counted afresh from a message_delta that names it, after a fallback in mid-stream", () => {
    const delta = event("message_delta", { usage: { output_tokens: 1 }, input_transformations: [dropped] });
    expect(meter(started([dropped, dropped]) + delta + STOP, "complete").thinkingDropped).toBe(1);
    expect(meter(started([dropped, dropped]) + DELTA + STOP, "complete").thinkingDropped).toBe(2);
  });
});

test("bounds the name of the model", () => {
  const stream = event("message_start", { message: { model: "m".repeat(5000) } });
  expect(meter(stream, "cut").model).toHaveLength(256);
});

test("lets the last of two message_start win, field by field", () => {
  const second = event("message_start", { message: { usage: { input_tokens: 5 } } });
  expect(meter(START + second + STOP, "complete")).toMatchObject({
    usage: { inputTokens: 5, cacheReadTokens: 50 },
    model: "claude-opus-4-1",
  });
});

test("reads the same however the bytes are cut", () => {
  const stream = utf8.encode(`\ufeff: hi\r\n\r\n${START}${TEXT.replaceAll("\n", "\r")}${TEXT}${DELTA}${ERROR}`);
  const expected = meter(new TextDecoder("utf-8", { ignoreBOM: true }).decode(stream), "cut");
  fc.assert(
    fc.property(fc.array(fc.nat(200), { maxLength: 40 }), (sizes) => {
      const streamMeter = createStreamMeter();
      let from = 0;
      for (const size of [...sizes, stream.length]) {
        streamMeter.feed(stream.subarray(from, from + size));
        from += size;
      }
      expect(streamMeter.end("cut")).toEqual(expected);
    }),
  );
});

test("agrees with the counts of a thousand generated streams", () => {
  const part = fc.oneof(
    fc.constant(event("ping", {})),
    fc.nat(300).map((length) => TEXT.replace("x".repeat(400), "y".repeat(length))),
  );
  fc.assert(
    fc.property(fc.array(part), fc.array(fc.nat({ max: 100_000 }), { minLength: 1, maxLength: 5 }), (parts, counts) => {
      const deltas = counts.map((count) => event("message_delta", { usage: { output_tokens: count + 1 } }));
      const { usage } = meter(START + parts.join("") + deltas.join("") + STOP, "complete");
      expect(usage.outputTokens).toBe((counts.at(-1) ?? 0) + 1);
    }),
    { numRuns: 1000 },
  );
});
