import type { Account, AccountId } from "../domain/account/account.ts";
import type { Demand } from "../domain/pool/reservation-book.ts";
import type { Question } from "../domain/selection/choice.ts";
import type { EpochMs } from "../kernel/time.ts";
import type { Answer } from "./call.ts";
import { demandOf, forgetCompacted } from "./conversation.ts";
import { noteRefused } from "./decision-steps.ts";
import { headersUp } from "./headers.ts";
import { dropRejected, type Rejected, sayLastWord } from "./last-word.ts";
import { noAccount } from "./no-answer.ts";
import type { HeaderField } from "./ports.ts";
import type { Place } from "./queue-lane.ts";
import type { Refusal } from "./refusal.ts";
import { requestClassOf } from "./request-class.ts";
import type { Rooms } from "./rooms.ts";
import type { Walk } from "./walk.ts";

export type Found = Answer | Refusal | "client_gone";

/** What a search for an account has come to so far. One owner: `seek`. */
export type Seeking = {
  readonly walk: Walk;
  readonly rooms: Rooms;
  readonly headers: readonly HeaderField[];
  readonly demand: Demand;
  readonly isSubagent: boolean;
  readonly tried: Set<AccountId>;
  rejected: Rejected | null;
  /** The account to try once more in place. */
  again: Account | null;
  triedSameOrigin: number;
  /** Accounts whose login was renewed for this request: a second 401 is the last. */
  readonly renewed: Set<AccountId>;
  /** The retry budget has paid for the next request beyond the first. */
  isPaid: boolean;
  /** In the queue, from the first wait until a request leaves. */
  place: Place | null;
};

// hot path
export function beginSeeking(walk: Walk, rooms: Rooms): Seeking {
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
    isSubagent: requestClassOf(call) === "subagent",
    tried: new Set(),
    rejected: null,
    again: null,
    triedSameOrigin: 0,
    renewed: new Set(),
    isPaid: false,
    place: null,
  };
}

/** Runs for every search, whatever happened. */
export function endSeeking(seeking: Seeking): void {
  leaveQueue(seeking);
  dropRejected(seeking.rejected);
}

export function questionOf({ walk, rooms, tried, demand, isSubagent }: Seeking): Question {
  return {
    accounts: rooms.accounts.snapshot(),
    pool: rooms.pool.state,
    model: walk.facts.model,
    modelClass: walk.modelClass,
    nowMs: rooms.clock.now(),
    tried,
    conversation: walk.conversation?.key ?? null,
    isSubagent,
    demand,
    waitedMs: walk.queueMs,
  };
}

export function leaveQueue(seeking: Seeking): void {
  if (seeking.place !== null) {
    seeking.rooms.queue.leave(seeking.place);
    seeking.place = null;
  }
}

/** One budget for all requests: when upstream has a bad minute, retries must not make it worse. */
export function isExtraPaid(seeking: Seeking, nowMs: EpochMs): boolean {
  seeking.isPaid ||= seeking.rooms.retryBudget.take(nowMs);
  if (!seeking.isPaid) {
    noteRefused(seeking.walk, "retry_budget");
  }
  return seeking.isPaid;
}

/** Nothing is left to try. */
export function lastWord(seeking: Seeking): Found {
  const { walk, rooms, rejected } = seeking;
  seeking.rejected = null;
  return rejected === null ? noAccount([]) : sayLastWord(walk, rejected, rooms);
}
