import { describe, expect, test } from "bun:test";
import { requestsOf } from "./request.ts";
import type { Session } from "./trace.ts";
import { TRACES, type TraceName } from "./traces.ts";

const NAMES = Object.keys(TRACES) as TraceName[];

function withAgents(sessions: readonly Session[]): readonly Session[] {
  return sessions.flatMap((session) => [session, ...session.turns.flatMap(({ subagents }) => withAgents(subagents))]);
}

describe.each(NAMES)("the trace %s", (name) => {
  const trace = TRACES[name](1);
  const sessions = withAgents(trace.sessions);

  test("is the same for the same seed", () => {
    expect(TRACES[name](1)).toEqual(trace);
    expect(TRACES[name](2).sessions).not.toEqual(trace.sessions);
  });

  test("has sessions with ids of their own, within their bounds, and prompts that only grow", () => {
    expect(new Set(sessions.map(({ id }) => id)).size).toBe(sessions.length);
    for (const session of sessions) {
      expect(session.turns.length).toBeWithin(1, 201);
      const prompts = requestsOf(session).map(({ promptTokens }) => promptTokens);
      expect(prompts).toEqual([...prompts].sort((left, right) => left - right));
      expect(prompts.at(-1)).toBeLessThan(230_000);
    }
  });

  test("has accounts with names of their own, and begins within its time", () => {
    const names = trace.credentials.map(({ account }) => account.name);
    expect(new Set(names).size).toBe(names.length);
    for (const { startMs } of trace.sessions) expect(startMs).toBeWithin(trace.startMs, trace.endMs);
  });

  test("has no prompt that its token buckets can never hold", () => {
    for (const { organization } of trace.credentials) {
      for (const { inputTokensPerMinute } of Object.values(organization.buckets)) {
        expect(inputTokensPerMinute).toBeGreaterThanOrEqual(200_000);
      }
    }
  });
});
