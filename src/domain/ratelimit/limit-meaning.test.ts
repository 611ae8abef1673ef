import { describe, expect, test } from "bun:test";
import { type EpochMs, epochMs } from "../../kernel/time.ts";
import { modelClassOf } from "../account/model-class.ts";
import { readLimitFacts } from "./limit-headers.ts";
import {
  hardReset,
  hardScope,
  isHardStatus,
  limitedUntil,
  otherHardReset,
  planSoftUntil,
  type Stated,
  softUntil,
} from "./limit-meaning.ts";

const now = epochMs(Date.parse("2026-11-23T20:00:00Z"));
const seconds = now / 1000;

function facts(headers: Record<string, string>) {
  return readLimitFacts(
    Object.entries(headers).map(([name, value]) => [
      name.startsWith("5h") || name.startsWith("7d") || name.startsWith("u-")
        ? `anthropic-ratelimit-unified-${name.replace("u-", "")}`
        : name,
      value,
    ]),
    now,
  );
}

function fromNow(instant: EpochMs | null): number | null {
  return instant === null ? null : (instant - now) / 1000;
}

/** "300 retry-after": the seconds from now, and the header that said so. */
function told(stated: Stated | null): string | null {
  return stated === null ? null : `${fromNow(stated.untilMs)} ${stated.by}`;
}

test.each(["rejected", "rate_limited", "blocked", "queueing_hard", "payment_required"])("%s is hard", (status) => {
  expect(isHardStatus(status)).toBe(true);
});

test.each(["allowed", "allowed_warning", "queueing_soft", "new_word", "", null, undefined])(
  "%p is not hard",
  (status) => {
    expect(isHardStatus(status)).toBe(false);
  },
);

describe("a limit lasts until", () => {
  test.each([
    { says: "nothing", headers: {}, expected: null },
    { says: "retry-after", headers: { "retry-after": "17" }, expected: "17 retry-after" },
    { says: "retry-after 0", headers: { "retry-after": "0" }, expected: "0 retry-after" },
    {
      says: "a hard plan status: its reset, not retry-after",
      headers: { "u-status": "rejected", "u-reset": `${seconds + 9000}`, "retry-after": "5" },
      expected: "9000 anthropic-ratelimit-unified-reset",
    },
    {
      says: "a hard plan status with a reset that has passed: retry-after",
      headers: { "u-status": "rejected", "u-reset": `${seconds - 10}`, "retry-after": "5" },
      expected: "5 retry-after",
    },
    {
      says: "a hard plan status without summary reset: the last of the hard windows",
      headers: {
        "u-status": "rejected",
        "5h-status": "rejected",
        "5h-reset": `${seconds + 100}`,
        "7d-status": "rejected",
        "7d-reset": `${seconds + 700}`,
        "7d_oi-status": "allowed",
        "7d_oi-reset": `${seconds + 900}`,
        "5h_oi-status": "blocked",
        "5h_oi-reset": `${seconds - 5}`,
      },
      expected: "700 anthropic-ratelimit-unified-7d-reset",
    },
    {
      says: "a plan reset without status",
      headers: { "u-reset": `${seconds + 60}` },
      expected: "60 anthropic-ratelimit-unified-reset",
    },
    {
      says: "a burst within an allowed plan: nothing",
      headers: { "u-status": "allowed", "u-reset": `${seconds + 9000}` },
      expected: null,
    },
    {
      says: "one reset",
      headers: { "anthropic-ratelimit-requests-reset": "2026-11-23T20:00:42Z" },
      expected: "42 anthropic-ratelimit-requests-reset",
    },
    {
      says: "retry-after before resets, which name full replenishment",
      headers: { "retry-after": "3", "anthropic-ratelimit-requests-reset": "2026-11-23T20:00:42Z" },
      expected: "3 retry-after",
    },
    {
      says: "the reset of the window that is nearest to exhaustion",
      headers: {
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": "49",
        "anthropic-ratelimit-requests-reset": "2026-11-23T20:00:01Z",
        "anthropic-ratelimit-tokens-limit": "1000",
        "anthropic-ratelimit-tokens-remaining": "0",
        "anthropic-ratelimit-tokens-reset": "2026-11-23T20:00:30Z",
        "anthropic-ratelimit-input-tokens-limit": "1000",
        "anthropic-ratelimit-input-tokens-remaining": "0",
        "anthropic-ratelimit-input-tokens-reset": "2026-11-23T20:00:50Z",
        "anthropic-ratelimit-output-tokens-remaining": "0",
        "anthropic-ratelimit-output-tokens-limit": "0",
        "anthropic-ratelimit-output-tokens-reset": "2026-11-23T20:00:20Z",
        "anthropic-priority-input-tokens-remaining": "0",
        "anthropic-priority-input-tokens-reset": "2026-11-23T20:00:59Z",
      },
      expected: "50 anthropic-ratelimit-input-tokens-reset",
    },
    {
      says: "the reset of a fast-mode pool that is empty",
      headers: {
        "anthropic-fast-input-tokens-limit": "10",
        "anthropic-fast-input-tokens-remaining": "0",
        "anthropic-fast-input-tokens-reset": "2026-11-23T20:00:07Z",
      },
      expected: "7 anthropic-fast-input-tokens-reset",
    },
    {
      says: "the hard window of the scope that the claim names, not of one that concerns less",
      headers: {
        "u-status": "rejected",
        "u-representative-claim": "five_hour",
        "5h-status": "rejected",
        "5h-reset": `${seconds + 100}`,
        "7d_opus-status": "rejected",
        "7d_opus-reset": `${seconds + 700}`,
      },
      expected: "100 anthropic-ratelimit-unified-5h-reset",
    },
    {
      says: "any hard window when none is of that scope",
      headers: {
        "u-status": "rejected",
        "u-representative-claim": "overage",
        "5h-status": "rejected",
        "5h-reset": `${seconds + 100}`,
      },
      expected: "100 anthropic-ratelimit-unified-5h-reset",
    },
    {
      says: "no reset that has passed",
      headers: { "anthropic-ratelimit-requests-reset": "2026-11-23T19:59:59Z" },
      expected: null,
    },
  ])("$says", ({ headers, expected }) => {
    expect(told(limitedUntil(facts({ ...headers }), now))).toBe(expected);
  });
});

test("has no hard reset without a hard status", () => {
  expect(hardReset(facts({ "u-status": "allowed", "u-reset": `${seconds + 5}` }), now)).toBeNull();
  expect(hardReset(facts({ "u-status": "blocked" }), now)).toBeNull();
});

describe("a hard unified status benches", () => {
  test.each([
    { claim: "five_hour", expected: "group" },
    { claim: "seven_day", expected: "group" },
    { claim: "seven_day_opus", expected: "class" },
    { claim: "seven_day_sonnet", expected: "class" },
    { claim: "a_new_word", expected: "class" },
  ])("the $expected when the claim is $claim", ({ claim, expected }) => {
    expect(hardScope(facts({ "u-status": "rejected", "u-representative-claim": claim }))).toBe(expected as "class");
  });

  test.each([
    { says: "the hard window is 5h", headers: { "5h-status": "rejected" }, expected: "group" },
    { says: "the hard window is 7d", headers: { "7d-status": "blocked" }, expected: "group" },
    { says: "only a class's window is hard", headers: { "5h-status": "allowed", "7d_opus-status": "rejected" } },
    { says: "no window is named", headers: {} },
  ])("what the windows say without a claim: $says", ({ headers, expected }) => {
    expect(hardScope(facts({ "u-status": "rejected", ...headers }))).toBe((expected ?? "class") as "class");
  });

  const opus = modelClassOf("claude-opus-4-5");
  const both = {
    "u-status": "rejected",
    "u-reset": `${seconds + 100}`,
    "5h-status": "rejected",
    "5h-reset": `${seconds + 100}`,
    "7d_opus-status": "rejected",
    "7d_opus-reset": `${seconds + 700}`,
  };

  test.each([
    { claim: "five_hour", modelClass: opus, expected: "700 anthropic-ratelimit-unified-7d_opus-reset" },
    { claim: "five_hour", modelClass: modelClassOf("claude-haiku-4-5"), expected: null },
    { claim: "seven_day_opus", modelClass: opus, expected: "100 anthropic-ratelimit-unified-5h-reset" },
  ])("the other scope too when a window of it is used up as well ($claim, $modelClass)", (row) => {
    const limits = facts({ ...both, "u-representative-claim": row.claim });
    expect(told(otherHardReset(limits, row.modelClass, now))).toBe(row.expected);
  });
});

test.each([
  { claim: "five_hour", ofClass: null, ofPlan: 90 },
  { claim: "seven_day_opus", ofClass: 90, ofPlan: null },
])("a warning about $claim ranks behind whom it concerns", ({ claim, ofClass, ofPlan }) => {
  const limits = facts({
    "u-status": "allowed_warning",
    "u-reset": `${seconds + 90}`,
    "u-representative-claim": claim,
  });
  expect(fromNow(softUntil(limits, now))).toBe(ofClass);
  expect(fromNow(planSoftUntil(limits, now))).toBe(ofPlan);
});

describe("an account is soft", () => {
  test.each([
    { when: "never, without a sign", headers: {}, expected: null },
    {
      when: "while the plan warns",
      headers: { "u-status": "allowed_warning", "u-reset": `${seconds + 90}` },
      expected: 90,
    },
    { when: "for a minute when the warning has no reset", headers: { "u-status": "queueing_soft" }, expected: 60 },
    {
      when: "not for an allowed plan",
      headers: { "u-status": "allowed", "u-reset": `${seconds + 90}` },
      expected: null,
    },
    {
      when: "until the last low window resets",
      headers: {
        "u-status": "allowed_warning",
        "u-reset": `${seconds + 9}`,
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": "5",
        "anthropic-ratelimit-requests-reset": "2026-11-23T20:00:12Z",
        "anthropic-ratelimit-tokens-limit": "50",
        "anthropic-ratelimit-tokens-remaining": "0",
        "anthropic-ratelimit-tokens-reset": "2026-11-23T20:00:11Z",
      },
      expected: 12,
    },
    {
      when: "for a minute when a low window has no reset",
      headers: { "anthropic-ratelimit-requests-limit": "50", "anthropic-ratelimit-requests-remaining": "1" },
      expected: 60,
    },
    {
      when: "not for a window with room",
      headers: { "anthropic-ratelimit-requests-limit": "50", "anthropic-ratelimit-requests-remaining": "6" },
      expected: null,
    },
    {
      when: "not for the pools of other products",
      headers: {
        "anthropic-fast-input-tokens-limit": "50",
        "anthropic-fast-input-tokens-remaining": "0",
        "anthropic-priority-input-tokens-limit": "50",
        "anthropic-priority-input-tokens-remaining": "0",
      },
      expected: null,
    },
  ])("$when", ({ headers, expected }) => {
    expect(fromNow(softUntil(facts({ ...headers }), now))).toBe(expected);
  });
});
