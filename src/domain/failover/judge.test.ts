import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { durationMs, type EpochMs, epochMs } from "../../kernel/time.ts";
import { type Account, accountId, limitGroupOf } from "../account/account.ts";
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

  test("a credential that is refused raises an event, whichever answer showed it", () => {
    const pool = applyPoolEvents(emptyPool, judge(answer(403), context).learn);
    const second = { ...context, pool, model: "claude-haiku-4-5", modelClass: modelClassOf("claude-haiku-4-5") };
    for (const verdict of [judge(answer(401), context), judge(answer(403), second)]) {
      expect(verdict.learn.at(-1)).toMatchObject({ type: "credential_refused", reason: "credential_dead" });
    }
    expect(judge(answer(403), { ...context, pool }).learn.map(({ type }) => type)).toEqual(["refused", "forbidden"]);
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

describe("an account of unknown organization", () => {
  const org = { "anthropic-organization-id": "org-1" };

  test.each([200, 400, 401, 403, 404, 429, 500, 529])("learns it from an answer %s", (status) => {
    expect(judge(answer(status, { headers: org }), context).learn.at(-1)).toEqual({
      type: "organization_learned",
      accountId: key.id,
      from: limitGroupOf(key),
      to: limitGroupOf({ id: key.id, organization: "org-1" }),
      organization: "org-1",
    });
  });

  test("takes what was learned just now along", () => {
    const { learn } = judge(answer(429, { headers: { ...org, "retry-after": "60" } }), context);
    const pool = applyPoolEvents(emptyPool, learn);
    const named = { ...key, organization: "org-1" };
    expect(availability(pool, named, MODEL, opus, at(59)).usable).toBe(false);
    expect(availability(pool, key, MODEL, opus, at(59)).usable).toBe(true);
  });

  test("learns nothing when none is named, and nothing new when it is known", () => {
    const known = { ...context, account: { ...key, organization: "declared" } };
    for (const verdict of [judge(answer(200), context), judge(answer(200, { headers: org }), known)]) {
      expect(verdict.learn.map(({ type }) => type)).toEqual(["served"]);
    }
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

describe("a 401 of a login that was renewed", () => {
  test("is asked again at once with the new token, and holds nothing against the account", () => {
    const verdict = judge(answer(401), { ...context, renewal: "renewed" });
    expect(verdict).toMatchObject({ action: "retry_same", reason: "login_renewed", delayMs: 0 });
    expect(verdict.learn.map(({ type }) => type)).toEqual(["refused"]);
  });

  test("and was not, because its token endpoint is silent: the account rests for 10 s", () => {
    const verdict = judge(answer(401), { ...context, renewal: "later" });
    expect(verdict).toMatchObject({ action: "next", reason: "login_pending" });
    expect(verdict.learn[1]).toMatchObject({ type: "parked", untilMs: context.nowMs + 10_000 });
  });
});
