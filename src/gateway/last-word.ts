import type { Account } from "../domain/account/account.ts";
import type { AttemptOutcome } from "../domain/failover/outcome.ts";
import { dropAnswer, type HeldAnswer } from "./attempt.ts";
import type { Answer } from "./call.ts";
import { noteRefused } from "./decision-steps.ts";
import { upstreamFailed } from "./no-answer.ts";
import type { Refusal } from "./refusal.ts";
import { relay } from "./relay.ts";
import type { Rooms } from "./rooms.ts";
import type { Walk } from "./walk.ts";

/** An answer that nobody wants yet: the one to give when nothing better comes. */
export type Rejected = {
  readonly account: Account;
  readonly answer: HeldAnswer | null;
  readonly outcome: AttemptOutcome;
};

/** What upstream said is worth more than that it said nothing, and any answer more than one about our own credential. */
export function better(known: Rejected | null, candidate: Rejected): Rejected {
  const isBetter = known === null || worth(candidate) >= worth(known);
  const worse = isBetter ? known : candidate;
  dropRejected(worse);
  return isBetter ? candidate : known;
}

export function dropRejected(rejected: Rejected | null): void {
  const answer = rejected?.answer ?? null;
  if (answer !== null) {
    dropAnswer(answer);
  }
}

function worth({ answer }: Rejected): number {
  if (answer === null) {
    return 0;
  }
  const { status } = answer.response;
  return status === 401 || status === 402 || status === 403 ? 1 : 2;
}

/** Upstream's own last answer, unchanged, or why there was none. */
export function sayLastWord(walk: Walk, rejected: Rejected, rooms: Rooms): Answer | Refusal {
  const { account, answer, outcome } = rejected;
  if (answer !== null && isRelayable(answer)) {
    walk.account = account;
    return relay(walk, answer, outcome, rooms);
  }
  dropRejected(rejected);
  const refusal = upstreamFailed(outcome);
  noteRefused(walk, refusal.code);
  return refusal;
}

/** A redirect or an unasked upgrade is nothing that a client of the API can use (security.md T-14.11, T-14.12). */
function isRelayable({ response }: HeldAnswer): boolean {
  const { status } = response;
  return status >= 200 && status <= 599 && !(status >= 300 && status < 400);
}
