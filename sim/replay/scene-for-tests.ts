import { durationMs, type EpochMs, epochMs } from "../../src/kernel/time.ts";
import { makePool, type OrganizationPlan, START_MS } from "./make-pool.ts";
import type { ReplayRequest } from "./request.ts";
import { requestsOf } from "./request.ts";
import type { Session, Trace, Turn } from "./trace.ts";

/** An instant of a test: `ms` after the start. */
export function at(ms: number): EpochMs {
  return epochMs(START_MS + ms);
}

export const turn: Turn = {
  thinkMs: durationMs(1_000),
  newTokens: 1_000,
  outputTokens: 100,
  firstTokenMs: durationMs(1_000),
  streamMs: durationMs(2_000),
  subagents: [],
};

/** A session of two turns over a shared prefix of 5,000 tokens. */
export function makeTestSession(changes: Partial<Session> = {}): Session {
  return {
    id: "s1",
    conversationId: "s1",
    clientKey: "key-1",
    model: "claude-opus-4-5",
    requestClass: "main",
    startMs: START_MS,
    sharedPrefix: "tools",
    sharedTokens: 5_000,
    cacheMs: durationMs(300_000),
    maxTokens: 1_000,
    turns: [turn, turn],
    ...changes,
  };
}

export function requestOf(session: Session, index = 0): ReplayRequest {
  const request = requestsOf(session)[index];
  if (request === undefined) throw new Error(`Cannot find turn ${index} of ${session.id}`);
  return request;
}

export function makeTestTrace(pool: readonly OrganizationPlan[], changes: Partial<Trace> = {}): Trace {
  return {
    name: "test",
    summary: "a test",
    startMs: START_MS,
    endMs: at(3_600_000),
    credentials: makePool(pool),
    storms: [],
    sessions: [makeTestSession()],
    ...changes,
  };
}
