import type { Account, AccountId } from "../domain/account/account.ts";
import { judge, type Verdict } from "../domain/failover/judge.ts";
import { type PoolEvent, probesLost } from "../domain/pool/pool-event.ts";
import { availability } from "../domain/pool/pool-state.ts";
import type { Demand } from "../domain/pool/reservation-book.ts";
import type { Choice, Question, Use } from "../domain/selection/choice.ts";
import { durationMs, type EpochMs, elapsed } from "../kernel/time.ts";
import { attempt } from "./attempt.ts";
import type { Answer } from "./call.ts";
import { demandOf, forgetCompacted } from "./conversation.ts";
import { noteRefused, noteTried, noteWaited, skipsFor } from "./decision-steps.ts";
import { headersUp } from "./headers.ts";
import { judgeContextOf } from "./judge-context.ts";
import { better, dropRejected, type Rejected, sayLastWord } from "./last-word.ts";
import { allLimited, gatewayStops, noAccount, queueFull } from "./no-answer.ts";
import type { HeaderField, Lease } from "./ports.ts";
import type { Place } from "./queue-lane.ts";
import type { Refusal } from "./refusal.ts";
import { relay } from "./relay.ts";
import { requestClassOf } from "./request-class.ts";
import type { Rooms } from "./rooms.ts";
import { beginWalk, settleTicket, type Walk } from "./walk.ts";

type Seeking = {
  readonly walk: Walk;
  readonly rooms: Rooms;
  readonly headers: readonly HeaderField[];
  readonly demand: Demand;
  readonly tried: Set<AccountId>;
  rejected: Rejected | null;
  /** The account to try once more in place. */
  again: Account | null;
  triedSameOrigin: number;
  /** The retry budget has paid for the next request beyond the first. */
  isPaid: boolean;
  /** In the queue, from the first wait until a request leaves. */
  place: Place | null;
};

export type Found = Answer | Refusal | "client_gone";

type Leaving = { readonly kind: "lease"; readonly lease: Lease; readonly question: Question; readonly use: Use };
type Waiting = {
  readonly kind: "wait";
  readonly question: Question;
  readonly choice: Extract<Choice, { kind: "wait" }> | "turn";
};
type Next = Leaving | Waiting | { readonly kind: "found"; readonly found: Found };

/** Account after account, until one answers for good, nothing more may be sent, or none is left. */
export async function seek(walk: Walk, rooms: Rooms): Promise<Found> {
  const seeking = beginSeeking(walk, rooms);
  try {
    for (;;) {
      const next = nextStep(seeking);
      const found = next.kind === "found" ? next.found : await goOn(seeking, next);
      if (found !== null) {
        return found;
      }
    }
  } finally {
    leaveQueue(seeking);
    dropRejected(seeking.rejected);
  }
}

// hot path
function beginSeeking(walk: Walk, rooms: Rooms): Seeking {
  const { call, conversation, facts } = walk;
  const nowMs = rooms.clock.now();
  rooms.retryBudget.counted(nowMs);
  if (conversation !== null) {
    forgetCompacted(call, conversation, { homes: rooms.homes, nowMs });
  }
  return {
    walk,
    rooms,
    headers: headersUp(call.headers),
    demand: demandOf(call.path, walk.body, facts),
    tried: new Set(),
    rejected: null,
    again: null,
    triedSameOrigin: 0,
    isPaid: false,
    place: null,
  };
}

// hot path: not async, because waiting is rare.
function nextStep(seeking: Seeking): Next {
  const { walk, rooms, tried } = seeking;
  for (;;) {
    if (walk.call.signal.aborted) {
      return { kind: "found", found: "client_gone" };
    }
    const question = questionOf(seeking);
    const choice = takeAgain(seeking, question) ?? choose(question, walk, rooms);
    if (choice.kind !== "use") {
      return noneNow(seeking, question, choice);
    }
    if (isNotItsTurn(seeking)) {
      return { kind: "wait", question, choice: "turn" };
    }
    const { account } = choice;
    const credential = rooms.accounts.credential(account);
    if (credential === null) {
      tried.add(account.id);
    } else if (walk.attempts > 0 && !isExtraPaid(seeking, question.nowMs)) {
      return { kind: "found", found: lastWord(seeking) };
    } else {
      return { kind: "lease", lease: { account, credential }, question, use: choice };
    }
  }
}

function questionOf({ walk, rooms, tried, demand }: Seeking): Question {
  return {
    accounts: rooms.accounts.snapshot(),
    pool: rooms.pool.state,
    model: walk.facts.model,
    modelClass: walk.modelClass,
    nowMs: rooms.clock.now(),
    tried,
    conversation: walk.conversation?.key ?? null,
    demand,
    waitedMs: walk.queueMs,
  };
}

function choose(question: Question, walk: Walk, rooms: Rooms): Choice {
  const rule = rooms.rule();
  walk.strategy = rule.strategy;
  return rooms.selector.choose(question, rule);
}

/** Once more in place, unless the account was made to rest in the meantime. */
function takeAgain(seeking: Seeking, { pool, model, modelClass, nowMs }: Question): Use | null {
  const account = seeking.again;
  seeking.again = null;
  if (account === null) {
    return null;
  }
  const found = availability(pool, account, model, modelClass, nowMs);
  const isLeft = found.usable || found.reason === "origin_circuit_open";
  return isLeft ? { kind: "use", account, onStart: [], why: "retry", move: null } : null;
}

/** Room came before its time: those who wait for it look first. */
function isNotItsTurn({ walk, rooms, place }: Seeking): boolean {
  return place === null && walk.attempts === 0 && rooms.queue.hasLack(walk.modelClass);
}

/** Upstream's own last answer is better than to wait while nobody else could serve: it says until when. */
function noneNow(seeking: Seeking, question: Question, choice: Exclude<Choice, Use>): Next {
  const { walk } = seeking;
  const isUnheard = seeking.rejected === null;
  const isAwaited = choice.kind === "wait" && (isUnheard || choice.why === "all_full" || choice.move !== null);
  if (isAwaited && (walk.attempts === 0 || isExtraPaid(seeking, question.nowMs))) {
    return { kind: "wait", question, choice };
  }
  const isRefused = isUnheard && choice.kind === "none";
  return { kind: "found", found: isRefused ? refuse(seeking, question, choice.returnsAtMs) : lastWord(seeking) };
}

function refuse({ walk, rooms }: Seeking, question: Question, returnsAtMs: EpochMs | null): Refusal {
  const skips = rooms.selector.explain(question);
  const { modelClass, nowMs } = question;
  const refusal = returnsAtMs === null ? noAccount(skips) : allLimited({ modelClass, skips, returnsAtMs, nowMs });
  noteRefused(walk, refusal.code, { skips, untilMs: returnsAtMs });
  return refusal;
}

function goOn(seeking: Seeking, next: Leaving | Waiting): Promise<Found | null> {
  return next.kind === "wait" ? waitInQueue(seeking, next) : tryAccount(seeking, next);
}

/** Null: look again. */
async function waitInQueue(seeking: Seeking, { question, choice }: Waiting): Promise<Found | null> {
  const { walk, rooms } = seeking;
  const { call, caller, modelClass, queueMs } = walk;
  seeking.place ??= rooms.queue.enter({
    lane: modelClass,
    requestClass: requestClassOf(call),
    keyId: caller.keyId,
    waitedMs: queueMs,
  });
  const isTurn = choice === "turn";
  const untilMs = isTurn ? question.nowMs : choice.untilMs;
  const kind = isTurn ? "turn" : choice.why === "home_returns" ? "own" : "lack";
  const waited = await rooms.queue.wait(seeking.place, { untilMs, kind }, call.signal);
  walk.queueMs = durationMs(queueMs + waited.waitedMs);
  if (!isTurn && waited.waitedMs > 0) {
    noteWaited(walk, choice, waited);
  }
  switch (waited.kind) {
    case "ready":
      // What it waited for may be tried once more.
      seeking.tried.clear();
      return null;
    case "gone":
      return "client_gone";
    case "full":
      noteRefused(walk, "GW_QUEUE_FULL", { untilMs });
      return seeking.rejected === null ? queueFull(rooms.queue.waiting) : lastWord(seeking);
    default:
      return seeking.rejected === null ? refuse(seeking, question, untilMs) : lastWord(seeking);
  }
}

function leaveQueue(seeking: Seeking): void {
  if (seeking.place !== null) {
    seeking.rooms.queue.leave(seeking.place);
    seeking.place = null;
  }
}

/** One attempt and what follows from it. Null: go on with the next account. */
async function tryAccount(seeking: Seeking, { lease, question, use }: Leaving): Promise<Found | null> {
  const { walk, rooms } = seeking;
  const { account } = lease;
  beginWalk(walk, account, rooms);
  const skips = skipsFor(question, use, rooms);
  walk.ticket = rooms.selector.start(question, use);
  rooms.pool.learn(use.onStart);
  leaveQueue(seeking);
  seeking.isPaid = false;
  const attempted = await attempt(walk, lease, seeking.headers, rooms);
  if (attempted === "abandoned") {
    rooms.pool.learn(probesLost(use.onStart));
    settleTicket(walk, { kind: "gone", usage: null }, rooms);
    noteTried(walk, { use, skips }, { verdict: { reason: "abandoned", learn: [] }, outcome: null });
    return walk.call.signal.aborted ? "client_gone" : gatewayStops();
  }
  const { outcome, answer } = attempted;
  const verdict = judge(outcome, judgeContextOf(walk, account, rooms, seeking.triedSameOrigin));
  rooms.pool.learn(verdict.learn);
  noteTried(walk, { use, skips }, { verdict, outcome });
  rooms.observer.attempted({
    requestId: walk.call.id,
    account,
    event: verdict.reason,
    status: outcome.kind === "answer" ? outcome.status : null,
    action: verdict.action,
    why: use.why,
    move: use.move,
  });
  if (use.onStart.length > 0) {
    // A test of a limit is over: whoever waited for its end looks now.
    rooms.queue.recheck();
  }
  walk.ticketEnd = hasLimited(verdict) ? "limited" : "served";
  if (verdict.action === "relay" && answer !== null) {
    walk.account = account;
    walk.firstTokenMs = answer.tap.kind === "stream" ? elapsed(question.nowMs, rooms.clock.now()) : null;
    return relay(walk, answer, outcome, rooms);
  }
  settleTicket(walk, { kind: walk.ticketEnd === "limited" ? "limited" : "failed", usage: null }, rooms);
  seeking.rejected = better(seeking.rejected, { account, answer, outcome });
  seeking.tried.add(account.id);
  return walk.attempts >= rooms.retry.attempts ? lastWord(seeking) : retryInPlace(seeking, account, verdict);
}

const MOVES_TRAFFIC: ReadonlySet<PoolEvent["type"]> = new Set(["benched", "throttled", "parked", "credential_refused"]);

/** The account rests or is dead: others must take over what it had, and not all at once. */
function hasLimited({ learn }: Verdict): boolean {
  return learn.some(({ type }) => MOVES_TRAFFIC.has(type));
}

async function retryInPlace(seeking: Seeking, account: Account, verdict: Verdict): Promise<Found | null> {
  const { walk, rooms } = seeking;
  if (verdict.action === "retry_same") {
    if (!isExtraPaid(seeking, rooms.clock.now())) {
      return lastWord(seeking);
    }
    seeking.triedSameOrigin += 1;
    seeking.again = account;
    await rooms.clock.sleep(verdict.delayMs, walk.call.signal);
  }
  return null;
}

/** One budget for all requests: when upstream has a bad minute, retries must not make it worse. */
function isExtraPaid(seeking: Seeking, nowMs: EpochMs): boolean {
  seeking.isPaid ||= seeking.rooms.retryBudget.take(nowMs);
  if (!seeking.isPaid) {
    noteRefused(seeking.walk, "retry_budget");
  }
  return seeking.isPaid;
}

/** Nothing is left to try. */
function lastWord(seeking: Seeking): Found {
  const { walk, rooms, rejected } = seeking;
  seeking.rejected = null;
  return rejected === null ? noAccount([]) : sayLastWord(walk, rejected, rooms);
}
