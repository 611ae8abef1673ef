import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { durationMs, type EpochMs, epochMs } from "../../kernel/time.ts";
import { type Account, accountId } from "../account/account.ts";
import { modelClassOf } from "../account/model-class.ts";
import { accountState, applyPoolEvents, availability, emptyPool } from "../pool/pool-state.ts";
import { readLimitFacts } from "../ratelimit/limit-headers.ts";
import { type JudgeContext, judge, type Verdict } from "./judge.ts";
import type { AttemptOutcome } from "./outcome.ts";

const T0 = Date.parse("2026-11-23T20:00:00Z");
const at = (seconds: number): EpochMs => epochMs(T0 + seconds * 1000);
const seconds = T0 / 1000;
const MODEL = "claude-opus-4-5-20251101";
const opus = modelClassOf(MODEL);
const HOUR = 3600;

const key: Account = {
  id: accountId("a"),
  name: "a",
  provider: "anthropic",
  baseUrl: "https://api.anthropic.com",
  credentialKind: "api_key",
  priority: 100,
  weight: 1,
  organization: null,
  workspace: null,
  isPaused: false,
  createdAtMs: epochMs(0),
  models: [],
};
const bearer: Account = { ...key, credentialKind: "bearer" };

const context: JudgeContext = {
  account: key,
  model: MODEL,
  modelClass: opus,
  pool: emptyPool,
  nowMs: at(0),
  random: 0.5,
  triedSameOrigin: 0,
  retry: { delayMs: durationMs(1000), backoff: 2, attempt: 0 },
};

type Said = { headers?: Record<string, string>; type?: string; message?: string };

function answer(status: number, said: Said = {}): AttemptOutcome {
  const limits = readLimitFacts(Object.entries(said.headers ?? {}), at(0));
  return { kind: "answer", status, limits, errorType: said.type ?? null, errorMessage: said.message ?? null };
}

type Failure = Extract<AttemptOutcome, { kind: "failure" }>["failure"];

function failure(kind: Failure, wasSent = true): AttemptOutcome {
  return { kind: "failure", failure: kind, wasSent };
}

/** The account as the pool sees it after learning: "ready", "soft", or the reason and the seconds until it is back. */
function afterwards(verdict: Verdict, who: Account = key, modelClass = opus, model: string | null = MODEL): string {
  const pool = applyPoolEvents(emptyPool, verdict.learn);
  const found = availability(pool, who, model, modelClass, at(0));
  if (found.usable) {
    return found.rank;
  }
  return found.untilMs === null ? found.reason : `${found.reason} ${(found.untilMs - T0) / 1000}`;
}

const unified = (status: string, resetSeconds?: number): Record<string, string> => ({
  "anthropic-ratelimit-unified-status": status,
  ...(resetSeconds === undefined ? {} : { "anthropic-ratelimit-unified-reset": String(seconds + resetSeconds) }),
});

const SPEND_DATED =
  "You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC.";
const SPEND_WORKSPACE = "You have reached your specified workspace API usage limits.";
const UNTIL_DECEMBER = (Date.parse("2026-12-01T00:00:00Z") - T0) / 1000;

type Row = {
  name: string;
  outcome: AttemptOutcome;
  context?: Partial<JudgeContext>;
  action: Verdict["action"];
  reason: Verdict["reason"];
  account: string;
};

// Longer than a page on purpose: this is the table of design.md section 6, row by row, and is read beside it.
describe.each<{ row: string; cases: readonly Row[] }>([
  {
    row: "429 with a reset or retry-after",
    cases: [
      {
        name: "retry-after",
        outcome: answer(429, { headers: { "retry-after": "37" } }),
        action: "next",
        reason: "rate_limited",
        account: "rate_limited 37",
      },
      {
        name: "reset",
        outcome: answer(429, { headers: { "anthropic-ratelimit-requests-reset": "2026-11-23T20:00:41Z" } }),
        action: "next",
        reason: "rate_limited",
        account: "rate_limited 41",
      },
      {
        name: "retry-after beyond the longest back-off",
        outcome: answer(429, { headers: { "retry-after": "51811" } }),
        action: "next",
        reason: "rate_limited",
        account: "rate_limited 51811",
      },
    ],
  },
  {
    row: "429 without any limit header",
    cases: [
      { name: "bare", outcome: answer(429), action: "next", reason: "throttled", account: "throttled 2" },
      {
        name: "only x-should-retry",
        outcome: answer(429, { headers: { "x-should-retry": "true" } }),
        action: "next",
        reason: "throttled",
        account: "throttled 2",
      },
      {
        name: "a burst within an allowed plan",
        outcome: answer(429, { headers: unified("allowed", 5 * HOUR) }),
        action: "next",
        reason: "throttled",
        account: "throttled 2",
      },
    ],
  },
  {
    row: "remaining low, allowed_warning",
    cases: [
      {
        name: "warning",
        outcome: answer(200, { headers: unified("allowed_warning", HOUR) }),
        action: "relay",
        reason: "served",
        account: "soft",
      },
      {
        name: "low",
        outcome: answer(200, {
          headers: { "anthropic-ratelimit-tokens-limit": "1000", "anthropic-ratelimit-tokens-remaining": "0" },
        }),
        action: "relay",
        reason: "served",
        account: "soft",
      },
      { name: "nothing said", outcome: answer(200), action: "relay", reason: "served", account: "ready" },
      {
        name: "an allowed plan",
        outcome: answer(200, { headers: unified("allowed", HOUR) }),
        action: "relay",
        reason: "served",
        account: "ready",
      },
    ],
  },
  {
    row: "hard unified status on a 429",
    cases: ["rejected", "rate_limited", "blocked", "queueing_hard", "payment_required"].map((status) => ({
      name: status,
      outcome: answer(429, { headers: { ...unified(status, 5 * HOUR), "retry-after": "60" } }),
      action: "next",
      reason: "plan_limit",
      account: `plan_limit ${5 * HOUR}`,
    })),
  },
  {
    row: "a hard status on a 200",
    cases: [
      {
        name: "with a reset",
        outcome: answer(200, { headers: unified("rejected", HOUR) }),
        action: "relay",
        reason: "served",
        account: `plan_limit ${HOUR}`,
      },
      {
        name: "with retry-after",
        outcome: answer(200, { headers: { ...unified("blocked"), "retry-after": "9" } }),
        action: "relay",
        reason: "served",
        account: "plan_limit 9",
      },
      {
        name: "without a time",
        outcome: answer(200, { headers: unified("blocked") }),
        action: "relay",
        reason: "served",
        account: "throttled 2",
      },
    ],
  },
  {
    row: "529, 5xx, connect error, timeout: not the account's fault, once more in place",
    cases: [
      { name: "529", outcome: answer(529), action: "retry_same", reason: "overloaded", account: "ready" },
      ...[500, 501, 502, 503, 504].map(
        (status): Row => ({
          name: String(status),
          outcome: answer(status),
          action: "retry_same",
          reason: "upstream_error",
          account: "ready",
        }),
      ),
      {
        name: "connect",
        outcome: failure("connect"),
        action: "retry_same",
        reason: "connect_failed",
        account: "ready",
      },
      { name: "reset", outcome: failure("reset"), action: "retry_same", reason: "connection_reset", account: "ready" },
      ...(["connect_timeout", "headers_timeout", "idle_timeout", "total_timeout"] as const).map(
        (kind): Row => ({ name: kind, outcome: failure(kind), action: "retry_same", reason: kind, account: "ready" }),
      ),
    ],
  },
  {
    row: "529, 5xx, connect error, timeout: then another account",
    cases: [
      {
        name: "529 again",
        outcome: answer(529),
        context: { triedSameOrigin: 1 },
        action: "next",
        reason: "overloaded",
        account: "ready",
      },
      {
        name: "connect again",
        outcome: failure("connect", false),
        context: { triedSameOrigin: 1 },
        action: "next",
        reason: "connect_failed",
        account: "ready",
      },
      {
        name: "529 that asks not to retry",
        outcome: answer(529, { headers: { "x-should-retry": "false" } }),
        action: "next",
        reason: "overloaded",
        account: "ready",
      },
      {
        name: "503 that asks for a long wait",
        outcome: answer(503, { headers: { "retry-after": "11" } }),
        action: "next",
        reason: "upstream_error",
        account: "ready",
      },
    ],
  },
  {
    row: "401",
    cases: [
      { name: "key", outcome: answer(401), action: "next", reason: "credential_dead", account: "credential_dead" },
      {
        name: "bearer",
        outcome: answer(401),
        context: { account: bearer },
        action: "next",
        reason: "needs_reauth",
        account: "needs_reauth",
      },
    ],
  },
  {
    row: "403",
    cases: [{ name: "one class", outcome: answer(403), action: "next", reason: "forbidden", account: "forbidden 600" }],
  },
  {
    row: "402, or a spend limit with a date",
    cases: [
      {
        name: "402",
        outcome: answer(402, { type: "billing_error" }),
        action: "next",
        reason: "payment_required",
        account: `payment_required ${HOUR}`,
      },
      {
        name: "402 with retry-after",
        outcome: answer(402, { headers: { "retry-after": "7200" } }),
        action: "next",
        reason: "payment_required",
        account: `payment_required ${2 * HOUR}`,
      },
      {
        name: "400 with a date",
        outcome: answer(400, { type: "invalid_request_error", message: SPEND_DATED }),
        action: "next",
        reason: "spend_limit",
        account: `spend_limit ${UNTIL_DECEMBER}`,
      },
      {
        name: "400 without a date, although token buckets have resets",
        outcome: answer(400, {
          message: SPEND_WORKSPACE,
          headers: { "anthropic-ratelimit-tokens-reset": "2026-11-23T20:00:01Z" },
        }),
        action: "next",
        reason: "spend_limit",
        account: `spend_limit ${HOUR}`,
      },
      {
        name: "400 with a date that has passed",
        outcome: answer(400, { message: `${SPEND_WORKSPACE} You will regain access on 2025-06-01 at 00:00 UTC.` }),
        action: "next",
        reason: "spend_limit",
        account: `spend_limit ${HOUR}`,
      },
      {
        name: "400 for an empty balance",
        outcome: answer(400, { message: "Your credit balance is too low to access the Anthropic API." }),
        action: "next",
        reason: "spend_limit",
        account: `spend_limit ${HOUR}`,
      },
      {
        name: "429 in a Claude Code workspace",
        outcome: answer(429, { type: "rate_limit_error", message: SPEND_DATED }),
        action: "next",
        reason: "spend_limit",
        account: `spend_limit ${UNTIL_DECEMBER}`,
      },
      {
        name: "403 of type billing_error",
        outcome: answer(403, { type: "billing_error" }),
        action: "next",
        reason: "spend_limit",
        account: `spend_limit ${HOUR}`,
      },
    ],
  },
  {
    row: "404 for a model",
    cases: [
      {
        name: "not_found_error",
        outcome: answer(404, { type: "not_found_error", message: `model: ${MODEL}` }),
        action: "next",
        reason: "model_missing",
        account: `model_missing ${HOUR}`,
      },
      {
        name: "of a route",
        outcome: answer(404, { type: "not_found_error" }),
        context: { model: null },
        action: "relay",
        reason: "client_error",
        account: "ready",
      },
      {
        name: "not in the API's shape",
        outcome: answer(404),
        action: "relay",
        reason: "client_error",
        account: "ready",
      },
    ],
  },
  {
    row: "other 400, 409, 413: the client's own",
    cases: [400, 405, 408, 409, 413, 422, 451].map((status) => ({
      name: String(status),
      outcome: answer(status, { type: "invalid_request_error", message: "prompt is too long: 210000 tokens" }),
      action: "relay",
      reason: "client_error",
      account: "ready",
    })),
  },
  {
    row: "what no API call may answer",
    cases: [
      ...[100, 101, 199, 301, 307, 399, 600, 999].map(
        (status): Row => ({
          name: String(status),
          outcome: answer(status),
          action: "next",
          reason: "unexpected_status",
          account: "ready",
        }),
      ),
      {
        name: "protocol",
        outcome: failure("protocol"),
        action: "next",
        reason: "protocol_violation",
        account: "ready",
      },
      {
        name: "address refused",
        outcome: failure("address_refused", false),
        action: "next",
        reason: "address_refused",
        account: "address_refused 300",
      },
    ],
  },
])("$row", ({ cases }) => {
  test.each([...cases])("$name: $action, the account is $account", (row) => {
    const verdict = judge(row.outcome, { ...context, ...row.context });
    expect({ action: verdict.action, reason: verdict.reason }).toEqual({ action: row.action, reason: row.reason });
    expect(afterwards(verdict)).toBe(row.account);
    expect(verdict.delayMs === 0).toBe(row.action !== "retry_same");
  });
});

test("200 whose first event is an error is judged as the status that it names", () => {
  const verdict = judge(answer(529, { type: "overloaded_error", message: "Overloaded" }), context);
  expect(verdict).toMatchObject({ action: "retry_same", reason: "overloaded" });
});

test("a failure that no upstream client reports is a bug and says so", () => {
  const unknown = { kind: "failure", failure: "boredom", wasSent: false } as unknown as AttemptOutcome;
  expect(() => judge(unknown, context)).toThrow("no branch knows it");
});

describe("what is benched", () => {
  test("another model class stays usable after a 429 and a 403", () => {
    const haiku = modelClassOf("claude-haiku-4-5");
    for (const outcome of [answer(429, { headers: { "retry-after": "60" } }), answer(429), answer(403)]) {
      expect(afterwards(judge(outcome, context), key, haiku, "claude-haiku-4-5")).toBe("ready");
    }
  });

  test("another model of the class stays usable after a 404 for one", () => {
    const verdict = judge(answer(404, { type: "not_found_error" }), context);
    expect(afterwards(verdict, key, opus, "claude-opus-4-1")).toBe("ready");
  });

  test("403 for a second model class is about the credential", () => {
    const second = { model: "claude-haiku-4-5", modelClass: modelClassOf("claude-haiku-4-5") };
    const learn = [...judge(answer(403), context).learn, ...judge(answer(403), { ...context, ...second }).learn];
    expect(accountState(applyPoolEvents(emptyPool, learn), key, at(0))).toBe("dead");
  });

  test("no number of overloads lowers the account, only its upstream rests", () => {
    const learn = Array.from({ length: 50 }, () => judge(answer(529), context).learn).flat();
    const pool = applyPoolEvents(emptyPool, learn);
    expect(accountState(pool, key, at(0))).toBe("ready");
    expect(availability(pool, key, MODEL, opus, at(0))).toMatchObject({ reason: "origin_circuit_open" });
    const elsewhere = { ...key, baseUrl: "https://elsewhere.example" };
    expect(availability(pool, elsewhere, MODEL, opus, at(0)).usable).toBe(true);
  });

  test("a 429 with a reset lasts until exactly then, whatever came before", () => {
    const before = fc.array(fc.constantFrom(answer(429), answer(200), answer(529), answer(400)), { maxLength: 10 });
    fc.assert(
      fc.property(before, fc.integer({ min: 61, max: 30 * 86_400 }), fc.boolean(), (outcomes, wait, isPlan) => {
        const headers = isPlan
          ? unified("rejected", wait)
          : { "anthropic-ratelimit-requests-reset": new Date(at(wait)).toISOString() };
        const learn = [...outcomes, answer(429, { headers })].flatMap((outcome) => judge(outcome, context).learn);
        const pool = applyPoolEvents(emptyPool, learn);
        expect(availability(pool, key, MODEL, opus, epochMs(at(wait) - 1)).usable).toBe(false);
        expect(availability(pool, key, MODEL, opus, at(wait)).usable).toBe(true);
      }),
    );
  });
});

describe("the wait before the retry in place", () => {
  test.each([
    { random: 0, attempt: 0, expected: 500 },
    { random: 1, attempt: 0, expected: 1000 },
    { random: 0.5, attempt: 2, expected: 3000 },
    { random: 1, attempt: 9, expected: 10_000 },
  ])("is $expected ms for random $random at attempt $attempt", ({ random, attempt, expected }) => {
    const verdict = judge(answer(529), { ...context, random, retry: { ...context.retry, attempt } });
    expect(Number(verdict.delayMs)).toBe(expected);
  });

  test("is not shorter than a retry-after of a few seconds", () => {
    expect(Number(judge(answer(503, { headers: { "retry-after": "4" } }), context).delayMs)).toBe(4000);
  });
});

test("whatever the outcome: a verdict, the same again, and never a failover of the client's own error", () => {
  const headers = fc.dictionary(
    fc.constantFrom(
      "retry-after",
      "x-should-retry",
      "anthropic-ratelimit-unified-status",
      "anthropic-ratelimit-unified-reset",
      "anthropic-ratelimit-tokens-reset",
    ),
    fc.oneof(fc.nat().map(String), fc.constantFrom("rejected", "allowed", "true", "false", "x")),
  );
  const answers = fc
    .tuple(fc.integer({ min: 0, max: 1000 }), headers, fc.option(fc.string()), fc.constantFrom("billing_error", "x"))
    .map(([status, said, message, type]) => answer(status, { headers: said, message: message ?? "", type }));
  fc.assert(
    fc.property(answers, fc.double({ min: 0, max: 1, noNaN: true }), fc.nat({ max: 3 }), (outcome, random, tried) => {
      const verdict = judge(outcome, { ...context, random, triedSameOrigin: tried });
      expect(judge(outcome, { ...context, random, triedSameOrigin: tried })).toEqual(verdict);
      expect(verdict.action === "retry_same" && tried > 0).toBe(false);
      expect(Number(verdict.delayMs)).toBeLessThanOrEqual(10_000);
      if (outcome.kind === "answer" && [409, 413, 422].includes(outcome.status)) {
        expect(verdict.action).toBe("relay");
      }
      applyPoolEvents(emptyPool, verdict.learn);
    }),
  );
});
