import { expect, test } from "bun:test";
import { createRateLimiter, modelClass, unifiedHeaders } from "./rate-limit.ts";

const START_MS = Date.UTC(2026, 10, 23, 12, 0, 0);
const small = { model: "claude-sonnet-5-5", inputTokens: 10, outputTokens: 10 };

function limiterAt(limits: Parameters<typeof createRateLimiter>[0]) {
  const clock = { nowMs: START_MS };
  return { clock, limiter: createRateLimiter(limits, () => clock.nowMs) };
}

test("refuses the request after the last one and says when the next may come", () => {
  const { clock, limiter } = limiterAt({ requests: 2 });
  expect(limiter.take(small).granted).toBe(true);
  expect(limiter.take(small).granted).toBe(true);
  expect(limiter.take(small)).toMatchObject({
    granted: false,
    retryAfterSeconds: 30,
    exhausted: "2 requests per minute",
  });
  clock.nowMs += 29_000;
  expect(limiter.take(small)).toMatchObject({ granted: false, retryAfterSeconds: 1 });
  clock.nowMs += 1_000;
  expect(limiter.take(small).granted).toBe(true);
});

test("keeps one set of buckets per model class", () => {
  const { limiter } = limiterAt({ requests: 1 });
  expect(limiter.take({ ...small, model: "claude-opus-5-5" }).granted).toBe(true);
  expect(limiter.take({ ...small, model: "claude-opus-4-5-20251101" }).granted).toBe(false);
  expect(limiter.take(small).granted).toBe(true);
});

test("takes max_tokens first and gives back what was not used", () => {
  const { limiter } = limiterAt({ outputTokens: 1000 });
  const grant = limiter.take({ ...small, outputTokens: 900 });
  expect(limiter.take({ ...small, outputTokens: 500 }).granted).toBe(false);
  if (grant.granted) grant.settle(100);
  expect(limiter.take({ ...small, outputTokens: 500 }).granted).toBe(true);
});

test("lets a request that exceeds a full bucket through once, as it could never pass otherwise", () => {
  const { limiter } = limiterAt({ inputTokens: 1000 });
  expect(limiter.take({ ...small, inputTokens: 5000 }).granted).toBe(true);
  expect(limiter.take(small)).toMatchObject({ granted: false });
});

test("tells limits in the API's headers: thousands of tokens, RFC 3339 resets, the tightest as tokens", () => {
  const { limiter } = limiterAt({ requests: 50, inputTokens: 40_000, outputTokens: 8_000 });
  limiter.take({ ...small, inputTokens: 10_400, outputTokens: 6_000 });
  expect(Object.fromEntries(limiter.headers(small.model))).toEqual({
    "anthropic-ratelimit-requests-limit": "50",
    "anthropic-ratelimit-requests-remaining": "49",
    "anthropic-ratelimit-requests-reset": "2026-11-23T12:00:02Z",
    "anthropic-ratelimit-input-tokens-limit": "40000",
    "anthropic-ratelimit-input-tokens-remaining": "30000",
    "anthropic-ratelimit-input-tokens-reset": "2026-11-23T12:00:16Z",
    "anthropic-ratelimit-output-tokens-limit": "8000",
    "anthropic-ratelimit-output-tokens-remaining": "2000",
    "anthropic-ratelimit-output-tokens-reset": "2026-11-23T12:00:45Z",
    "anthropic-ratelimit-tokens-limit": "8000",
    "anthropic-ratelimit-tokens-remaining": "2000",
    "anthropic-ratelimit-tokens-reset": "2026-11-23T12:00:45Z",
  });
});

test("tells plan windows as fractions and epoch seconds", () => {
  const headers = unifiedHeaders({
    status: "allowed_warning",
    fiveHour: { utilizationRatio: 0.83, resetSeconds: 1_795_000_000, status: "allowed_warning" },
    sevenDay: { utilizationRatio: 0.2, resetSeconds: 1_795_500_000 },
    representativeClaim: "five_hour",
  });
  expect(Object.fromEntries(headers)).toEqual({
    "anthropic-ratelimit-unified-status": "allowed_warning",
    "anthropic-ratelimit-unified-reset": "1795000000",
    "anthropic-ratelimit-unified-5h-status": "allowed_warning",
    "anthropic-ratelimit-unified-5h-utilization": "0.83",
    "anthropic-ratelimit-unified-5h-reset": "1795000000",
    "anthropic-ratelimit-unified-7d-status": "allowed",
    "anthropic-ratelimit-unified-7d-utilization": "0.2",
    "anthropic-ratelimit-unified-7d-reset": "1795500000",
    "anthropic-ratelimit-unified-representative-claim": "five_hour",
  });
});

test.each([
  ["claude-opus-4-5-20251101", "opus"],
  ["claude-3-5-sonnet-20241022", "sonnet"],
  ["claude-fable-5-2", "fable"],
  ["my-model", "my-model"],
])("puts %s into the class %s", (model, expected) => expect(modelClass(model)).toBe(expected));
