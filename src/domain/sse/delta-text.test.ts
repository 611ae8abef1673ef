import { expect, test } from "bun:test";
import fc from "fast-check";
import { beginDelta, countDelta, createDeltaText } from "./delta-text.ts";

const utf8 = new TextEncoder();

function bytesOf(data: string, sizes: readonly number[] = []): number {
  const text = createDeltaText();
  const bytes = utf8.encode(data);
  let from = 0;
  for (const size of [...sizes, bytes.length]) {
    const to = Math.min(bytes.length, from + size);
    countDelta(text, bytes.slice(from, to), 0, to - from);
    from = to;
  }
  return text.bytes;
}

function delta(inner: object): string {
  return JSON.stringify({ type: "content_block_delta", index: 0, delta: inner });
}

test.each([
  ["text", { type: "text_delta", text: "Hello" }, 5],
  ["thinking", { type: "thinking_delta", thinking: "Hm" }, 2],
  ["tool input", { type: "input_json_delta", partial_json: '{"a":' }, 7],
  ["no signature", { type: "signature_delta", signature: "abcdef" }, 0],
  ["no citation", { type: "citations_delta", citation: { url: "u", title: "t" } }, 0],
  ["empty text", { type: "text_delta", text: "" }, 0],
])("counts %s", (_name, inner, expected) => {
  expect(bytesOf(delta(inner))).toBe(expected);
});

test("counts the same with space in the JSON and padding behind it", () => {
  const data = '{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}}      ';
  expect(bytesOf(data)).toBe(2);
});

test("counts the escaped text of any delta, however it is cut", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.array(fc.nat(20)), (text, sizes) => {
      const data = delta({ type: "text_delta", text });
      expect(bytesOf(data, sizes)).toBe(utf8.encode(JSON.stringify(text)).length - 2);
    }),
    { numRuns: 1000 },
  );
});

test("does not look behind the piece that it is given", () => {
  const text = createDeltaText();
  const bytes = utf8.encode(`${delta({ type: "text_delta", text: "" }).slice(0, -3)}abc" "`);
  countDelta(text, bytes, 0, bytes.length - 5);
  expect(text.bytes).toBe(1);
});

test("adds up over deltas", () => {
  const text = createDeltaText();
  const bytes = utf8.encode(delta({ type: "text_delta", text: "abc" }));
  for (let count = 0; count < 3; count++) {
    beginDelta(text);
    countDelta(text, bytes, 0, bytes.length);
  }
  expect(text.bytes).toBe(9);
});
