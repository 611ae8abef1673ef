import type { AccountState } from "./account-state.ts";
import { peekStep } from "./account-state.ts";
import type { ApiWorld } from "./api.ts";
import { apiPath, react } from "./api.ts";
import type { ArrivedRequest, ConnectionHost } from "./connection.ts";
import type { FixedAnswers } from "./fixed-answers.ts";
import { createFixedAnswers } from "./fixed-answers.ts";
import { createPromptCache } from "./prompt-cache.ts";
import type { RateLimiter } from "./rate-limit.ts";
import type { RecordedRequest, RecordLog } from "./record-log.ts";
import { createRecordLog } from "./record-log.ts";
import type { RequestHead } from "./request-head.ts";
import type { CutKind } from "./step.ts";
import type { Waiters } from "./waiters.ts";
import { createWaiters } from "./waiters.ts";

export type StateOptions = {
  /** Default "records": keeps requests, see MAX_RECORDS. "counts": only counters and no bodies, for benchmarks. */
  readonly recording?: "records" | "counts";
  /** Clock of records, rate limits and prompt caches; scripted delays always use real time. Default Date.now. */
  readonly nowMs?: () => number;
};

/** Everything that the connections of one simulator share. */
export type SimulatorState = {
  readonly world: ApiWorld;
  readonly keepsRecords: boolean;
  readonly accounts: Map<string, AccountState>;
  /** By organization. */
  readonly limiters: Map<string, RateLimiter>;
  readonly fixed: FixedAnswers;
  readonly log: RecordLog;
  readonly waiters: Waiters;
  readonly counters: { connections: number; requests: number; completed: number; aborted: number; cut: number };
  /** Bugs of the simulator, found while it ran. */
  readonly failures: unknown[];
  activeStreams: number;
  /** Connections that are cut as soon as they are accepted. */
  refusal: { readonly left: number; readonly kind: CutKind };
};

const MAX_FAILURES = 100;

export function newState(options: StateOptions): SimulatorState {
  const nowMs = options.nowMs ?? Date.now;
  const limiters = new Map<string, RateLimiter>();
  let lastId = 0;
  const world: ApiWorld = {
    nowMs,
    nextId() {
      lastId += 1;
      return lastId;
    },
    promptCache: createPromptCache(nowMs),
    limiterOf: (organization) => limiters.get(organization) ?? null,
  };
  return {
    world,
    keepsRecords: options.recording !== "counts",
    accounts: new Map(),
    limiters,
    fixed: createFixedAnswers(world),
    log: createRecordLog(),
    waiters: createWaiters(),
    counters: { connections: 0, requests: 0, completed: 0, aborted: 0, cut: 0 },
    failures: [],
    activeStreams: 0,
    refusal: { left: 0, kind: "reset" },
  };
}

export function createHost(state: SimulatorState): ConnectionHost {
  const { world, waiters, counters } = state;
  return {
    nowMs: world.nowMs,
    bodyCare(head) {
      if (state.keepsRecords) return "hash";
      return fixedAnswer(state, head) === null ? "keep" : "drop";
    },
    answersEarly(head) {
      const account = accountOf(state, head);
      const step = account === null ? null : peekStep(account, apiPath(head.target));
      return step !== null && "waitForBody" in step && step.waitForBody === false;
    },
    fixedAnswer: (head) => fixedAnswer(state, head),
    react: (head, body) =>
      react(world, { method: head.method, target: head.target, body, account: accountOf(state, head) }),
    arrived(request) {
      counters.requests += 1;
      const record = state.keepsRecords ? recordOf(counters.requests, request) : null;
      if (record !== null) state.log.add(record);
      waiters.notify();
      return record;
    },
    ended(record, how) {
      counters[how] += 1;
      if (record !== null && how === "completed") record.completedAtMs = world.nowMs();
      if (record !== null && how === "aborted") record.abortedAtMs = world.nowMs();
      waiters.notify();
    },
    streams(change) {
      state.activeStreams += change;
      waiters.notify();
    },
    failed(error) {
      if (state.failures.length < MAX_FAILURES) state.failures.push(error);
    },
  };
}

/** Null for a credential that is unknown, or that came in the header of the other kind. */
function accountOf(state: SimulatorState, head: RequestHead): AccountState | null {
  if (head.credential === null) return null;
  const account = state.accounts.get(head.credential.text);
  if (account === undefined) return null;
  if (account.options.expiresAtMs !== undefined && state.world.nowMs() >= account.options.expiresAtMs) return null;
  return (account.options.kind ?? head.credential.kind) === head.credential.kind ? account : null;
}

// hot path
function fixedAnswer(state: SimulatorState, head: RequestHead) {
  const account = state.keepsRecords ? null : accountOf(state, head);
  return account === null ? null : state.fixed.of(account, head);
}

function recordOf(id: number, request: ArrivedRequest): RecordedRequest {
  const { head, body } = request;
  return {
    id,
    credential: head.credential?.text ?? null,
    method: head.method,
    target: head.target,
    headers: head.headers,
    rawHead: request.rawHead.slice(),
    body: body.bytes,
    bodySha256: body.sha256,
    arrivedAtMs: request.arrivedAtMs,
    abortedAtMs: null,
    completedAtMs: null,
  };
}
