import { expect, test } from "bun:test";
import { durationMs, epochMs } from "../../src/kernel/time.ts";
import { createAgenda } from "./agenda.ts";
import { type Reply, startSessions } from "./client.ts";
import { at, makeTestSession, makeTestTrace, turn } from "./scene-for-tests.ts";
import type { Session } from "./trace.ts";

const SERVICE_MS = 3_000;

/** Runs one session for `forMs`; `answer` gets each request with its number. */
function run(session: Session, answer: (count: number, nowMs: number) => Reply, forMs = 3_600_000) {
  const trace = makeTestTrace([], { sessions: [session] });
  const agenda = createAgenda(trace.startMs);
  const seen: { id: string; ms: number }[] = [];
  startSessions(trace, agenda, {
    submit(request, reply) {
      seen.push({ id: request.id, ms: agenda.nowMs - trace.startMs });
      const answered = answer(seen.length, agenda.nowMs);
      const afterMs = answered.kind === "served" ? SERVICE_MS : 0;
      agenda.at(agenda.nowMs + afterMs, () => reply(answered));
    },
  });
  agenda.runUntil(at(forMs));
  return seen;
}

const served = (): Reply => ({ kind: "served" });

test("a session goes turn by turn, with its pauses", () => {
  expect(run(makeTestSession(), served)).toEqual([
    { id: "s1#0", ms: 1_000 },
    { id: "s1#1", ms: 1_000 + SERVICE_MS + 1_000 },
  ]);
});

test("subagents begin together after the answer, and the next turn waits for the last of them", () => {
  const agent = (id: string, turns: number) =>
    makeTestSession({ id, startMs: 500, turns: Array.from({ length: turns }, () => turn) });
  const parent = makeTestSession({ turns: [{ ...turn, subagents: [agent("a", 1), agent("b", 3)] }, turn] });
  expect(run(parent, served)).toEqual([
    { id: "s1#0", ms: 1_000 },
    { id: "a#0", ms: 5_500 },
    { id: "b#0", ms: 5_500 },
    { id: "b#1", ms: 9_500 },
    { id: "b#2", ms: 13_500 },
    { id: "s1#1", ms: 17_500 },
  ]);
});

test("a refused client comes again when it is told to, not before", () => {
  const seen = run(makeTestSession({ turns: [turn] }), (count, nowMs) =>
    count < 3 ? { kind: "refused", retryAtMs: epochMs(nowMs + 20_000) } : served(),
  );
  expect(seen.map(({ ms }) => ms)).toEqual([1_000, 21_000, 41_000]);
});

test("after ten retries, or at once when the wait is longer than a minute, its person comes back later", () => {
  const short = run(makeTestSession({ turns: [turn] }), (_, nowMs) => ({
    kind: "refused",
    retryAtMs: epochMs(nowMs + 1_000),
  }));
  expect((short[11]?.ms ?? 0) - (short[10]?.ms ?? 0)).toBeGreaterThanOrEqual(300_000);
  const long = run(makeTestSession({ turns: [turn] }), (_, nowMs) => ({
    kind: "refused",
    retryAtMs: epochMs(nowMs + 1_200_000),
  }));
  expect((long[1]?.ms ?? 0) - (long[0]?.ms ?? 0)).toBeWithin(1_200_000, 1_800_001);
});

test("a pause is as long as the trace says", () => {
  const turns = [turn, { ...turn, thinkMs: durationMs(600_000) }];
  expect(run(makeTestSession({ turns }), served)[1]?.ms).toBe(1_000 + SERVICE_MS + 600_000);
});
