import { expect, test } from "bun:test";
import { createPromptCache } from "./prompt-cache.ts";
import type { MessagesBody } from "./request-body.ts";
import { readMessagesBody } from "./request-body.ts";

const MINUTE_MS = 60_000;
const FIVE_MINUTES = { type: "ephemeral" };
const ONE_HOUR = { type: "ephemeral", ttl: "1h" };
const LONG = "long text ".repeat(40);

type Turn = { readonly text: string; readonly cache?: object };

function bodyOf(parts: { tools?: object; system?: object; turns: readonly Turn[]; model?: string }): MessagesBody {
  const cached = (cache: object | undefined) => (cache === undefined ? {} : { cache_control: cache });
  const json = {
    model: parts.model ?? "claude-a",
    tools: [{ name: "t", input_schema: {}, ...cached(parts.tools) }],
    system: [{ type: "text", text: LONG, ...cached(parts.system) }],
    messages: parts.turns.map(({ text, cache }) => ({
      role: "user",
      content: [{ type: "text", text, ...cached(cache) }],
    })),
  };
  return readMessagesBody(Buffer.from(JSON.stringify(json)));
}

function cacheAt(start: { nowMs: number }) {
  const cache = createPromptCache(() => start.nowMs);
  return (body: MessagesBody, workspace = "w") => {
    const { commit, ...tokens } = cache.plan(workspace, body);
    commit();
    return tokens;
  };
}

const systemOnly = bodyOf({ system: FIVE_MINUTES, turns: [{ text: "hi" }] });

test.each([
  { name: "the same workspace within five minutes", afterMs: 4 * MINUTE_MS, workspace: "w", reads: true },
  { name: "the same workspace after five minutes", afterMs: 5 * MINUTE_MS, workspace: "w", reads: false },
  { name: "another workspace", afterMs: 0, workspace: "v", reads: false },
])("reads in $name: $reads", ({ afterMs, workspace, reads }) => {
  const clock = { nowMs: 0 };
  const ask = cacheAt(clock);
  const first = ask(systemOnly);
  expect(first.cacheWrite5mTokens).toBeGreaterThan(90);
  expect(first.cacheReadTokens).toBe(0);
  clock.nowMs = afterMs;
  const second = ask(systemOnly, workspace);
  expect(second.cacheReadTokens).toBe(reads ? first.cacheWrite5mTokens : 0);
  expect(second.cacheWrite5mTokens).toBe(reads ? 0 : first.cacheWrite5mTokens);
  expect(second.inputTokens).toBe(first.inputTokens);
});

test("keeps an entry alive as long as it is used, and an hour when asked", () => {
  const clock = { nowMs: 0 };
  const ask = cacheAt(clock);
  ask(systemOnly);
  for (let use = 0; use < 4; use += 1) {
    clock.nowMs += 4 * MINUTE_MS;
    expect(ask(systemOnly).cacheReadTokens).toBeGreaterThan(0);
  }
  const hourly = bodyOf({ system: ONE_HOUR, turns: [{ text: "hourly" }], model: "claude-b" });
  expect(ask(hourly).cacheWrite1hTokens).toBeGreaterThan(90);
  clock.nowMs += 59 * MINUTE_MS;
  expect(ask(hourly).cacheReadTokens).toBeGreaterThan(90);
});

test("follows a conversation whose breakpoint moves to the newest turn", () => {
  const ask = cacheAt({ nowMs: 0 });
  const first = ask(bodyOf({ turns: [{ text: "one", cache: FIVE_MINUTES }] }));
  const second = ask(bodyOf({ turns: [{ text: "one" }, { text: `two ${LONG}`, cache: FIVE_MINUTES }] }));
  expect(first.inputTokens).toBe(0);
  expect(second.cacheReadTokens).toBe(first.cacheWrite5mTokens);
  expect(second.cacheWrite5mTokens).toBeGreaterThan(90);
  expect(second.inputTokens).toBe(0);
});

test("divides writes between one hour and five minutes", () => {
  const ask = cacheAt({ nowMs: 0 });
  const mixed = ask(bodyOf({ system: ONE_HOUR, turns: [{ text: LONG, cache: FIVE_MINUTES }, { text: "tail" }] }));
  expect(mixed.cacheWrite1hTokens).toBeGreaterThan(90);
  expect(mixed.cacheWrite5mTokens).toBeGreaterThan(90);
  expect(mixed.inputTokens).toBeGreaterThan(0);
});

test.each([
  { name: "a changed prefix", other: bodyOf({ tools: FIVE_MINUTES, turns: [{ text: "x" }], model: "claude-z" }) },
  { name: "no breakpoint", other: bodyOf({ turns: [{ text: "hi" }] }) },
])("reads nothing with $name", ({ other }) => {
  const ask = cacheAt({ nowMs: 0 });
  ask(systemOnly);
  expect(ask(other).cacheReadTokens).toBe(0);
});

test("caches nothing before the answer begins", () => {
  const cache = createPromptCache(() => 0);
  cache.plan("w", systemOnly);
  expect(cache.plan("w", systemOnly).cacheReadTokens).toBe(0);
});
