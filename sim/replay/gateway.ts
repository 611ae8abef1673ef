import { clientKeyId } from "../../src/domain/access/client-key-id.ts";
import type { Account, AccountId } from "../../src/domain/account/account.ts";
import { limitGroupOf } from "../../src/domain/account/account.ts";
import { conversationOf } from "../../src/domain/affinity/conversation.ts";
import { createHomeBook } from "../../src/domain/affinity/home-book.ts";
import { judge, type Verdict } from "../../src/domain/failover/judge.ts";
import type { AttemptOutcome } from "../../src/domain/failover/outcome.ts";
import { createRetryBudget, type RetryBudget } from "../../src/domain/failover/retry-budget.ts";
import { createLatencyBook } from "../../src/domain/pool/latency-book.ts";
import type { PoolEvent } from "../../src/domain/pool/pool-event.ts";
import { applyPoolEvents, availability, emptyPool, type PoolState } from "../../src/domain/pool/pool-state.ts";
import { createReservationBook } from "../../src/domain/pool/reservation-book.ts";
import type { Choice, Question, SelectionRule, Use } from "../../src/domain/selection/choice.ts";
import { createSelector, type Selector, type Ticket } from "../../src/domain/selection/selector.ts";
import { durationMs, type EpochMs, elapsed, epochMs } from "../../src/kernel/time.ts";
import type { Agenda } from "./agenda.ts";
import type { Chance } from "./chance.ts";
import type { Desk, Reply } from "./client.ts";
import { GATEWAY_DEFAULTS } from "./gateway-defaults.ts";
import type { Meter } from "./meter.ts";
import { type Provider, type ProviderAnswer, type Refused, type Served, statedReturn } from "./provider.ts";
import type { ReplayRequest } from "./request.ts";
import type { Credential } from "./trace.ts";
import { createWaitingRoom, type Ticking, type WaitingRoom } from "./waiting-room.ts";

/** To the upstream and back, for an answer that is an error. */
const REFUSAL_MS = 120;
/** A gateway's own refusal never names a longer wait: clients stop retrying then (protocol.md, P32). */
const LONGEST_RETRY_AFTER_MS = 60_000;

export type GatewaySetup = {
  readonly agenda: Agenda;
  readonly provider: Provider;
  readonly meter: Meter;
  readonly credentials: readonly Credential[];
  readonly rule: SelectionRule;
  readonly chance: Chance;
};

/** One client request under way, as `Seeking` in src/gateway/seek.ts. */
type Walk = {
  readonly inside: Inside;
  readonly request: ReplayRequest;
  readonly reply: (reply: Reply) => void;
  readonly arrivedAtMs: EpochMs;
  readonly conversation: Question["conversation"];
  readonly tried: Set<AccountId>;
  readonly place: Ticking;
  attempts: number;
  waitedMs: number;
  triedSameOrigin: number;
  again: Account | null;
  isPaid: boolean;
  rejected: Refused | null;
};

type Inside = GatewaySetup & {
  readonly selector: Selector;
  readonly retryBudget: RetryBudget;
  readonly room: WaitingRoom;
  readonly accounts: readonly Account[];
  readonly credentialOf: ReadonlyMap<AccountId, Credential>;
  pool: PoolState;
};

/**
 * A gateway over virtual time: the real selector, books, judge, pool law, retry budget and waiting lanes. What is
 * written again here is only the walk of src/gateway/seek.ts, without sockets, bodies and the ledger.
 */
export function createReplayGateway(setup: GatewaySetup): Desk {
  const { agenda, credentials } = setup;
  const inside: Inside = {
    ...setup,
    selector: createSelector({
      homes: createHomeBook(GATEWAY_DEFAULTS),
      reservations: createReservationBook(),
      latency: createLatencyBook(),
    }),
    retryBudget: createRetryBudget({ ratio: GATEWAY_DEFAULTS.budgetRatio }),
    room: createWaitingRoom(agenda, GATEWAY_DEFAULTS),
    accounts: credentials.map(({ account }) => account).sort(byPriorityThenName),
    credentialOf: new Map(credentials.map((credential) => [credential.account.id, credential])),
    pool: emptyPool,
  };
  return {
    submit(request, reply) {
      inside.retryBudget.counted(agenda.nowMs);
      step(newWalk(inside, request, reply));
    },
  };
}

function newWalk(inside: Inside, request: ReplayRequest, reply: Walk["reply"]): Walk {
  const { session, modelClass } = request;
  const keyId = clientKeyId(session.clientKey);
  const { conversationId: sessionId, requestClass } = session;
  const facts = { clientKeyId: keyId, modelClass, sessionId, userId: null, prefixHash: () => null };
  return {
    inside,
    request,
    reply,
    arrivedAtMs: inside.agenda.nowMs,
    conversation: conversationOf(facts)?.key ?? null,
    tried: new Set(),
    place: inside.room.enter({ lane: modelClass, requestClass, keyId }),
    attempts: 0,
    waitedMs: 0,
    triedSameOrigin: 0,
    again: null,
    isPaid: false,
    rejected: null,
  };
}

function step(walk: Walk): void {
  const { inside } = walk;
  const question = questionOf(walk);
  const choice = takeAgain(walk, question) ?? inside.selector.choose(question, inside.rule);
  if (choice.kind !== "use") {
    noneNow(walk, choice);
  } else if (walk.attempts === 0 && inside.room.isBehind(walk.place)) {
    wait(walk, inside.agenda.nowMs, "turn");
  } else if (walk.attempts > 0 && !isExtraPaid(walk)) {
    refuse(walk, null);
  } else {
    attempt(walk, question, choice);
  }
}

function questionOf({ inside, request, tried, conversation, waitedMs }: Walk): Question {
  const { session, modelClass, promptTokens } = request;
  return {
    accounts: inside.accounts,
    pool: inside.pool,
    model: session.model,
    modelClass,
    nowMs: inside.agenda.nowMs,
    tried,
    conversation,
    demand: { inputTokens: promptTokens, outputTokens: session.maxTokens },
    waitedMs: durationMs(waitedMs),
  };
}

function takeAgain(walk: Walk, question: Question): Use | null {
  const { inside } = walk;
  const account = walk.again;
  walk.again = null;
  if (account === null) return null;
  const found = availability(inside.pool, account, question.model, question.modelClass, question.nowMs);
  const isLeft = found.usable || found.reason === "origin_circuit_open";
  return isLeft ? { kind: "use", account, onStart: [], why: "retry", move: null } : null;
}

function noneNow(walk: Walk, choice: Exclude<Choice, Use>): void {
  const isWorthIt = walk.rejected === null || (choice.kind === "wait" && choice.why !== "all_rest");
  if (choice.kind === "wait" && isWorthIt && (walk.attempts === 0 || isExtraPaid(walk))) {
    wait(walk, choice.untilMs, choice.why === "home_returns" ? "own" : "lack");
  } else {
    refuse(walk, choice.kind === "wait" ? choice.untilMs : choice.returnsAtMs);
  }
}

function wait(walk: Walk, untilMs: EpochMs, kind: "turn" | "own" | "lack"): void {
  const { inside } = walk;
  const beganMs = inside.agenda.nowMs;
  const isWaiting = inside.room.wait(walk.place, { untilMs, kind }, () => {
    walk.waitedMs += inside.agenda.nowMs - beganMs;
    walk.tried.clear();
    step(walk);
  });
  if (!isWaiting) refuse(walk, untilMs);
}

/** Upstream's own last answer when there is one, else why there is none. */
function refuse(walk: Walk, returnsAtMs: EpochMs | null): void {
  const { inside } = walk;
  inside.room.leave(walk.place);
  inside.meter.refused(inside.agenda.nowMs);
  const heard = walk.rejected?.limits.retryAtMs ?? null;
  const ownMs = returnsAtMs === null ? inside.agenda.nowMs + 5_000 : returnsAtMs;
  const cappedMs = Math.min(Math.max(ownMs, inside.agenda.nowMs + 1_000), inside.agenda.nowMs + LONGEST_RETRY_AFTER_MS);
  walk.reply({ kind: "refused", retryAtMs: walk.rejected === null ? epochMs(cappedMs) : heard });
}

function attempt(walk: Walk, question: Question, use: Use): void {
  const { inside, request, place } = walk;
  const ticket = inside.selector.start(question, use);
  learn(inside, use.onStart);
  inside.room.leave(place);
  walk.isPaid = false;
  walk.attempts += 1;
  if (use.move?.setsHome === false) inside.meter.spilled();
  inside.meter.sent(limitGroupOf(use.account), request.modelClass, inside.agenda.nowMs);
  const answer = inside.provider.send(request, use.account.id, inside.agenda.nowMs);
  const afterMs = answer.status === 200 ? request.turn.firstTokenMs : REFUSAL_MS;
  const sentAtMs = inside.agenda.nowMs;
  inside.agenda.at(sentAtMs + afterMs, () => {
    const arrived = { use, ticket, answer, sentAtMs };
    if (answer.status === 200) relay(walk, { ...arrived, answer });
    else turnedDown(walk, { ...arrived, answer });
  });
}

function relay(walk: Walk, { use, ticket, answer, sentAtMs }: Arrived<Served>): void {
  const { inside, request, reply } = walk;
  const verdict = judged(walk, use.account, { status: 200, limits: answer.begin(inside.agenda.nowMs) });
  learn(inside, verdict.learn);
  if (use.onStart.length > 0) inside.room.recheck();
  const credential = inside.credentialOf.get(use.account.id);
  const waitMs = sentAtMs - walk.arrivedAtMs;
  if (credential !== undefined) inside.meter.served(request, { credential, usage: answer.usage, waitMs });
  const firstTokenMs = elapsed(sentAtMs, inside.agenda.nowMs);
  inside.agenda.at(inside.agenda.nowMs + request.turn.streamMs, () => {
    answer.end(inside.agenda.nowMs);
    const kind = hasLimited(verdict) ? "limited" : "served";
    inside.selector.settle(ticket, { kind, usage: answer.usage, firstTokenMs }, inside.agenda.nowMs);
    reply({ kind: "served" });
  });
}

function turnedDown(walk: Walk, { use, ticket, answer }: Arrived<Refused>): void {
  const { inside } = walk;
  const { account, onStart } = use;
  const { status, limits } = answer;
  if (status === 429) inside.meter.limited(limitGroupOf(account), walk.request.modelClass, statedReturn(answer));
  const verdict = judged(walk, account, { status, limits });
  learn(inside, verdict.learn);
  if (onStart.length > 0) inside.room.recheck();
  const kind = hasLimited(verdict) ? "limited" : "failed";
  inside.selector.settle(ticket, { kind, usage: null, firstTokenMs: null }, inside.agenda.nowMs);
  walk.rejected = answer;
  walk.tried.add(account.id);
  if (walk.attempts >= GATEWAY_DEFAULTS.attempts || verdict.action === "relay") {
    refuse(walk, null);
  } else if (verdict.action === "retry_same") {
    retryInPlace(walk, account, verdict);
  } else {
    step(walk);
  }
}

function retryInPlace(walk: Walk, account: Account, { delayMs }: Verdict): void {
  const { inside } = walk;
  if (!isExtraPaid(walk)) {
    refuse(walk, null);
    return;
  }
  walk.triedSameOrigin += 1;
  walk.again = account;
  inside.agenda.at(inside.agenda.nowMs + delayMs, () => step(walk));
}

function judged(walk: Walk, account: Account, answer: Pick<ProviderAnswer, "status"> & Heard): Verdict {
  const { inside } = walk;
  const { session, modelClass } = walk.request;
  const outcome: AttemptOutcome = { kind: "answer", ...answer, errorType: null, errorMessage: null };
  return judge(outcome, {
    account,
    model: session.model,
    modelClass,
    pool: inside.pool,
    nowMs: inside.agenda.nowMs,
    random: inside.chance.next(),
    triedSameOrigin: walk.triedSameOrigin,
    retry: { ...GATEWAY_DEFAULTS.retry, attempt: Math.max(0, walk.attempts - 1) },
  });
}

function isExtraPaid(walk: Walk): boolean {
  const { inside } = walk;
  walk.isPaid ||= inside.retryBudget.take(inside.agenda.nowMs);
  return walk.isPaid;
}

function learn(inside: Inside, events: readonly PoolEvent[]): void {
  inside.pool = applyPoolEvents(inside.pool, events);
}

type Heard = { readonly limits: Refused["limits"] };

type Arrived<Answer> = {
  readonly use: Use;
  readonly ticket: Ticket;
  readonly answer: Answer;
  readonly sentAtMs: EpochMs;
};

function hasLimited({ learn }: Verdict): boolean {
  return learn.some(({ type }) => type === "benched" || type === "throttled" || type === "parked");
}

function byPriorityThenName(left: Account, right: Account): number {
  return left.priority - right.priority || (left.name < right.name ? -1 : 1);
}
