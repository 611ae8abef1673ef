import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { prefixHashOf } from "./prefix-hash.ts";

const encoder = new TextEncoder();
const cacheControl = { type: "ephemeral", ttl: "1h" };

const tool = { name: "Read", description: "Reads a file", input_schema: { type: "object", properties: { path: {} } } };
const turn = [
  { role: "assistant", content: [{ type: "text", text: "Reading" }] },
  { role: "user", content: [{ type: "tool_result", tool_use_id: "t1", content: "text of a file" }] },
];
const start = {
  model: "claude-opus-4-5",
  system: [{ type: "text", text: "You are a careful engineer" }],
  tools: [tool],
  messages: [{ role: "user", content: "Fix the bug" }],
};

function hashOf(body: unknown): string | null {
  return prefixHashOf(encoder.encode(JSON.stringify(body)));
}

const hash = hashOf(start);

describe("stays the same", () => {
  test.each([
    ["for the same body", start],
    ["while the conversation grows", { ...start, messages: [...start.messages, ...turn, ...turn] }],
    ["for other members", { ...start, model: "claude-haiku-4-5", max_tokens: 9, metadata: { user_id: "u" } }],
    [
      "with the messages in front",
      { messages: [...start.messages, ...turn], tools: start.tools, system: start.system, stream: true },
    ],
    ["when cache_control comes to system", { ...start, system: [{ ...start.system[0], cache_control: cacheControl }] }],
    ["when it stands first", { ...start, system: [{ cache_control: cacheControl, ...start.system[0] }] }],
    ["when it comes to the tools", { ...start, tools: [{ ...tool, cache_control: { type: "ephemeral" } }] }],
    ["when it is null", { ...start, tools: [{ ...tool, cache_control: null }] }],
    [
      "when the text becomes a block for its sake",
      {
        ...start,
        messages: [
          { role: "user", content: [{ type: "text", text: "Fix the bug", cache_control: cacheControl }] },
          ...turn,
        ],
      },
    ],
    [
      "when a system message stands before",
      { ...start, messages: [{ role: "system", content: "x" }, ...start.messages] },
    ],
  ])("%s", (_name, body) => {
    expect(hashOf(body)).toBe(hash);
  });

  test("for other white space", () => {
    expect(prefixHashOf(encoder.encode(JSON.stringify(start, null, 4)))).toBe(hash);
  });
});

describe("differs", () => {
  test.each([
    ["by system", { ...start, system: [{ type: "text", text: "You are a careless engineer" }] }],
    ["by no system", { ...start, system: undefined }],
    ["by a tool's name", { ...start, tools: [{ ...tool, name: "Write" }] }],
    [
      "by a parameter's name",
      { ...start, tools: [{ ...tool, input_schema: { type: "object", properties: { file: {} } } }] },
    ],
    ["by a tool more", { ...start, tools: [tool, tool] }],
    ["by the first message", { ...start, messages: [{ role: "user", content: "Fix the bugs" }] }],
    [
      "by a second block",
      {
        ...start,
        messages: [
          {
            role: "user",
            content: [
              { type: "text", text: "Fix the bug" },
              { type: "text", text: "now" },
            ],
          },
        ],
      },
    ],
    [
      "by how the text is cut into blocks",
      {
        ...start,
        messages: [
          {
            role: "user",
            content: [
              { type: "text", text: "Fix the " },
              { type: "text", text: "bug" },
            ],
          },
        ],
      },
    ],
    [
      "by an image",
      {
        ...start,
        messages: [
          {
            role: "user",
            content: [{ type: "image", source: { type: "base64", data: "iVBORw0KGgo" } }, "Fix the bug"],
          },
        ],
      },
    ],
    ["by a text that moves from tools to system", { ...start, system: [...start.system, "x"], tools: [] }],
  ])("%s", (_name, body) => {
    expect(hashOf(body)).not.toBe(hash);
    expect(hashOf(body)).not.toBeNull();
  });

  test("by a text that looks like cache_control", () => {
    const withText = (text: string) => ({ ...start, messages: [{ role: "user", content: text }] });
    expect(hashOf(withText('"cache_control":{"a":"b"}'))).not.toBe(hashOf(withText('"cache_control":{"a":"c"}')));
  });

  test("by the end of a text of 200 KB, and not by what is beyond 256 KB", () => {
    const withSystem = (system: string) => hashOf({ ...start, system });
    const long = "s".repeat(200_000);
    expect(withSystem(`${long}a`)).not.toBe(withSystem(`${long}b`));
    const longer = "s".repeat(300_000);
    expect(withSystem(`${longer}a`)).toBe(withSystem(`${longer}b`));
  });

  test("moving marks do not shift the bound", () => {
    const blocks = Array.from({ length: 400 }, (_, index) => ({ type: "text", text: `${index}`.padEnd(1_000, "x") }));
    const marked = blocks.map((block) => ({ ...block, cache_control: cacheControl }));
    expect(hashOf({ ...start, system: marked })).toBe(hashOf({ ...start, system: blocks }) ?? "");
  });
});

describe("is null", () => {
  test.each([
    ["an empty body", ""],
    ["an array", "[]"],
    ["a broken object", '{"system":"s","messages":[{"role":"user","content":"a"}]'],
    ["no messages", '{"system":"s"}'],
    ["messages that are no array", '{"system":"s","messages":{"role":"user","content":"a"}}'],
    ["no user message", '{"system":"s","messages":[{"role":"assistant","content":"a"}]}'],
    ["a user message without content", '{"system":"s","messages":[{"role":"user"}]}'],
    ["a user message without text", '{"system":"s","messages":[{"role":"user","content":[]}]}'],
    ["a user message that comes too late", lateUser()],
  ])("for %s", (_name, text) => {
    expect(prefixHashOf(encoder.encode(text))).toBeNull();
  });

  function lateUser(): string {
    const messages = Array.from({ length: 8 }, () => ({ role: "system", content: "s" }));
    return JSON.stringify({ messages: [...messages, { role: "user", content: "a" }] });
  }
});

describe("malformed bodies", () => {
  test("never throw, and give the same again, however they are cut or changed", () => {
    const bytes = encoder.encode(JSON.stringify({ ...start, tools: [{ ...tool, cache_control: cacheControl }] }));
    fc.assert(
      fc.property(fc.nat({ max: bytes.length }), fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 }))), (end, changes) => {
        const body = bytes.slice(0, end);
        for (const [at, byte] of changes) body[at % Math.max(1, end)] = byte;
        expect(prefixHashOf(body)).toBe(prefixHashOf(body.slice()));
      }),
    );
  });

  test("an open string inside a closed value ends the walk", () => {
    // The scanner counts brackets outside of strings only, so that this is well formed to it.
    const body = '{"messages":[{"role":"user","content":["a",}]}';
    expect(() => prefixHashOf(encoder.encode(body))).not.toThrow();
  });

  test("random objects never throw", () => {
    fc.assert(
      fc.property(fc.json(), fc.json(), (system, content) => {
        const body = `{"system":${system},"tools":${content},"messages":[{"content":${content},"role":"user"}]}`;
        expect(() => prefixHashOf(encoder.encode(body))).not.toThrow();
      }),
    );
  });
});

test("takes no time that grows with a part beyond its bound", () => {
  const numbers = `[${"1,".repeat(4_000_000)}1]`;
  const body = encoder.encode(`{"tools":${numbers},"messages":[{"role":"user","content":"a"}]}`);
  expect(prefixHashOf(body)).not.toBeNull();
  const started = performance.now();
  prefixHashOf(body);
  // 8 MB: the scan alone is some 10 ms on a slow day.
  expect(performance.now() - started).toBeLessThan(500);
});
