import { describe, expect, test } from "bun:test";
import { z } from "zod";
import type { AccountWindowWire, AccountWire } from "./contract/accounts.ts";
import type { TraceRequestWire } from "./contract/trace.ts";
import { poolOfLedger } from "./ledger-pool.ts";
import { sessionsOf } from "./ledger-sessions.ts";
import { simulate } from "./simulate.ts";

const NOON = Date.UTC(2026, 10, 23, 12);
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

const at = (ms: number): string => new Date(NOON + ms).toISOString();

type Figures = {
  readonly prompt?: number;
  readonly output?: number;
  readonly totalMs?: number;
  readonly conversation?: string | null;
};

let count = 0;

function request(startMs: number, figures: Figures = {}, changes: Partial<TraceRequestWire> = {}): TraceRequestWire {
  const { prompt = 10_000, output = 500, totalMs = 2_000, conversation = "c1" } = figures;
  count += 1;
  return {
    id: `r${count}`,
    startedAt: at(startMs),
    outcome: "completed",
    account: "work",
    clientKey: "laptop",
    model: "claude-opus-4-8",
    stream: true,
    usage: {
      inputTokens: 1_000,
      cacheWrite5mTokens: null,
      cacheWrite1hTokens: null,
      cacheReadTokens: prompt - 1_000,
      outputTokens: output,
    },
    timing: { queueMs: 100, firstByteMs: 700, totalMs },
    costMicroUsd: 10_000,
    conversation,
    ...changes,
  };
}

function window(changes: Partial<AccountWindowWire>): AccountWindowWire {
  return {
    name: "5h",
    modelClass: null,
    status: null,
    limit: null,
    remaining: null,
    usedRatio: null,
    leftRatio: null,
    resetAt: at(HOUR_MS),
    pace: null,
    exhaustsAt: null,
    seenAt: at(0),
    ...changes,
  };
}

function account(name: string, changes: Partial<AccountWire> = {}): AccountWire {
  return {
    id: `id-${name}`,
    name,
    provider: "anthropic",
    state: "ready",
    priority: 100,
    weight: 1,
    windows: [],
    baseUrl: "https://api.anthropic.com",
    credentialKind: "api_key",
    organization: "org-1",
    workspace: null,
    modelCount: 0,
    createdAt: at(0),
    reason: null,
    cause: null,
    until: null,
    ...changes,
  };
}

describe("the sessions of a ledger", () => {
  test("join what one conversation asked for one after the other, with its pauses and its growth", () => {
    const [session, ...others] = sessionsOf([
      request(60_000, { prompt: 12_500, output: 300 }),
      request(0, { prompt: 10_000, output: 500 }),
    ]);
    expect(others).toEqual([]);
    expect(session).toMatchObject({ conversationId: "c1", clientKey: "laptop", startMs: NOON, maxTokens: 8_192 });
    expect<unknown>(session?.turns).toEqual([
      { thinkMs: 0, newTokens: 10_000, outputTokens: 500, firstTokenMs: 600, streamMs: 1_300, subagents: [] },
      { thinkMs: 58_000, newTokens: 2_000, outputTokens: 300, firstTokenMs: 600, streamMs: 1_300, subagents: [] },
    ]);
  });

  test("keep apart what overlaps, what shrank, other keys and models, and requests without a conversation", () => {
    const sessions = sessionsOf([
      request(0, { totalMs: 10_000 }),
      request(5_000),
      request(60_000, { prompt: 3_000 }),
      request(70_000, { prompt: 90_000 }, { clientKey: "ci" }),
      request(70_000, { prompt: 90_000 }, { model: "claude-sonnet-5" }),
      request(80_000, { conversation: null }),
      request(90_000, { conversation: null }),
    ]);
    expect(sessions.map(({ turns }) => turns.length)).toEqual([1, 1, 1, 1, 1, 1, 1]);
  });

  test("let a subagent's turns and its parent's each follow their own, though both have one conversation", () => {
    const sessions = sessionsOf([
      request(0, { prompt: 50_000 }),
      request(10_000, { prompt: 5_000 }),
      request(20_000, { prompt: 51_000 }),
      request(30_000, { prompt: 6_000 }),
    ]);
    expect(sessions.map(({ turns }) => turns.map(({ newTokens }) => newTokens))).toEqual([
      [50_000, 500],
      [5_000, 500],
    ]);
  });

  test("leave out requests whose usage nobody knows", () => {
    const nothing = { inputTokens: null, cacheWrite5mTokens: null, cacheWrite1hTokens: null, cacheReadTokens: null };
    expect(sessionsOf([request(0, {}, { usage: { ...nothing, outputTokens: null } })])).toEqual([]);
  });

  test("keep the cache for an hour where the client paid for that", () => {
    const usage = { ...request(0).usage, cacheWrite1hTokens: 5 };
    const [long, short] = sessionsOf([request(0, {}, { usage }), request(0, { conversation: "c2" })]);
    expect([Number(long?.cacheMs), Number(short?.cacheMs)]).toEqual([HOUR_MS, 5 * MINUTE_MS]);
  });
});

describe("the pool of a ledger", () => {
  test("has one set of limits per organization, as the headers named them", () => {
    const windows = [
      window({ name: "requests", modelClass: "opus", limit: 50 }),
      window({ name: "input-tokens", modelClass: "opus", limit: 30_000 }),
    ];
    const { credentials, notes } = poolOfLedger({
      accounts: [account("a", { windows }), account("b"), account("c", { organization: null })],
      requests: [],
      sinceMs: NOON,
    });
    const [a, b, c] = credentials;
    expect(a?.organization).toBe(b?.organization);
    expect(a?.organization.buckets["opus"]).toMatchObject({ requestsPerMinute: 50, inputTokensPerMinute: 30_000 });
    expect(c?.organization.buckets).toEqual({});
    expect(notes).toEqual(["No limit is known of c: taken as unlimited"]);
  });

  const since = NOON - 24 * HOUR_MS;
  const spent = [
    request(-HOUR_MS),
    request(-2 * HOUR_MS),
    request(-20 * HOUR_MS),
    request(0, {}, { account: "other" }),
  ];

  test.each([
    { why: "what was spent and the share that is used", used: 0.25, sinceMs: since, expected: 80_000 },
    { why: "nothing when it is hardly used", used: 0.01, sinceMs: since, expected: undefined },
    { why: "nothing when the ledger begins inside it", used: 0.25, sinceMs: NOON - HOUR_MS, expected: undefined },
  ])("tells the size of a plan's window from $why", ({ used, sinceMs, expected }) => {
    const windows = [window({ usedRatio: used })];
    const { credentials } = poolOfLedger({ accounts: [account("work", { windows })], requests: spent, sinceMs });
    expect(credentials[0]?.organization.plan?.fiveHourMicroUsd).toBe(expected as number);
    // It resets at 13:00 today, and so did it every five hours since noon yesterday.
    if (expected !== undefined)
      expect(Number(credentials[0]?.organization.plan?.fiveHourResetMs)).toBe(since + 5 * HOUR_MS);
  });

  test("leaves out accounts that serve nobody, and names them", () => {
    const { credentials, notes } = poolOfLedger({
      accounts: [account("dead", { state: "dead" }), account("off", { state: "paused" })],
      requests: [],
      sinceMs: NOON,
    });
    expect(credentials).toEqual([]);
    expect(notes).toEqual(["Left out, because they serve nobody now: dead, off"]);
  });
});

const resultsSchema = z.object({
  results: z.array(
    z.object({
      reports: z.array(
        z.object({ strategy: z.string(), refusals: z.int(), requests: z.int(), cacheKeptRatio: z.number() }),
      ),
    }),
  ),
});

describe("simulating", () => {
  const requests = Array.from({ length: 40 }, (_, index) =>
    request(index * MINUTE_MS, { prompt: 10_000 + index * 600, conversation: `c${index % 3}` }),
  );
  const order = { requests, sinceMs: NOON - HOUR_MS, strategies: ["session", "round-robin"] as const };

  test("serves the ledger's work, and shows what round-robin over two workspaces would do to the cache", async () => {
    const accounts = [account("a", { workspace: "w1" }), account("b", { workspace: "w2" })];
    const simulation = await simulate({ ...order, accounts });
    const [session, roundRobin] = resultsSchema.parse(simulation?.data).results[0]?.reports ?? [];
    expect(session).toMatchObject({ strategy: "session", refusals: 0, requests: 40 });
    expect(session?.cacheKeptRatio).toBeGreaterThan(0.97);
    expect(roundRobin?.cacheKeptRatio).toBeLessThan(0.9);
    expect(simulation?.text).toContain("round-robin");
    expect(simulation?.notes).toEqual(["No limit is known of a, b: taken as unlimited"]);
  });

  test("has nothing to say without requests or accounts", async () => {
    expect(await simulate({ ...order, accounts: [] })).toBeNull();
    expect(await simulate({ ...order, requests: [], accounts: [account("a")] })).toBeNull();
  });
});
