import { describe, expect, test } from "bun:test";
import { START_MS } from "../../test/playbook/manual-clock.ts";
import { clientKeyId } from "../domain/access/client-key-id.ts";
import { accountId } from "../domain/account/account.ts";
import { modelClassOf } from "../domain/account/model-class.ts";
import { createHomeBook } from "../domain/affinity/home-book.ts";
import { requestFactsOf } from "../domain/request/request-facts.ts";
import { durationMs } from "../kernel/time.ts";
import { conversationFor, demandOf, forgetCompacted } from "./conversation.ts";

function talk(body: string, headers: Readonly<Record<string, string>> = {}) {
  const bytes = new TextEncoder().encode(body);
  return {
    call: { path: "/v1/messages", header: (name: string) => headers[name] ?? null },
    keyId: clientKeyId("k1"),
    facts: requestFactsOf(bytes),
    modelClass: modelClassOf("claude-opus-4"),
    body: bytes,
  };
}

const SESSION = { "x-claude-code-session-id": "s1" };
const PROMPT = '"model":"claude-opus-4","messages":[{"role":"user","content":"hello"}]';

describe("the conversation of a request", () => {
  test.each([
    { what: "its session id", body: `{${PROMPT},"metadata":{"user_id":"u1"}}`, headers: SESSION, source: "session_id" },
    { what: "its user id", body: `{${PROMPT},"metadata":{"user_id":"u1"}}`, headers: {}, source: "user_id" },
    { what: "how its prompt begins", body: `{${PROMPT}}`, headers: {}, source: "prefix" },
    {
      what: "nothing when the session id is empty and there is no prompt",
      body: "{}",
      headers: { ...SESSION, "x-claude-code-session-id": "" },
      source: null,
    },
    {
      what: "nothing when it names no model",
      body: '{"messages":[{"role":"user","content":"hello"}]}',
      headers: {},
      source: null,
    },
  ])("is told by $what", ({ body, headers, source }) => {
    expect(conversationFor(talk(body, headers))?.source ?? null).toBe(source as never);
  });

  test("is not told of a request without a body", () => {
    expect(conversationFor({ ...talk(""), body: null })).toBeNull();
  });
});

describe("what a request may take", () => {
  test.each([
    { path: "/v1/messages", fields: '"max_tokens":64', expected: { inputTokens: 100, outputTokens: 64 } },
    { path: "/v1/messages", fields: '"stream":true', expected: { inputTokens: 100, outputTokens: 1024 } },
    { path: "/v1/messages", fields: '"max_tokens":32000', expected: { inputTokens: 100, outputTokens: 1024 } },
    { path: "/v1/messages/count_tokens", fields: '"max_tokens":64', expected: { inputTokens: 0, outputTokens: 0 } },
    { path: "/v1/files", fields: '"max_tokens":64', expected: { inputTokens: 0, outputTokens: 0 } },
  ])("case %#: of 400 bytes for $path is $expected", ({ path, fields, expected }) => {
    const body = new TextEncoder().encode(`{${fields}}`.padEnd(400));
    expect(demandOf(path, body, requestFactsOf(body))).toEqual(expected);
  });

  test("is nothing without a body", () => {
    expect(demandOf("/v1/messages", null, requestFactsOf(new Uint8Array(0)))).toEqual({
      inputTokens: 0,
      outputTokens: 0,
    });
  });
});

test("a compaction leaves the home, and nothing in its cache that is worth a price", () => {
  const homes = createHomeBook({ maxHomes: 10, homeMs: durationMs(3_600_000) });
  const conversation = conversationFor(talk(`{${PROMPT}}`, SESSION));
  if (conversation === null) throw new Error("Cannot test: no conversation");
  const home = { accountId: accountId("a"), lastUsedMs: START_MS, cacheMs: durationMs(300_000), prefixTokens: 9_000 };
  const books = { homes, nowMs: START_MS };
  const compacted = talk("{}", { "x-claude-code-context-compacted": "1" }).call;
  forgetCompacted(compacted, conversation, books);
  expect(homes.size).toBe(0);
  homes.set(conversation.key, home);
  forgetCompacted(talk("{}").call, conversation, books);
  expect(homes.find(conversation.key, START_MS)).toEqual(home);
  forgetCompacted(compacted, conversation, books);
  expect(homes.find(conversation.key, START_MS)).toEqual({ ...home, prefixTokens: 0 });
});
