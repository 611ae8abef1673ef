import type { Account } from "../domain/account/account.ts";
import { judge, type Verdict } from "../domain/failover/judge.ts";
import { type PoolEvent, probesLost } from "../domain/pool/pool-event.ts";
import { availability } from "../domain/pool/pool-state.ts";
import type { Choice, Question, Use } from "../domain/selection/choice.ts";
import { elapsed } from "../kernel/time.ts";
import { attempt } from "./attempt.ts";
import { noteTried, skipsFor } from "./decision-steps.ts";
import { judgeContextOf } from "./judge-context.ts";
import { better } from "./last-word.ts";
import { gatewayStops } from "./no-answer.ts";
import type { Lease } from "./ports.ts";
import { relay } from "./relay.ts";
import { isRenewable, renewLogin } from "./renew-login.ts";
import type { Rooms } from "./rooms.ts";
import {
  beginSeeking,
  endSeeking,
  type Found,
  isExtraPaid,
  lastWord,
  leaveQueue,
  questionOf,
  type Seeking,
} from "./seeking.ts";
import { isNotItsTurn, noneNow, type Waiting, waitInQueue } from "./wait-for-room.ts";
import { beginWalk, settleTicket, type Walk } from "./walk.ts";

type Leaving = { readonly kind: "lease"; readonly lease: Lease; readonly question: Question; readonly use: Use };
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
    endSeeking(seeking);
  }
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

function goOn(seeking: Seeking, next: Leaving | Waiting): Promise<Found | null> {
  return next.kind === "wait" ? waitInQueue(seeking, next) : tryAccount(seeking, next);
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
    noteProbed(use, rooms);
    settleTicket(walk, { kind: "gone", usage: null }, rooms);
    noteTried(walk, { use, skips }, { verdict: { reason: "abandoned", learn: [] }, outcome: null });
    return walk.call.signal.aborted ? "client_gone" : gatewayStops();
  }
  const { outcome, answer } = attempted;
  const renewal = isRenewable(seeking, lease, outcome) ? await renewLogin(seeking, lease) : null;
  const context = judgeContextOf(walk, account, rooms, seeking.triedSameOrigin);
  const verdict = judge(outcome, { ...context, renewal });
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
  noteProbed(use, rooms);
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

/** A test of a limit is over: whoever waited for its end looks now. */
function noteProbed({ onStart }: Use, rooms: Rooms): void {
  if (onStart.length > 0) {
    rooms.queue.recheck();
  }
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
