import type { Account } from "../domain/account/account.ts";
import type { JudgeContext } from "../domain/failover/judge.ts";
import type { Rooms } from "./rooms.ts";
import type { Walk } from "./walk.ts";

/** What the judge must know beside the outcome. `triedSameOrigin`: in-place retries already made for this request. */
export function judgeContextOf(walk: Walk, account: Account, rooms: Rooms, triedSameOrigin = 0): JudgeContext {
  const { model } = walk.facts;
  return {
    account: asKnownNow(account, rooms),
    model,
    modelClass: walk.modelClass,
    pool: rooms.pool.state,
    nowMs: rooms.clock.now(),
    random: rooms.random(),
    triedSameOrigin,
    // The attempt that is judged is counted already: the first wait is the delay itself, without back-off.
    retry: { delayMs: rooms.retry.delayMs, backoff: rooms.retry.backoff, attempt: Math.max(0, walk.attempts - 1) },
  };
}

/** Another answer may have named its organization since the request left: what is learned now is about that one's limits. */
function asKnownNow(account: Account, rooms: Rooms): Account {
  return account.organization === null
    ? (rooms.accounts.snapshot().find(({ id }) => id === account.id) ?? account)
    : account;
}
