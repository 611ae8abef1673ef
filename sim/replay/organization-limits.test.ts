import { describe, expect, test } from "bun:test";
import { modelClassOf } from "../../src/domain/account/model-class.ts";
import { makePlan, START_MS } from "./make-pool.ts";
import { createOrganizationLimits, type Need } from "./organization-limits.ts";
import { at } from "./scene-for-tests.ts";
import type { Organization } from "./trace.ts";

const opus = modelClassOf("claude-opus-4-5");
const haiku = modelClassOf("claude-haiku-4-5");
const HOUR_MS = 3_600_000;

const withBuckets: Organization = {
  id: "org",
  baseUrl: "https://api.anthropic.com",
  buckets: { opus: { requestsPerMinute: 60, inputTokensPerMinute: 60_000, outputTokensPerMinute: 6_000 } },
  plan: null,
};
const withPlan: Organization = {
  ...withBuckets,
  buckets: {},
  plan: makePlan({ fiveHourUsd: 10, sevenDayUsd: 20, resetsAfterHours: 1, weekEndsAfterHours: 168 }),
};

function need(changes: Partial<Need> = {}): Need {
  return { modelClass: opus, inputTokens: 0, maxTokens: 0, outputTokens: 0, planMicroUsd: 0, ...changes };
}

describe("token buckets", () => {
  test.each([
    { what: { inputTokens: 60_000 }, next: { inputTokens: 1_000 }, waitMs: 1_000, why: "input is used up" },
    { what: { maxTokens: 6_000 }, next: { maxTokens: 100 }, waitMs: 1_000, why: "max_tokens holds the output back" },
    { what: { inputTokens: 30_000 }, next: { inputTokens: 30_000 }, waitMs: 0, why: "both fit" },
    { what: { inputTokens: 60_000 }, next: { inputTokens: 1, modelClass: haiku }, waitMs: 0, why: "another class" },
  ])("wait $waitMs ms when $why", ({ what, next, waitMs }) => {
    const limits = createOrganizationLimits(withBuckets, START_MS);
    expect(limits.take(need(what), START_MS)).toEqual({ kind: "granted" });
    const grant = limits.take(need(next), START_MS);
    expect(grant).toEqual(waitMs === 0 ? { kind: "granted" } : { kind: "bucket", waitMs });
  });

  test("get back at the end what max_tokens held, save what was written", () => {
    const limits = createOrganizationLimits(withBuckets, START_MS);
    const held = need({ maxTokens: 6_000, outputTokens: 500 });
    limits.take(held, START_MS);
    limits.finish(held, START_MS);
    const output = limits.facts(opus, null, at(0)).windows.find(({ name }) => name === "output-tokens");
    expect(output?.remaining).toBe(6_000 - 1_000 + 1_000);
    expect(limits.take(need({ maxTokens: 5_500 }), START_MS)).toEqual({ kind: "granted" });
    expect(limits.take(need({ maxTokens: 1 }), START_MS).kind).toBe("bucket");
  });

  test("say in whole seconds when to come again, and what is left, tokens to the thousand", () => {
    const limits = createOrganizationLimits(withBuckets, START_MS);
    limits.take(need({ inputTokens: 58_600 }), START_MS);
    const refused = limits.take(need({ inputTokens: 2_000 }), START_MS);
    const facts = limits.facts(opus, refused, at(0));
    expect(facts.retryAtMs).toBe(at(1_000));
    expect(facts.organizationId).toBe("org");
    expect(facts.unified).toBeNull();
    expect(facts.windows.map(({ name, remaining }) => [name, remaining])).toEqual([
      ["requests", 59],
      ["input-tokens", 1_000],
      ["output-tokens", 6_000],
    ]);
  });
});

describe("plan windows", () => {
  test("refuse what does not fit until the reset, and say so as a hard status", () => {
    const limits = createOrganizationLimits(withPlan, START_MS);
    expect(limits.take(need({ planMicroUsd: 9_500_000 }), START_MS).kind).toBe("granted");
    expect(limits.facts(opus, null, at(0)).unified?.status).toBe("allowed_warning");
    const refused = limits.take(need({ planMicroUsd: 600_000 }), START_MS);
    expect(refused).toMatchObject({ kind: "plan", waitMs: HOUR_MS });
    const { unified, windows } = limits.facts(opus, refused, at(0));
    expect(unified).toMatchObject({ status: "rejected", resetAtMs: at(HOUR_MS), representativeClaim: "five_hour" });
    expect(windows.map(({ name, status, usedRatio }) => [name, status, usedRatio])).toEqual([
      ["5h", "rejected", 0.95],
      ["7d", "allowed", 0.475],
    ]);
    expect(limits.take(need({ planMicroUsd: 600_000 }), at(HOUR_MS)).kind).toBe("granted");
  });

  test("wait for the later of two full windows", () => {
    const limits = createOrganizationLimits(withPlan, START_MS);
    limits.take(need({ planMicroUsd: 10_000_000 }), START_MS);
    limits.take(need({ planMicroUsd: 10_000_000 }), at(2 * HOUR_MS));
    expect(limits.take(need({ planMicroUsd: 1 }), at(3 * HOUR_MS))).toMatchObject({ waitMs: 165 * HOUR_MS });
  });
});

test("growth is limited: 40 starts in 5 s, later three times the most of the last minute", () => {
  const limits = createOrganizationLimits({ ...withBuckets, buckets: {} }, START_MS);
  const startsUntilRefused = (nowMs: number) => {
    for (let count = 0; ; count += 1) {
      if (limits.take(need(), nowMs).kind === "acceleration") return count;
    }
  };
  expect(startsUntilRefused(START_MS)).toBe(40);
  expect(startsUntilRefused(START_MS + 5_000)).toBe(120);
  expect(startsUntilRefused(START_MS + 90_000)).toBe(40);
});
