import { expect, test } from "bun:test";
import fc from "fast-check";
import { emptyUsage } from "../usage/merge-usage.ts";
import { createResponseFactsReader, responseFactsOf } from "./response-facts.ts";

const utf8 = new TextEncoder();

test("reads usage and model of a message", () => {
  const body = JSON.stringify({
    id: "msg_1",
    type: "message",
    model: "claude-opus-4-1",
    content: [{ type: "text", text: '"usage":{"input_tokens":1}' }],
    usage: { input_tokens: 10, output_tokens: 20, cache_read_input_tokens: 30 },
  });
  expect(responseFactsOf(utf8.encode(body))).toEqual({
    usage: { ...emptyUsage, inputTokens: 10, outputTokens: 20, cacheReadTokens: 30 },
    model: "claude-opus-4-1",
    error: null,
    thinkingDropped: null,
    isComplete: true,
  });
});

test("counts the thinking that upstream left out", () => {
  const dropped = { type: "thinking_dropped", path: "messages.1.content.0", reason: "model_binding_mismatch" };
  const body = { input_transformations: [dropped, { ...dropped, type: "thinking_mismatch_allowed" }], content: [] };
  expect(responseFactsOf(utf8.encode(JSON.stringify(body))).thinkingDropped).toBe(1);
  expect(responseFactsOf(utf8.encode('{"input_transformations":[]}')).thinkingDropped).toBe(0);
  expect(responseFactsOf(utf8.encode('{"input_transformations":{}}')).thinkingDropped).toBeNull();
});

test("reads type and message of an error body, the message cut to its bound", () => {
  const error = { type: "overloaded_error", message: "m".repeat(5000) };
  expect(responseFactsOf(utf8.encode(JSON.stringify({ type: "error", error, request_id: "req_1" })))).toEqual({
    usage: null,
    model: null,
    error: { type: "overloaded_error", message: "m".repeat(2048) },
    thinkingDropped: null,
    isComplete: true,
  });
});

test.each(["", "<html>502</html>", "[]", '{"usage":"x","model":7,"error":"text"', '{"usage":nul}'])(
  "finds no fact in %p",
  (body) => {
    expect(responseFactsOf(utf8.encode(body))).toMatchObject({ usage: null, model: null, error: null });
  },
);

test("keeps what it read of an answer that was cut off, and says so", () => {
  const facts = responseFactsOf(utf8.encode('{"usage":{"input_tokens":3},"content":["text'));
  expect(facts).toMatchObject({ usage: { inputTokens: 3 }, isComplete: false });
});

test("does not keep an error or a usage over its bound", () => {
  const body = { error: { message: "m".repeat(70_000) }, usage: { x: "u".repeat(20_000) } };
  expect(responseFactsOf(utf8.encode(JSON.stringify(body)))).toMatchObject({ usage: null, error: null });
});

test("reads the same however the bytes are cut", () => {
  const body = utf8.encode('{"model":"m\\u0061","usage":{"output_tokens":5},"error":{"type":"t","message":"é"}}');
  fc.assert(
    fc.property(fc.array(fc.nat(20), { maxLength: 30 }), (sizes) => {
      const reader = createResponseFactsReader();
      let from = 0;
      for (const size of [...sizes, body.length]) {
        reader.feed(body.subarray(from, from + size));
        from += size;
      }
      expect(reader.finish()).toEqual(responseFactsOf(body));
    }),
  );
});
