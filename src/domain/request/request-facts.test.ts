import { expect, test } from "bun:test";
import fc from "fast-check";
import { createRequestFactsReader, type RequestFacts, requestFactsOf } from "./request-facts.ts";

const utf8 = new TextEncoder();

function factsOf(body: string): RequestFacts {
  return requestFactsOf(utf8.encode(body));
}

const NO_FACTS: RequestFacts = {
  model: null,
  isStream: false,
  maxTokens: null,
  userId: null,
  modelSpan: null,
  problem: null,
};

test("reads the body that a client sends", () => {
  const userId = JSON.stringify({ device_id: "d", session_id: "s" });
  const body = JSON.stringify({
    model: "claude-opus-4-1",
    messages: [{ role: "user", content: 'say "model": "x"' }],
    system: [{ type: "text", text: "stream" }],
    metadata: { user_id: userId },
    max_tokens: 32_000,
    stream: true,
  });
  const facts = factsOf(body);
  expect(facts).toEqual({
    model: "claude-opus-4-1",
    isStream: true,
    maxTokens: 32_000,
    userId,
    modelSpan: { start: 9, end: 26 },
    problem: null,
  });
  expect(body.slice(9, 26)).toBe('"claude-opus-4-1"');
});

test.each<[string, string, Partial<RequestFacts>]>([
  ["no model", "{}", {}],
  ["an escaped model", '{"model":"cl\\u0061ude"}', { model: "claude", modelSpan: { start: 9, end: 22 } }],
  ["a lone surrogate", '{"model":"\\ud800"}', { model: "\ud800", modelSpan: { start: 9, end: 17 } }],
  ["stream false", '{"stream":false}', {}],
  ["stream as text", '{"stream":"true"}', {}],
  ["the last stream", '{"stream":true,"stream":false}', {}],
  ["max_tokens as text", '{"max_tokens":"5"}', {}],
  ["a negative max_tokens", '{"max_tokens":-5}', {}],
  ["a huge max_tokens", '{"max_tokens":1e400}', {}],
  ["max_tokens with an exponent", '{"max_tokens":1e3}', { maxTokens: 1000 }],
  ["metadata that is no object", '{"metadata":"user_id"}', {}],
  ["a user_id that is no string", '{"metadata":{"user_id":7}}', {}],
  ["a nested user_id", '{"metadata":{"a":{"user_id":"x"}}}', {}],
  ["a user_id", '{"metadata":{"user_id":"\\u00e4\\n"}}', { userId: "ä\n" }],
  ["metadata over its bound", `{"metadata":{"user_id":"${"u".repeat(9000)}"}}`, {}],
])("reads %s", (_name, body, expected) => {
  expect(factsOf(body)).toEqual({ ...NO_FACTS, ...expected });
});

test.each<[string, RequestFacts["problem"]]>([
  ["", "not_an_object"],
  ["null", "not_an_object"],
  ["[]", "not_an_object"],
  ['"model"', "not_an_object"],
  ['{"model":"a"', "not_an_object"],
  ['{"model":"a"}{"model":"b"}', "not_an_object"],
  ['{"model":"a","model":"a"}', "duplicate_model"],
  ['{"model":"a","mod\\u0065l":"b"}', "duplicate_model"],
  ['{"model":null}', "model_not_a_string"],
  ['{"model":{"model":"a"}}', "model_not_a_string"],
  ['{"model":"\\x"}', "model_not_a_string"],
  [`{"model":"${"m".repeat(600)}"}`, "model_not_a_string"],
])("names the problem of %p", (body, problem) => {
  expect(factsOf(body).problem).toBe(problem);
});

test("gives the last model of a duplicate, as parsers read it", () => {
  expect(factsOf('{"model":"a","model":"b"}').model).toBe("b");
});

const request = fc.record(
  {
    model: fc.oneof(fc.string({ unit: "binary", maxLength: 20 }), fc.jsonValue()),
    stream: fc.oneof(fc.boolean(), fc.jsonValue()),
    max_tokens: fc.oneof(fc.nat(), fc.double(), fc.string()),
    metadata: fc.oneof(fc.record({ user_id: fc.string({ unit: "binary" }) }), fc.jsonValue()),
    messages: fc.jsonValue(),
  },
  { requiredKeys: [] },
);

test("agrees with JSON.parse on any request, however it is cut", () => {
  fc.assert(
    fc.property(request, fc.array(fc.nat(30), { maxLength: 30 }), (value, sizes) => {
      const body = JSON.stringify(value);
      const bytes = utf8.encode(body);
      const facts = requestFactsOf(bytes);
      const parsed = JSON.parse(body);
      const model = typeof parsed.model === "string" ? parsed.model : null;
      expect(facts.model).toBe(model);
      expect(facts.isStream).toBe(parsed.stream === true);
      const isCount = Number.isSafeInteger(parsed.max_tokens) && parsed.max_tokens >= 0;
      expect(facts.maxTokens).toBe(isCount ? parsed.max_tokens : null);
      expect(facts.userId).toBe(typeof parsed.metadata?.user_id === "string" ? parsed.metadata.user_id : null);
      expect(facts.problem).toBe("model" in parsed && model === null ? "model_not_a_string" : null);

      const reader = createRequestFactsReader();
      let from = 0;
      for (const size of [...sizes, bytes.length]) {
        reader.feed(bytes.subarray(from, from + size));
        from += size;
      }
      expect(reader.finish()).toEqual(facts);
    }),
    { numRuns: 1000 },
  );
});

test("splices a model override into the span that it gives", () => {
  const body = '\ufeff{ "x": "é", "model" :\n"old" }';
  const bytes = utf8.encode(body);
  const { modelSpan } = requestFactsOf(bytes);
  const spliced = Buffer.concat([
    bytes.subarray(0, modelSpan?.start),
    utf8.encode('"new"'),
    bytes.subarray(modelSpan?.end),
  ]);
  expect(spliced.toString()).toBe(body.replace("old", "new"));
});
