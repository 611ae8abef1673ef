import type { Account, AccountId } from "../domain/account/account.ts";
import { judge } from "../domain/failover/judge.ts";
import type { AttemptOutcome } from "../domain/failover/outcome.ts";
import { type PoolEvent, probesLost } from "../domain/pool/pool-event.ts";
import { earliestReturn, explainSkips, nextCandidate, type PlanInput } from "../domain/selection/plan.ts";
import { durationMs } from "../kernel/time.ts";
import { attempt, dropAnswer, type HeldAnswer } from "./attempt.ts";
import type { Answer } from "./call.ts";
import { headersUp } from "./headers.ts";
import { judgeContextOf } from "./judge-context.ts";
import { allLimited, gatewayStops, noAccount, queueFull, upstreamFailed } from "./no-answer.ts";
import type { HeaderField, Lease } from "./ports.ts";
import type { Refusal } from "./refusal.ts";
import { relay } from "./relay.ts";
import type { Rooms } from "./rooms.ts";
import { beginWalk, type Walk } from "./walk.ts";

/** The answer to give when nothing better comes. */
type Rejected = { readonly account: Account; readonly answer: HeldAnswer | null; readonly outcome: AttemptOutcome };

type Seeking = {
  readonly walk: Walk;
  readonly rooms: Rooms;
  readonly headers: readonly HeaderField[];
  readonly tried: Set<AccountId>;
  rejected: Rejected | null;
  /** The account to try once more in place. */
  again: Account | null;
  triedSameOrigin: number;
};

export type Found = Answer | Refusal | "client_gone";

type Next =
  | { readonly kind: "lease"; readonly lease: Lease; readonly onStart: readonly PoolEvent[] }
  | { readonly kind: "found"; readonly found: Found }
  | { readonly kind: "wait"; readonly plan: PlanInput };

/** Account after account, until one answers for good, the retry budget is spent, or none is left. */
export async function seek(walk: Walk, rooms: Rooms): Promise<Found> {
  const seeking: Seeking = {
    walk,
    rooms,
    headers: headersUp(walk.call.headers),
    tried: new Set(),
    rejected: null,
    again: null,
    triedSameOrigin: 0,
  };
  try {
    for (;;) {
      const next = nextLease(seeking);
      const found = next.kind === "found" ? next.found : await goOn(seeking, next);
      if (found !== null) {
        return found;
      }
    }
  } finally {
    replaceRejected(seeking, null);
  }
}

// hot path: not async, because waiting is rare.
function nextLease(seeking: Seeking): Next {
  const { walk, rooms, tried } = seeking;
  for (;;) {
    if (walk.call.signal.aborted) {
      return { kind: "found", found: "client_gone" };
    }
    const plan = planFor(seeking);
    const candidate = seeking.again === null ? nextCandidate(plan) : { account: seeking.again, onStart: [] };
    seeking.again = null;
    if (candidate === null) {
      return seeking.rejected === null ? { kind: "wait", plan } : { kind: "found", found: lastWord(seeking) };
    }
    const { account, onStart } = candidate;
    const credential = rooms.accounts.credential(account);
    if (credential !== null) {
      return { kind: "lease", lease: { account, credential }, onStart };
    }
    tried.add(account.id);
  }
}

function goOn(seeking: Seeking, next: Exclude<Next, { kind: "found" }>): Promise<Found | null> {
  return next.kind === "wait" ? waitForReturn(seeking, next.plan) : tryAccount(seeking, next.lease, next.onStart);
}

function planFor({ walk, rooms, tried }: Seeking): PlanInput {
  return {
    accounts: rooms.accounts.snapshot(),
    pool: rooms.pool.state,
    model: walk.facts.model,
    modelClass: walk.modelClass,
    nowMs: rooms.clock.now(),
    tried,
  };
}

/** Everybody rests: wait for the first to come back if that is near. Null: look again. */
async function waitForReturn({ walk, rooms }: Seeking, plan: PlanInput): Promise<Found | null> {
  const returnsAtMs = earliestReturn(plan);
  if (returnsAtMs === null) {
    return noAccount(explainSkips(plan));
  }
  const waited = await rooms.queue.wait(returnsAtMs, walk.queueMs, walk.call.signal);
  walk.queueMs = durationMs(walk.queueMs + waited.waitedMs);
  switch (waited.kind) {
    case "ready":
      return null;
    case "gone":
      return "client_gone";
    case "full":
      return queueFull(rooms.queue.waiting);
    default:
      return allLimited({ modelClass: plan.modelClass, skips: explainSkips(plan), returnsAtMs, nowMs: plan.nowMs });
  }
}

/** One attempt and what follows from it. Null: go on with the next account. */
async function tryAccount(seeking: Seeking, lease: Lease, onStart: readonly PoolEvent[]): Promise<Found | null> {
  const { walk, rooms } = seeking;
  const { account } = lease;
  beginWalk(walk, account, rooms);
  rooms.pool.learn(onStart);
  const attempted = await attempt(walk, lease, seeking.headers, rooms);
  if (attempted === "abandoned") {
    rooms.pool.learn(probesLost(onStart));
    return walk.call.signal.aborted ? "client_gone" : gatewayStops();
  }
  const { outcome, answer } = attempted;
  const verdict = judge(outcome, judgeContextOf(walk, account, rooms, seeking.triedSameOrigin));
  rooms.pool.learn(verdict.learn);
  rooms.observer.attempted({
    requestId: walk.call.id,
    account,
    event: verdict.reason,
    status: outcome.kind === "answer" ? outcome.status : null,
    action: verdict.action,
  });
  if (verdict.action === "relay" && answer !== null) {
    walk.account = account;
    return relay(walk, answer, outcome, rooms);
  }
  keepBetter(seeking, { account, answer, outcome });
  seeking.tried.add(account.id);
  if (walk.attempts >= rooms.retry.attempts) {
    return lastWord(seeking);
  }
  if (verdict.action === "retry_same") {
    seeking.triedSameOrigin += 1;
    seeking.again = account;
    await rooms.clock.sleep(verdict.delayMs, walk.call.signal);
  }
  return null;
}

/** What upstream said is worth more than that it said nothing, and any answer more than one about our own credential. */
function keepBetter(seeking: Seeking, candidate: Rejected): void {
  const { rejected } = seeking;
  if (rejected === null || worth(candidate) >= worth(rejected)) {
    replaceRejected(seeking, candidate);
  } else if (candidate.answer !== null) {
    dropAnswer(candidate.answer);
  }
}

function worth({ answer }: Rejected): number {
  if (answer === null) {
    return 0;
  }
  const { status } = answer.response;
  return status === 401 || status === 402 || status === 403 ? 1 : 2;
}

function replaceRejected(seeking: Seeking, next: Rejected | null): void {
  const answer = seeking.rejected?.answer ?? null;
  if (answer !== null) {
    dropAnswer(answer);
  }
  seeking.rejected = next;
}

/** Nothing is left to try: upstream's own last answer, unchanged, or why there was none. */
function lastWord(seeking: Seeking): Found {
  const { walk, rooms, rejected } = seeking;
  if (rejected === null) {
    return noAccount([]);
  }
  const { account, answer, outcome } = rejected;
  if (answer === null || !isRelayable(answer.response.status)) {
    return upstreamFailed(outcome);
  }
  seeking.rejected = null;
  walk.account = account;
  return relay(walk, answer, outcome, rooms);
}

/** A redirect or an unasked upgrade is nothing that a client of the API can use (security.md T-14.11, T-14.12). */
function isRelayable(status: number): boolean {
  return status >= 200 && status <= 599 && !(status >= 300 && status < 400);
}
