import type { Account } from "../../src/domain/account/account.ts";
import { limitGroupOf } from "../../src/domain/account/account.ts";
import { createHomeBook } from "../../src/domain/affinity/home-book.ts";
import { judge, type Verdict } from "../../src/domain/failover/judge.ts";
import type { AttemptOutcome } from "../../src/domain/failover/outcome.ts";
import { createRetryBudget } from "../../src/domain/failover/retry-budget.ts";
import { createLatencyBook } from "../../src/domain/pool/latency-book.ts";
import type { PoolEvent } from "../../src/domain/pool/pool-event.ts";
import { applyPoolEvents, availability, emptyPool } from "../../src/domain/pool/pool-state.ts";
import { createReservationBook } from "../../src/domain/pool/reservation-book.ts";
import type { Choice, Question, Use } from "../../src/domain/selection/choice.ts";
import { createSelector, type Ticket } from "../../src/domain/selection/selector.ts";
import { type EpochMs, elapsed, epochMs } from "../../src/kernel/time.ts";
import type { Desk } from "./client.ts";
import { GATEWAY_DEFAULTS } from "./gateway-defaults.ts";
import { type ProviderAnswer, type Refused, type Served, statedReturn } from "./provider.ts";
import { createWaitingRoom } from "./waiting-room.ts";
import { type GatewaySetup, type Inside, isExtraPaid, newWalk, questionOf, type Walk } from "./walk.ts";

/** To the upstream and back, for an answer that is an error. */
const REFUSAL_MS = 120;
/** A gateway's own refusal never names a longer wait: clients stop retrying then (protocol.md, P32). */
const LONGEST_RETRY_AFTER_MS = 60_000;

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

function takeAgain(walk: Walk, question: Question): Use | null {
  const { inside } = walk;
  const account = walk.again;
  walk.again = null;
  if (account === null) return null;
  const found = availability(inside.pool, account, question.model, question.modelClass, question.nowMs);
  const isLeft = found.usable || found.reason === "origin_circuit_open";
  return isLeft ? { kind: "use", account, onStart: [], why: "retry", move: null } : null;
}

const SHORT_WAIT_MS = 3_000;

/** As src/gateway/wait-for-room.ts. */
function noneNow(walk: Walk, choice: Exclude<Choice, Use>): void {
  const { inside } = walk;
  const rejected = isOver(walk) ? null : walk.rejected;
  const isWorthIt =
    choice.kind === "wait" &&
    (rejected === null ||
      choice.why === "all_full" ||
      choice.move !== null ||
      choice.untilMs - inside.agenda.nowMs <= SHORT_WAIT_MS);
  if (choice.kind === "wait" && isWorthIt && (walk.attempts === 0 || isExtraPaid(walk))) {
    wait(walk, choice.untilMs, choice.why === "home_returns" ? "own" : "lack");
  } else if (choice.kind === "none" && rejected === null && isProbing(walk)) {
    wait(walk, epochMs(inside.agenda.nowMs + inside.rule.maxWaitMs - walk.waitedMs), "lack");
  } else {
    refuse(walk, choice.kind === "wait" ? choice.untilMs : choice.returnsAtMs);
  }
}

function isOver({ inside, rejected }: Walk): boolean {
  const retryAtMs = rejected?.limits.retryAtMs ?? null;
  return retryAtMs !== null && retryAtMs <= inside.agenda.nowMs;
}

/** One request is testing a limit right now: its outcome is near. */
function isProbing(walk: Walk): boolean {
  const { inside } = walk;
  const hasTime = walk.waitedMs < inside.rule.maxWaitMs;
  return hasTime && inside.selector.explain(questionOf(walk)).some(({ reason }) => reason === "probing");
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

const MOVES_TRAFFIC: ReadonlySet<PoolEvent["type"]> = new Set(["benched", "throttled", "parked", "credential_refused"]);

function hasLimited({ learn }: Verdict): boolean {
  return learn.some(({ type }) => MOVES_TRAFFIC.has(type));
}

function byPriorityThenName(left: Account, right: Account): number {
  return left.priority - right.priority || (left.name < right.name ? -1 : 1);
}
