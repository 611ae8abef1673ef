import type { Rank, Standing } from "./standing.ts";
import type { StrategyName } from "./strategy-name.ts";

/** Lower goes first, among accounts of one tier and one rank. */
type Score = (standing: Standing) => number;

/** What a group started lately counts less than this many starts: so that its limits say more than chance. */
const CALM_STARTS = 40;

const SCORES: Readonly<Record<StrategyName, Score>> = {
  session: ({ surplus, groupShare }) => -(surplus / (groupShare + CALM_STARTS)),
  "least-used": ({ usedRatio }) => usedRatio,
  weighted: ({ startedShare }) => startedShare,
  "drain-soonest": ({ planResetAtMs }) => planResetAtMs ?? Number.POSITIVE_INFINITY,
  "round-robin": ({ lastStart }) => lastStart,
  priority: ({ entry }) => entry.position,
};

const RANK_ORDER: Readonly<Record<Rank, number>> = { ready: 0, soft: 1, slow: 2, probe: 0, full: 0 };

/**
 * Does `left` go before `right`? For accounts that are all with room, all probes or all full. A tier (equal priority) is
 * left only when nobody in it is there. Never equal: positions differ.
 */
export function goesBefore(left: Standing, right: Standing, strategy: StrategyName): boolean {
  return compareStandings(left, right, strategy) < 0;
}

/** For sorting; see `goesBefore`. */
export function compareStandings(left: Standing, right: Standing, strategy: StrategyName): number {
  const score = SCORES[strategy];
  return (
    (left.fullUntilMs ?? 0) - (right.fullUntilMs ?? 0) ||
    left.entry.account.priority - right.entry.account.priority ||
    RANK_ORDER[left.rank] - RANK_ORDER[right.rank] ||
    difference(score(left), score(right)) ||
    left.usedRatio - right.usedRatio ||
    left.inFlight - right.inFlight ||
    turnOf(left) - turnOf(right) ||
    left.entry.position - right.entry.position
  );
}

/** May it serve without a second thought: usable, with room, and no probe. */
export function hasRoom({ rank }: Standing): boolean {
  return rank !== "probe" && rank !== "full";
}

/**
 * Accounts of which no limit is known take turns; those of one organization need not: they have one limit, not two. A
 * number of each standing alone, since an order must not depend on who is compared with whom.
 */
function turnOf({ cause, startedShare }: Standing): number {
  return cause === null ? startedShare : 0;
}

/** Infinity minus infinity would be no number. */
function difference(left: number, right: number): number {
  return left === right ? 0 : left - right;
}
