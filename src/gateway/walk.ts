import type { Account, ModelClass } from "../domain/account/account.ts";
import { modelClassOf } from "../domain/account/model-class.ts";
import type { LedgerBegin, LedgerSettle } from "../domain/ledger/record.ts";
import type { RequestFacts } from "../domain/request/request-facts.ts";
import type { Usage } from "../domain/usage/usage.ts";
import { type DurationMs, durationMs, type EpochMs, elapsed } from "../kernel/time.ts";
import type { Call } from "./call.ts";
import type { Caller } from "./ports.ts";
import type { Read } from "./read.ts";
import type { Rooms } from "./rooms.ts";

/** What one request has come to so far. One owner: the walk that made it. */
export type Walk = {
  readonly call: Call;
  readonly caller: Caller;
  readonly facts: RequestFacts;
  readonly modelClass: ModelClass;
  /** Null when there is none, or when it will not be sent again. */
  body: Uint8Array | null;
  /** Bytes taken from the body budget, given back once the body can no longer be sent again. */
  reservedBytes: number;
  attempts: number;
  queueMs: DurationMs;
  begin: LedgerBegin | null;
  /** The account whose answer is being relayed. */
  account: Account | null;
  firstByteAtMs: EpochMs | null;
  responseBytes: number;
  upstreamRequestId: string | null;
  isSettled: boolean;
};

export type WalkEnd = {
  readonly status: number | null;
  readonly outcome: LedgerSettle["outcome"];
  readonly usage?: Usage | null;
  readonly errorType?: string | null;
};

export function newWalk(call: Call, caller: Caller, { body, facts, reservedBytes }: Read): Walk {
  return {
    call,
    caller,
    facts,
    modelClass: modelClassOf(facts.model),
    body,
    reservedBytes,
    attempts: 0,
    queueMs: durationMs(0),
    begin: null,
    account: null,
    firstByteAtMs: null,
    responseBytes: 0,
    upstreamRequestId: null,
    isSettled: false,
  };
}

/** Writes the row that exists before the request leaves for upstream. */
export function beginWalk(walk: Walk, account: Account | null, rooms: Rooms): LedgerBegin {
  walk.begin ??= writeBegin(walk, account, rooms);
  return walk.begin;
}

function writeBegin(walk: Walk, account: Account | null, rooms: Rooms): LedgerBegin {
  const { call, caller, facts } = walk;
  const entry: LedgerBegin = {
    id: call.id,
    startedAtMs: call.acceptedAtMs,
    clientKeyId: caller.keyId,
    method: call.method,
    path: call.path,
    model: facts.model,
    isStream: facts.isStream,
    requestBytes: walk.body?.length ?? 0,
    accountId: account?.id ?? null,
  };
  rooms.ledger.begin(entry);
  return entry;
}

/** The body will not be sent again: it is forgotten, and its bytes go back to the budget. Idempotent. */
export function releaseBody(walk: Walk, rooms: Rooms): void {
  walk.body = null;
  rooms.budget.release(walk.reservedBytes);
  walk.reservedBytes = 0;
}

/** Runs for every walk, whatever happened, exactly once. */
export function settleWalk(walk: Walk, end: WalkEnd, rooms: Rooms): void {
  if (walk.isSettled) {
    return;
  }
  walk.isSettled = true;
  const begin = beginWalk(walk, null, rooms);
  releaseBody(walk, rooms);
  const nowMs = rooms.clock.now();
  const settle: LedgerSettle = {
    id: begin.id,
    settledAtMs: nowMs,
    status: end.status,
    outcome: end.outcome,
    accountId: walk.account?.id ?? null,
    attempts: walk.attempts,
    queueMs: walk.queueMs,
    firstByteMs: walk.firstByteAtMs === null ? null : elapsed(begin.startedAtMs, walk.firstByteAtMs),
    totalMs: elapsed(begin.startedAtMs, nowMs),
    responseBytes: walk.responseBytes,
    usage: end.usage ?? null,
    upstreamRequestId: walk.upstreamRequestId,
    errorType: end.errorType ?? null,
    decision: null,
    conversation: null,
    costMicroUsd: null,
    thinkingDropped: null,
  };
  rooms.ledger.settle(settle);
  rooms.observer.settled(begin, settle);
}
