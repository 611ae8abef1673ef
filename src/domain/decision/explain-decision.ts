import { toRfc3339 } from "../../kernel/time.ts";
import type { AccountId } from "../account/account.ts";
import type { MoveKind } from "../affinity/move.ts";
import { describeReason } from "../failover/reason.ts";
import type { Move, Why } from "../selection/choice.ts";
import type { Skip } from "../selection/plan.ts";
import type { Decision, DecisionStep } from "./decision.ts";

type NameOf = (id: AccountId) => string;

const SOURCES: Readonly<Record<NonNullable<Decision["conversation"]>, string>> = {
  session_id: "its session id",
  user_id: "its metadata.user_id",
  prefix: "the beginning of its prompt",
};

const WHYS: Readonly<Record<Why, string>> = {
  home: "this is the home of the conversation",
  new_home: "the conversation had no home and suits this account best",
  home_moved: "the conversation lives there from now on",
  spill: "the home could not serve it; the next request goes home again",
  strategy: "the strategy put it first",
  probe: "nothing better was left and one request must test whether its limit is over",
  last_origin: "its upstream rests after failures, but so does every other account",
  retry: "the same account was tried once more",
};

const KINDS: Readonly<Record<MoveKind, string>> = {
  same_cache: "another account with the same cache",
  same_organization: "another cache of the same organization",
  other_organization: "another organization, which loses the cache and earlier thinking",
  other_platform: "another platform, which loses the cache and earlier thinking",
};

const WAITS: ReadonlyMap<string, string> = new Map([
  ["home_returns", "the home of the conversation would soon be back"],
  ["all_rest", "no account could serve it"],
  ["all_full", "requests under way took all that the limits left"],
]);

/** Sentences that a person understands, in the order of what happened. @param nameOf the account's name, or its id */
export function explainDecision(decision: Decision, nameOf: NameOf): readonly string[] {
  const { steps, droppedSteps = 0 } = decision;
  const told = steps.map((step) => stepSentences(step, nameOf));
  const gap =
    droppedSteps === 0 ? [] : [`${count(droppedSteps, "further step")} here ${wasOrWere(droppedSteps)} not kept.`];
  return [ruleSentence(decision), ...told.slice(0, -1).flat(), ...gap, ...told.slice(-1).flat()];
}

function ruleSentence({ strategy, conversation }: Decision): string {
  const known =
    conversation === null
      ? "the request belongs to no known conversation"
      : `the conversation was recognised by ${SOURCES[conversation]}`;
  return `The strategy was ${strategy}; ${known}.`;
}

function stepSentences(step: DecisionStep, nameOf: NameOf): readonly string[] {
  switch (step.kind) {
    case "tried":
      return [
        ...skipSentences(step, nameOf),
        `Sent to ${nameOf(step.accountId)}: ${WHYS[step.why]}.`,
        ...(step.move === null ? [] : [moveSentence(step.move, nameOf)]),
        outcomeSentence(step, nameOf),
      ];
    case "waited":
      return [
        `Waited ${seconds(step.ms)}; the end was expected at ${toRfc3339(step.untilMs)}: ${WAITS.get(step.why) ?? step.why}.`,
        ...(step.move === null ? [] : [dearSentence(step.move)]),
      ];
    default:
      return [
        ...skipSentences(step, nameOf),
        step.code === "retry_budget"
          ? "No other account was tried: the gateway's budget for extra requests is spent (retry.budgetRatio)."
          : `Refused with ${step.code}.${step.untilMs === null ? "" : ` The first account is back at ${toRfc3339(step.untilMs)}.`}`,
      ];
  }
}

function outcomeSentence(
  { accountId, reason, status, cause }: Extract<DecisionStep, { kind: "tried" }>,
  nameOf: NameOf,
): string {
  const answer = status === null ? "" : ` with status ${status}`;
  const result =
    reason === "served" ? `answered${answer}` : `did not serve it${answer}: ${lowerFirst(describeReason(reason))}`;
  return `${nameOf(accountId)} ${result}${cause === null ? "" : ` (${cause})`}.`;
}

function moveSentence({ from, kind, priceMicroUsd, homeReturnsAtMs, setsHome }: Move, nameOf: NameOf): string {
  const back = homeReturnsAtMs === null ? "" : `, which is back at ${toRfc3339(homeReturnsAtMs)}`;
  const what = setsHome ? "It moved" : "It was away for this request";
  return `${what} from ${nameOf(from)}${back}, to ${KINDS[kind]}; writing its cache again costs about ${dollars(priceMicroUsd)}.`;
}

function dearSentence({ kind, priceMicroUsd }: Move): string {
  return `The cheapest move was to ${KINDS[kind]}, for about ${dollars(priceMicroUsd)}: more than the wait was worth.`;
}

function skipSentences(step: { skips: readonly Skip[]; skipCount: number }, nameOf: NameOf): readonly string[] {
  const more = step.skipCount - step.skips.length;
  return [
    ...step.skips.map((skip) => skipSentence(skip, nameOf)),
    ...(more > 0 ? [`Passed over ${count(more, "further account")}.`] : []),
  ];
}

function skipSentence({ accountId, reason, untilMs, cause }: Skip, nameOf: NameOf): string {
  const until = untilMs === null ? "" : `, until ${toRfc3339(untilMs)}`;
  return `Passed over ${nameOf(accountId)}: ${lowerFirst(describeReason(reason))}${until}${cause === null ? "" : ` (${cause})`}.`;
}

function count(many: number, what: string): string {
  return `${many} ${what}${many === 1 ? "" : "s"}`;
}

function wasOrWere(many: number): string {
  return many === 1 ? "was" : "were";
}

/** Below a cent in hundredths of one: cents would tell nothing. */
function dollars(microUsd: number): string {
  const digits = microUsd > 0 && microUsd < 10_000 ? 4 : 2;
  const unit = 10 ** (6 - digits);
  return `$${((Math.round(microUsd / unit) * unit) / 1_000_000).toFixed(digits)}`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function lowerFirst(text: string): string {
  return `${text.charAt(0).toLowerCase()}${text.slice(1)}`;
}
