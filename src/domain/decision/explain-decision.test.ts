import { expect, test } from "bun:test";
import fc from "fast-check";
import { durationMs, type EpochMs, epochMs } from "../../kernel/time.ts";
import { type AccountId, accountId } from "../account/account.ts";
import type { Move } from "../selection/choice.ts";
import type { Decision, DecisionStep } from "./decision.ts";
import { explainDecision } from "./explain-decision.ts";

const at = (seconds: number): EpochMs => epochMs(Date.parse("2026-11-23T20:00:00Z") + seconds * 1_000);
const main = accountId("0198-main");
const spare = accountId("0198-spare");
const names: ReadonlyMap<AccountId, string> = new Map([
  [main, "main"],
  [spare, "spare"],
]);

const move: Move = {
  from: main,
  kind: "other_organization",
  priceMicroUsd: 345_000,
  homeReturnsAtMs: at(600),
  setsHome: false,
};

type Tried = Extract<DecisionStep, { kind: "tried" }>;
const served: Tried = {
  kind: "tried",
  accountId: main,
  why: "home",
  move: null,
  skips: [],
  skipCount: 0,
  reason: "served",
  status: 200,
  cause: null,
};

function told(steps: readonly DecisionStep[], changes: Partial<Decision> = {}): readonly string[] {
  const decision: Decision = { strategy: "session", conversation: "session_id", steps, ...changes };
  return explainDecision(decision, (id) => names.get(id) ?? id);
}

test("tells of a request that simply went home", () => {
  expect(told([served])).toEqual([
    "The strategy was session; the conversation was recognised by its session id.",
    "Sent to main: this is the home of the conversation.",
    "main answered with status 200.",
  ]);
});

test("tells of a refusal, a dear move and a wait", () => {
  const refused: Tried = { ...served, reason: "rate_limited", status: 429, cause: "status 429, retry-after" };
  const waited: DecisionStep = { kind: "waited", why: "home_returns", untilMs: at(10), ms: durationMs(9_940), move };
  expect(told([refused, waited, served]).slice(1, -2)).toEqual([
    "Sent to main: this is the home of the conversation.",
    "main did not serve it with status 429: the provider limits this account until a stated time (status 429, retry-after).",
    "Waited 9.9 s; the end was expected at 2026-11-23T20:00:10.000Z: the home of the conversation would soon be back.",
    "The cheapest move was to another organization, which loses the cache and earlier thinking, for about $0.35: more than the wait was worth.",
  ]);
});

test("tells why others were passed over, until when, and what a spill cost", () => {
  const skips = [
    { accountId: main, reason: "rate_limited", untilMs: at(600), cause: "status 429, retry-after" },
  ] as const;
  const spilled: Tried = { ...served, accountId: spare, why: "spill", move, skips, skipCount: 3 };
  expect(told([spilled], { conversation: null, strategy: "session" })).toEqual([
    "The strategy was session; the request belongs to no known conversation.",
    "Passed over main: the provider limits this account until a stated time, until 2026-11-23T20:10:00.000Z (status 429, retry-after).",
    "Passed over 2 further accounts.",
    "Sent to spare: the home could not serve it; the next request goes home again.",
    "It was away for this request from main, which is back at 2026-11-23T20:10:00.000Z, to another organization, which loses the cache and earlier thinking; writing its cache again costs about $0.35.",
    "spare answered with status 200.",
  ]);
});

test("tells of a refusal, and of steps that were not kept", () => {
  const refused: DecisionStep = {
    kind: "refused",
    code: "GW_ALL_LIMITED",
    skips: [],
    skipCount: 1,
    untilMs: at(3_600),
  };
  expect(told([served, refused], { droppedSteps: 1 }).slice(3)).toEqual([
    "1 further step here was not kept.",
    "Passed over 1 further account.",
    "Refused with GW_ALL_LIMITED. The first account is back at 2026-11-23T21:00:00.000Z.",
  ]);
});

test("tells that the budget for extra requests was spent", () => {
  const refused: DecisionStep = { kind: "refused", code: "retry_budget", skips: [], skipCount: 0, untilMs: null };
  expect(told([served, refused]).at(-1)).toBe(
    "No other account was tried: the gateway's budget for extra requests is spent (retry.budgetRatio).",
  );
});

test.each([
  [0, "$0.00"],
  [900, "$0.0009"],
  [10_000, "$0.01"],
  [1_234_567, "$1.23"],
])("%i micro-dollars are %s", (priceMicroUsd, expected) => {
  const moved: Tried = {
    ...served,
    why: "home_moved",
    move: { ...move, priceMicroUsd, setsHome: true, homeReturnsAtMs: null },
  };
  expect(told([moved])).toContain(
    `It moved from main, to another organization, which loses the cache and earlier thinking; writing its cache again costs about ${expected}.`,
  );
});

test("every sentence begins with a capital or a name and ends with a full stop", () => {
  fc.assert(
    fc.property(
      fc.constantFrom<Tried["why"]>("home", "new_home", "probe", "last_origin", "retry", "strategy"),
      (why) => {
        for (const sentence of told([{ ...served, why }])) {
          expect(sentence).toMatch(/^([A-Z]|main).*[^.]\.$/);
        }
      },
    ),
  );
});
