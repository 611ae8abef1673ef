import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { clientKeyId } from "../access/client-key-id.ts";
import { modelClassOf } from "../account/model-class.ts";
import { type ConversationFacts, conversationOf } from "./conversation.ts";

const facts: ConversationFacts = {
  clientKeyId: clientKeyId("abcdefghij"),
  modelClass: modelClassOf("claude-opus-4-5"),
  sessionId: null,
  userId: null,
  prefixHash: () => null,
};

function keyOf(known: Partial<ConversationFacts>): string | undefined {
  return conversationOf({ ...facts, ...known })?.key;
}

describe("source", () => {
  const prefixHash = () => "0123abc";
  test.each([
    [{ sessionId: "s", userId: "u", prefixHash }, "session_id"],
    [{ userId: "u", prefixHash }, "user_id"],
    [{ sessionId: "", userId: "", prefixHash }, "prefix"],
  ] as const)("is the surest of what is known (%j)", (known, source) => {
    expect(conversationOf({ ...facts, ...known })?.source).toBe(source);
  });

  test("without anything there is no conversation", () => {
    expect(conversationOf(facts)).toBeNull();
  });

  test("the body is read only when no id is there", () => {
    let reads = 0;
    const countingHash = () => {
      reads++;
      return "hash";
    };
    conversationOf({ ...facts, sessionId: "s", prefixHash: countingHash });
    conversationOf({ ...facts, userId: "u", prefixHash: countingHash });
    expect(reads).toBe(0);
    conversationOf({ ...facts, prefixHash: countingHash });
    expect(reads).toBe(1);
  });
});

describe("key", () => {
  test("is the same for the same facts, and reads as what it is made of", () => {
    expect(keyOf({ sessionId: "s1" })).toBe("abcdefghij/opus/s:s1");
    expect(keyOf({ sessionId: "s1" })).toBe(keyOf({ sessionId: "s1", userId: "other" }));
  });

  test.each([
    ["client key", { sessionId: "s", clientKeyId: clientKeyId("other") }],
    ["model class", { sessionId: "s", modelClass: modelClassOf("claude-haiku-4-5") }],
    ["id", { sessionId: "t" }],
    ["kind of id", { userId: "s" }],
    ["prefix that looks like the id", { prefixHash: () => "s" }],
  ])("differs by %s", (_what, known) => {
    expect(keyOf(known)).not.toBe(keyOf({ sessionId: "s" }));
  });

  test("is at most 200 characters, however long its parts are, and long ids stay apart", () => {
    const long = fc.string({ minLength: 0, maxLength: 500 });
    fc.assert(
      fc.property(long, long, long, (id, client, model) => {
        const known = { sessionId: `${id}x`, clientKeyId: clientKeyId(client), modelClass: modelClassOf(model) };
        expect(keyOf(known)?.length).toBeLessThanOrEqual(200);
      }),
    );
    const keys = new Set<string | undefined>();
    for (let index = 0; index < 20_000; index++) keys.add(keyOf({ userId: `${"u".repeat(100)}${index}` }));
    expect(keys.size).toBe(20_000);
    // A part of 64 characters is kept as it is.
    expect(keyOf({ sessionId: "s".repeat(64) })).toEndWith("s".repeat(64));
    expect(keyOf({ sessionId: "s".repeat(65) })).toHaveLength("abcdefghij/opus/s:#".length + 14);
  });
});
