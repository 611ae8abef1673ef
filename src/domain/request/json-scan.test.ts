import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createTopLevelScanner, parseMember, type ScanResult } from "./json-scan.ts";

const WANTED = [
  { name: "model", maxBytes: 64 },
  { name: "stream", maxBytes: 8 },
] as const;
const utf8 = new TextEncoder();
const text = new TextDecoder();

function scan(chunks: readonly Uint8Array[]): ScanResult {
  const scanner = createTopLevelScanner(WANTED);
  for (const chunk of chunks) scanner.feed(chunk);
  return scanner.finish();
}

function scanText(body: string) {
  const bytes = utf8.encode(body);
  const { members, isWellFormed } = scan([bytes]);
  const [model, stream] = members.map(({ count, value, span }) => ({
    count,
    value: value instanceof Uint8Array ? text.decode(value) : value,
    slice: span === null ? null : text.decode(bytes.subarray(span.start, span.end)),
  }));
  return { model, stream, isWellFormed };
}

function cut(bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  let from = 0;
  for (const size of sizes) {
    chunks.push(bytes.slice(from, from + size));
    from += size;
  }
  return [...chunks, bytes.slice(from)];
}

/** Copies the values, so that results of different scanners compare. */
function plain({ members, isWellFormed }: ScanResult) {
  return { isWellFormed, members: members.map((member) => ({ ...member, value: valueText(member.value) })) };
}

function valueText(value: Uint8Array | "too_large" | null) {
  return value instanceof Uint8Array ? Buffer.from(value).toString("latin1") : value;
}

/** JSON text of an object whose keys may repeat and be escaped, with space where JSON allows it. */
const bodyText = fc
  .array(
    fc.record({
      key: fc.oneof(fc.constantFrom("model", "stream", "models", "mode"), fc.string({ unit: "binary" })),
      value: fc.oneof(fc.jsonValue(), fc.constantFrom("m", true, { model: "nested" }, ['"model":"in text"', "\\"])),
      escapes: fc.infiniteStream(fc.boolean()),
      space: fc.constantFrom("", " ", "\n\t", "\r\n"),
    }),
    { maxLength: 6 },
  )
  .map((members) => ({
    members,
    body: `{${members.map(({ key, value, escapes, space }) => {
      const name = space === "" ? JSON.stringify(key) : `"${escapeSome(key, escapes)}"`;
      return `${space}${name}${space}:${space}${JSON.stringify(value)}${space}`;
    })}}`,
  }));

function escapeSome(key: string, escapes: Iterator<boolean>): string {
  return key
    .split("")
    .map((unit) => {
      const isPlain = /[a-z]/.test(unit) && escapes.next().value === false;
      return isPlain ? unit : `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
    })
    .join("");
}

describe("against JSON.parse", () => {
  test("finds the same members in any object, however it is written and cut", () => {
    fc.assert(
      fc.property(bodyText, fc.array(fc.nat(12), { maxLength: 40 }), ({ members, body }, sizes) => {
        const bytes = utf8.encode(body);
        const whole = scan([bytes]);
        expect(whole.isWellFormed).toBe(true);
        const parsed = JSON.parse(body);
        for (const [index, { name, maxBytes }] of WANTED.entries()) {
          const member = whole.members[index];
          expect(member?.count).toBe(members.filter(({ key }) => key === name).length);
          if (member?.span == null) continue;
          const raw = bytes.slice(member.span.start, member.span.end);
          expect(JSON.parse(text.decode(raw))).toEqual(parsed[name]);
          expect(member.value).toEqual(raw.length > maxBytes ? "too_large" : raw);
        }
        expect(plain(scan(cut(bytes, sizes)))).toEqual(plain(whole));
      }),
      { numRuns: 1500 },
    );
  });

  test("never throws on arbitrary bytes, and never depends on the cut", () => {
    const token = fc.constantFrom(
      '"',
      "\\",
      "{",
      "}",
      "[",
      "]",
      ":",
      ",",
      " ",
      '{"model":',
      '"model"',
      "1",
      "\u00ef",
      "\0",
    );
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc.array(token, { maxLength: 30 }).map((tokens) => new Uint8Array(Buffer.from(tokens.join(""), "latin1"))),
    );
    fc.assert(
      fc.property(bytes, fc.array(fc.nat(5), { maxLength: 40 }), (input, sizes) => {
        const whole = plain(scan([input]));
        expect(plain(scan(cut(input, sizes)))).toEqual(whole);
        if (isJsonObject(input)) expect(whole.isWellFormed).toBe(true);
      }),
      { numRuns: 3000 },
    );
  });
});

function isJsonObject(input: Uint8Array): boolean {
  try {
    const value: unknown = JSON.parse(text.decode(input));
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

test.each([
  ["an escaped key", '{"mo\\u0064el":"a"}', { count: 1, value: '"a"', slice: '"a"' }],
  ["the last of two", '{"model":"a","m\\u006fdel":"b"}', { count: 2, value: '"b"', slice: '"b"' }],
  ["no nested key", '{"x":{"model":"a"},"y":[{"model":"b"}]}', { count: 0, value: null, slice: null }],
  ["no key inside a string", '{"x":"\\",\\"model\\":\\"a","y":"\\\\"}', { count: 0, value: null, slice: null }],
  ["a nested value", '{"model" : [1, {"a":"]"}] }', { count: 1, value: '[1, {"a":"]"}]', slice: '[1, {"a":"]"}]' }],
  ["a number at the end", '{"model":-1.5e+3}', { count: 1, value: "-1.5e+3", slice: "-1.5e+3" }],
  ["no key with a bad escape", '{"mo\\x64el":1}', { count: 0, value: null, slice: null }],
  ["the key after a long one", `{"${"k".repeat(500)}":1,"model":2}`, { count: 1, value: "2", slice: "2" }],
  ["nothing in an empty object", " \n{ } ", { count: 0, value: null, slice: null }],
  ["a key after a byte order mark", '\ufeff{"model":"a"}', { count: 1, value: '"a"', slice: '"a"' }],
])("finds %s", (_name, body, expected) => {
  const { model, isWellFormed } = scanText(body);
  expect(isWellFormed).toBe(true);
  expect(model).toEqual(expected);
});

test("flags a value that is over its bound, and still gives its span", () => {
  const long = `"${"x".repeat(100)}"`;
  expect(scanText(`{"model":${long},"stream":true}`)).toEqual({
    model: { count: 1, value: "too_large", slice: long },
    stream: { count: 1, value: "true", slice: "true" },
    isWellFormed: true,
  });
});

test("copies a value that is cut, so that a chunk may be reused, and writes into no chunk", () => {
  const chunks = ['{"model":"a', 'b","stream":tr', "ue}"].map((text) => utf8.encode(text));
  const scanner = createTopLevelScanner(WANTED);
  for (const chunk of chunks) {
    const before = chunk.slice();
    scanner.feed(chunk);
    expect(chunk).toEqual(before);
    chunk.fill(0);
  }
  expect(parseMember(scanner.finish().members[0])).toBe("ab");
});

test.each([
  "",
  " ",
  "null",
  "[]",
  '"model"',
  "{",
  '{"model"',
  '{"model":',
  '{"model":"a"',
  '{"model":"a\\"}',
  '{"model":tru',
  '{"model":"a",}',
  '{,"model":"a"}',
  '{"model" "a"}',
  '{"model":"a"]',
  '{"model":"a"}}',
  '{"model":"a"}{"model":"b"}',
  '{"model":1"a"}',
  "{model:1}",
  "{'model':1}",
  '{"a":[1}',
  '{"a":}',
  '\ufeff\ufeff{"a":1}',
  ' \ufeff{"a":1}',
])("says that %p is not one object", (body) => {
  expect(scanText(body).isWellFormed).toBe(false);
});

test("parses a member, or gives null for one that is absent, too large or malformed", () => {
  const { members } = scan([utf8.encode(`{"model":tru,"stream":"123456789"}`)]);
  expect([...members.map(parseMember), parseMember(undefined)]).toEqual([null, null, null]);
});

test("scans 3 MB of backslashes, brackets and quotes in linear time", () => {
  const startedAtMs = performance.now();
  for (const unit of ["\\\\", "[", '\\"', '"",', "\u00ff"]) {
    for (const open of ['{"model":"', '{"model":[']) scan([utf8.encode(open + unit.repeat(300_000))]);
  }
  expect(performance.now() - startedAtMs).toBeLessThan(3000);
});
