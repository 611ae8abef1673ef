import type { EpochMs } from "../../kernel/time.ts";
import type { Account, AccountId, ModelClass } from "../account/account.ts";
import type { ReasonCode } from "../failover/reason.ts";
import { type PoolEvent, subjectOf } from "../pool/pool-event.ts";
import { type Availability, availability, isProbe, type PoolState } from "../pool/pool-state.ts";
import type { Entry } from "./roster.ts";
import { look, type Rank, type View } from "./standing.ts";

export type PlanInput = {
  /** Sorted by priority, then name. */
  readonly accounts: readonly Account[];
  readonly pool: PoolState;
  readonly model: string | null;
  readonly modelClass: ModelClass;
  readonly nowMs: EpochMs;
  readonly tried: ReadonlySet<AccountId>;
};

export type Candidate = {
  readonly account: Account;
  /** What the pool must learn before the request leaves: that it is a probe. Mostly empty. */
  readonly onStart: readonly PoolEvent[];
};

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

const NO_EVENTS: readonly PoolEvent[] = [];

/** The first ready account in order, else the first soft one, else one behind a circuit when nothing else is alive. */
// hot path: with a ready account in front, the cost does not depend on the number of accounts
export function nextCandidate(input: PlanInput): Candidate | null {
  let soft: Account | null = null;
  let behindCircuit: Account | null = null;
  for (const account of input.accounts) {
    if (input.tried.has(account.id)) {
      continue;
    }
    const found = available(input, account);
    if (found.usable && found.rank === "ready") {
      return candidate(input, account);
    }
    if (found.usable) {
      soft ??= account;
    } else if (found.reason === "origin_circuit_open") {
      behindCircuit ??= account;
    }
  }
  const chosen = soft ?? (behindCircuit === null || isAnotherOriginAlive(input) ? null : behindCircuit);
  return chosen === null ? null : candidate(input, chosen);
}

/** Why each account is passed over, in order. Only for refusals and decision records: it looks at all of them. */
export function explainSkips(input: PlanInput): readonly Skip[] {
  return input.accounts.flatMap((account): readonly Skip[] => {
    if (input.tried.has(account.id)) {
      return [{ accountId: account.id, reason: "already_tried", untilMs: null, cause: null }];
    }
    const found = available(input, account);
    return found.usable
      ? []
      : [{ accountId: account.id, reason: found.reason, untilMs: found.untilMs, cause: found.cause }];
  });
}

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

/** When the first of the unusable accounts, tried or not, comes back; null when none ever will by itself. */
export function earliestReturn(input: PlanInput): EpochMs | null {
  let earliest: EpochMs | null = null;
  for (const account of input.accounts) {
    const found = available(input, account);
    if (!found.usable && found.untilMs !== null && (earliest === null || found.untilMs < earliest)) {
      earliest = found.untilMs;
    }
  }
  return earliest;
}

/** A circuit never takes the last upstream away: it blocks only while some account elsewhere could serve. */
function isAnotherOriginAlive(input: PlanInput): boolean {
  return input.accounts.some((account) => available(input, account).usable);
}

function available(input: PlanInput, account: Account): Availability {
  return availability(input.pool, account, input.model, input.modelClass, input.nowMs);
}

function candidate(input: PlanInput, account: Account): Candidate {
  const { pool, model, modelClass, nowMs } = input;
  const onStart: readonly PoolEvent[] = isProbe(pool, account, modelClass, nowMs)
    ? [{ type: "probe_started", on: subjectOf(account, model, modelClass), atMs: nowMs }]
    : NO_EVENTS;
  return { account, onStart };
}
