import type { EpochMs } from "../../kernel/time.ts";
import type { AccountId } from "../account/account.ts";
import type { ReasonCode } from "../failover/reason.ts";
import type { Entry } from "./roster.ts";
import { look, type Rank, type View } from "./standing.ts";

/** What speaks against an account. */
export type Skip = {
  readonly accountId: AccountId;
  readonly reason: ReasonCode;
  /** When this account is back; null when that takes an operator, or another request. */
  readonly untilMs: EpochMs | null;
  /** Which header or status said so, or which window is full; null when there is none to name. */
  readonly cause: string | null;
};

const RANK_REASONS: Readonly<Record<Rank, ReasonCode | null>> = {
  ready: null,
  soft: "near_limit",
  slow: "slow",
  probe: "half_open",
  full: "no_room",
};

/** What speaks against each account, in order; a ready one that was not needed is not in it. */
export function skipsOf(view: View, entries: readonly Entry[]): readonly Skip[] {
  return entries.flatMap((entry): readonly Skip[] => {
    const accountId = entry.account.id;
    if (view.question.tried.has(accountId)) {
      return [{ accountId, reason: "already_tried", untilMs: null, cause: null }];
    }
    const found = look(view, entry);
    if (!found.usable) {
      return [{ accountId, reason: found.reason, untilMs: found.untilMs, cause: found.cause }];
    }
    const reason = RANK_REASONS[found.rank];
    const cause = found.rank === "full" ? found.cause : null;
    return reason === null ? [] : [{ accountId, reason, untilMs: found.fullUntilMs, cause }];
  });
}
