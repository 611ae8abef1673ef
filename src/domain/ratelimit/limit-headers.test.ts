import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { epochMs } from "../../kernel/time.ts";
import { noLimitFacts } from "./limit-facts.ts";
import { readLimitFacts } from "./limit-headers.ts";

const now = epochMs(Date.parse("2026-11-23T20:00:00Z"));
const DAY_MS = 86_400_000;

function read(headers: Record<string, string>) {
  return readLimitFacts(Object.entries(headers), now);
}

test("says nothing, at no cost, when no header is about limits", () => {
  const facts = read({ date: "x", "content-type": "text/event-stream", age: "1", "x-robots-tag": "none", "": "" });
  expect(facts).toBe(noLimitFacts);
});

test("ignores names that only look alike", () => {
  const facts = read({ "access-cont-rol": "1", "x-should-retrx": "true", "retry-aftex": "5", "antxxopic-a": "1" });
  expect(facts).toEqual(noLimitFacts);
});

describe("retry-after", () => {
  test.each([
    ["0", 0],
    ["30", 30_000],
    ["51811", 51_811_000],
    ["1.5", 1_500],
    ["86400", DAY_MS],
    ["604800", 7 * DAY_MS],
    ["2678401", 31 * DAY_MS],
    ["1000000000", 31 * DAY_MS],
    ["9".repeat(400), 31 * DAY_MS],
    ["Mon, 23 Nov 2026 20:01:00 GMT", 60_000],
    ["Mon, 23 Nov 2099 20:01:00 GMT", 31 * DAY_MS],
    ["Mon, 23 Nov 2026 19:59:59 GMT", null],
    ["-5", null],
    ["1e9", null],
    ["NaN", null],
    ["soon", null],
    ["", null],
  ])("reads %p as %p ms from now", (value, expected) => {
    const { retryAtMs } = read({ "Retry-After": value });
    expect(retryAtMs === null ? null : retryAtMs - now).toBe(expected);
  });
});

test.each([
  ["true", true],
  ["false", false],
  ["yes", null],
])("reads x-should-retry: %s as %p", (value, expected) => {
  expect(read({ "X-Should-Retry": value }).shouldRetry).toBe(expected);
});

test("reads the organization, unless it is too long to be one", () => {
  expect(read({ "anthropic-organization-id": "0a1b-2c" }).organizationId).toBe("0a1b-2c");
  expect(read({ "anthropic-organization-id": "x".repeat(129) }).organizationId).toBeNull();
  expect(read({ "anthropic-organization-id": "" }).organizationId).toBeNull();
});

test("reads the windows of an API key, whatever the case of the names", () => {
  const facts = read({
    "Anthropic-RateLimit-Requests-Limit": "4000",
    "anthropic-ratelimit-requests-remaining": "3999",
    "anthropic-ratelimit-requests-reset": "2026-11-23T20:00:30Z",
    "anthropic-ratelimit-input-tokens-limit": "2000000",
    "anthropic-priority-input-tokens-remaining": "12",
    "anthropic-fast-output-tokens-limit": "77",
  });
  const unsaid = { isPlan: false, limit: null, remaining: null, usedRatio: null, status: null, resetAtMs: null };
  expect(facts.windows).toEqual([
    { ...unsaid, name: "requests", limit: 4000, remaining: 3999, resetAtMs: epochMs(now + 30_000) },
    { ...unsaid, name: "input-tokens", limit: 2_000_000 },
    { ...unsaid, name: "priority-input-tokens", remaining: 12 },
    { ...unsaid, name: "fast-output-tokens", limit: 77 },
  ]);
  expect(facts.unified).toBeNull();
});

test.each(["requests", "tokens", "input-tokens", "output-tokens"])("reads every header of the %s window", (name) => {
  for (const [prefix, shown] of [
    ["anthropic-ratelimit-", name],
    ["anthropic-priority-", `priority-${name}`],
    ["anthropic-fast-", `fast-${name}`],
  ] as const) {
    const { windows, others } = read({
      [`${prefix}${name}-limit`]: "1000",
      [`${prefix}${name}-remaining`]: "250",
      [`${prefix}${name}-reset`]: "2026-11-23T20:00:30.5Z",
    });
    const resetAtMs = epochMs(now + 30_500);
    const said = { limit: 1000, remaining: 250, resetAtMs, usedRatio: null, status: null };
    expect(windows).toEqual([{ name: shown, isPlan: false, ...said }]);
    expect(others).toEqual([]);
  }
});

test.each([
  ["0.30000000000000004", 0.30000000000000004],
  ["1", 1],
  ["0", 0],
  ["1e-05", 0.00001],
  ["0.5%", null],
])("reads the utilization %p as %p", (value, expected) => {
  expect(read({ "anthropic-ratelimit-unified-5h-utilization": value }).windows[0]?.usedRatio).toBe(expected);
});

test("reads a reset in epoch seconds with a fraction, rounded up: an earlier request would fail", () => {
  const value = `${now / 1000 + 60}.0005`;
  const { windows } = read({ "anthropic-ratelimit-unified-7d_opus-reset": value });
  expect(windows).toMatchObject([{ name: "7d_opus", isPlan: true, resetAtMs: now + 60_001 }]);
});

test("reads the windows of a plan", () => {
  const seconds = now / 1000;
  const facts = read({
    "anthropic-ratelimit-unified-status": "rejected",
    "anthropic-ratelimit-unified-reset": String(seconds + 3600),
    "anthropic-ratelimit-unified-representative-claim": "five_hour",
    "anthropic-ratelimit-unified-fallback": "available",
    "anthropic-ratelimit-unified-fallback-percentage": "0.5",
    "anthropic-ratelimit-unified-overage-status": "rejected",
    "anthropic-ratelimit-unified-overage-reset": String(seconds + 7200),
    "anthropic-ratelimit-unified-overage-disabled-reason": "out_of_credits",
    "anthropic-ratelimit-unified-overage-in-use": "false",
    "anthropic-ratelimit-unified-5h-utilization": "1.02",
    "anthropic-ratelimit-unified-5h-status": "rejected",
    "anthropic-ratelimit-unified-5h-reset": String(seconds + 3600),
    "anthropic-ratelimit-unified-7d_oi-utilization": "0.0",
    "anthropic-ratelimit-unified-7d-surpassed-threshold": "0.75",
  });
  const unsaid = { isPlan: true, limit: null, remaining: null, usedRatio: null, status: null, resetAtMs: null };
  expect(facts.unified).toEqual({
    status: "rejected",
    resetAtMs: epochMs(now + 3_600_000),
    representativeClaim: "five_hour",
    fallback: "available",
    fallbackRatio: 0.5,
    overageStatus: "rejected",
    overageResetAtMs: epochMs(now + 7_200_000),
    overageDisabledReason: "out_of_credits",
    isOverageInUse: false,
  });
  expect(facts.windows).toEqual([
    { ...unsaid, name: "5h", usedRatio: 1.02, status: "rejected", resetAtMs: epochMs(now + 3_600_000) },
    { ...unsaid, name: "7d_oi", usedRatio: 0 },
  ]);
  expect(facts.others).toEqual([["anthropic-ratelimit-unified-7d-surpassed-threshold", "0.75"]]);
});

test.each(["NaN", "-1", "soon", "", "99999999999", "1785736800000"])(
  "counts the reset %p, which no window can have, as not said",
  (value) => {
    expect(read({ "anthropic-ratelimit-unified-reset": value }).unified?.resetAtMs).toBeNull();
  },
);

test("keeps a reset that has passed: whoever reads it decides", () => {
  expect(Number(read({ "anthropic-ratelimit-unified-reset": "1000" }).unified?.resetAtMs)).toBe(1_000_000);
});

test.each(["-1", "1e3", "0x10", "", "Infinity", "9".repeat(30)])("counts the amount %p as not said", (value) => {
  expect(read({ "anthropic-ratelimit-requests-limit": value }).windows[0]?.limit).toBeNull();
});

test("keeps unknown headers of the provider, bounded", () => {
  expect(
    read({ "anthropic-new": "1", "anthropic-ratelimit-reset": "2", "anthropic-ratelimit-x-colour": "3" }).others,
  ).toEqual([
    ["anthropic-new", "1"],
    ["anthropic-ratelimit-reset", "2"],
    ["anthropic-ratelimit-x-colour", "3"],
  ]);
  const many = Array.from({ length: 40 }, (_, index): [string, string] => [`anthropic-x-${index}`, "v".repeat(1000)]);
  const facts = readLimitFacts([[`anthropic-${"n".repeat(1000)}`, "1"], ...many], now);
  expect(facts.others).toHaveLength(16);
  expect(facts.others.every(([, value]) => value.length === 256)).toBe(true);
});

test("keeps at most 16 windows", () => {
  const many = Array.from({ length: 40 }, (_, index): [string, string] => [`anthropic-ratelimit-w${index}-limit`, "1"]);
  const longName: [string, string] = [`anthropic-ratelimit-${"n".repeat(300)}-limit`, "1"];
  expect(readLimitFacts([longName, ...many], now).windows).toHaveLength(16);
});

test("never throws and stays within its bounds, whatever the headers", () => {
  const name = fc.oneof(
    fc.string(),
    fc.constantFrom("retry-after", "x-should-retry", "anthropic-organization-id", "anthropic-ratelimit-unified-reset"),
    fc
      .tuple(
        fc.constantFrom("ratelimit", "ratelimit-unified", "fast"),
        fc.string(),
        fc.constantFrom("limit", "reset", "status"),
      )
      .map((parts) => `anthropic-${parts.join("-")}`),
  );
  const value = fc.oneof(
    fc.string(),
    fc.integer().map(String),
    fc.double().map(String),
    fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value), { maxLength: 60 }), (headers) => {
      const facts = readLimitFacts(headers, now);
      expect(facts.windows.length).toBeLessThanOrEqual(16);
      expect(facts.others.length).toBeLessThanOrEqual(16);
      expect(facts.retryAtMs ?? now).toBeGreaterThanOrEqual(now);
      expect(facts.retryAtMs ?? now).toBeLessThanOrEqual(now + 31 * DAY_MS);
      expect(readLimitFacts(headers, now)).toEqual(facts);
    }),
  );
});
