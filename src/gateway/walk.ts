import type { Account, ModelClass } from "../domain/account/account.ts";
import { modelClassOf } from "../domain/account/model-class.ts";
import type { Conversation } from "../domain/affinity/conversation.ts";
import { type DecisionStep, encodeDecision } from "../domain/decision/decision.ts";
import type { LedgerBegin, LedgerSettle } from "../domain/ledger/record.ts";
import { costMicroUsd } from "../domain/pricing/price.ts";
import type { RequestFacts } from "../domain/request/request-facts.ts";
import type { TicketEnd } from "../domain/selection/choice.ts";
import type { Ticket } from "../domain/selection/selector.ts";
import { DEFAULT_STRATEGY, type StrategyName } from "../domain/selection/strategy-name.ts";
import type { Usage } from "../domain/usage/usage.ts";
import { type DurationMs, durationMs, type EpochMs, elapsed } from "../kernel/time.ts";
import type { Call } from "./call.ts";
import { conversationFor } from "./conversation.ts";
import { settleTokens } from "./key-door.ts";
import type { Caller } from "./ports.ts";
import type { Presence } from "./presences.ts";
import type { Read } from "./read.ts";
import { requestClassOf } from "./request-class.ts";
import type { Rooms } from "./rooms.ts";

/** What one request has come to so far. One owner: the walk that made it. */
export type Walk = {
  readonly presence: Presence;
  readonly call: Call;
  readonly caller: Caller;
  readonly facts: RequestFacts;
  readonly modelClass: ModelClass;
  readonly conversation: Conversation | null;
  /** How its account was chosen, in order. */
  readonly steps: DecisionStep[];
  /** The rule that chose last. */
  strategy: StrategyName;
  /** Null when there is none, or when it will not be sent again. */
  body: Uint8Array | null;
  /** Bytes taken from the body budget, given back once the body can no longer be sent again. */
  reservedBytes: number;
  attempts: number;
  queueMs: DurationMs;
  begin: LedgerBegin | null;
  /** Of the attempt under way, or of the one whose answer is relayed: in flight until it is settled. */
  ticket: Ticket | null;
  /** What the account said with the answer that is relayed. */
  ticketEnd: TicketEnd["kind"];
  /** From the request to the first event of its stream; null when it is none. */
  firstTokenMs: DurationMs | null;
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
  readonly thinkingDropped?: number | null;
};

export function newWalk(presence: Presence, { body, facts, reservedBytes }: Read): Walk {
  const { call, caller } = presence;
  const modelClass = modelClassOf(facts.model);
  return {
    presence,
    call,
    caller,
    facts,
    modelClass,
    conversation: conversationFor({ call, keyId: caller.keyId, facts, modelClass, body }),
    steps: [],
    strategy: DEFAULT_STRATEGY,
    body,
    reservedBytes,
    attempts: 0,
    queueMs: durationMs(0),
    begin: null,
    ticket: null,
    ticketEnd: "served",
    firstTokenMs: null,
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

/** What was reserved for an attempt is given back, and the books learn how it went. Idempotent. */
export function settleTicket(
  walk: Walk,
  end: { readonly kind: TicketEnd["kind"]; readonly usage: Usage | null },
  rooms: Rooms,
): void {
  const { ticket } = walk;
  if (ticket !== null) {
    walk.ticket = null;
    rooms.selector.settle(ticket, { ...end, firstTokenMs: walk.firstTokenMs }, rooms.clock.now());
  }
}

/** Runs for every walk, whatever happened, exactly once. */
export function settleWalk(walk: Walk, end: WalkEnd, rooms: Rooms): void {
  if (walk.isSettled) {
    return;
  }
  walk.isSettled = true;
  rooms.presences.leave(walk.presence);
  const begin = beginWalk(walk, null, rooms);
  releaseBody(walk, rooms);
  if (walk.presence.held !== null) settleHeld(walk, end, rooms);
  settleTicket(walk, { kind: ticketEndOf(walk, end.outcome), usage: end.usage ?? null }, rooms);
  const settle = settlementOf({ walk, begin, end, nowMs: rooms.clock.now() });
  rooms.ledger.settle(settle);
  rooms.observer.settled(begin, settle);
  if (walk.queueMs > 0) {
    rooms.observer.waited(requestClassOf(walk.call), walk.queueMs);
  }
}

/** Nobody knows what a request took that broke off before its usage was said. */
function settleHeld(walk: Walk, { usage = null, outcome }: WalkEnd, rooms: Rooms): void {
  const isUnknown = walk.attempts > 0 && outcome !== "refused" && outcome !== "upstream_error";
  settleTokens(walk.presence, { usage, isUnknown, responseBytes: walk.responseBytes, nowMs: rooms.clock.now() });
}

function ticketEndOf({ ticketEnd }: Walk, outcome: WalkEnd["outcome"]): TicketEnd["kind"] {
  switch (outcome) {
    case "completed":
      return ticketEnd;
    case "client_gone":
    case "revoked":
      return "gone";
    default:
      return "failed";
  }
}

type Settlement = { readonly walk: Walk; readonly begin: LedgerBegin; readonly end: WalkEnd; readonly nowMs: EpochMs };

function settlementOf({ walk, begin, end, nowMs }: Settlement): LedgerSettle {
  const { conversation, steps } = walk;
  const usage = end.usage ?? null;
  return {
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
    usage,
    upstreamRequestId: walk.upstreamRequestId,
    errorType: end.errorType ?? null,
    decision:
      steps.length === 0
        ? null
        : encodeDecision({ strategy: walk.strategy, conversation: conversation?.source ?? null, steps }),
    conversation: conversation?.key ?? null,
    costMicroUsd: usage === null ? null : costMicroUsd(usage, walk.facts.model),
    thinkingDropped: end.thinkingDropped ?? null,
  };
}
