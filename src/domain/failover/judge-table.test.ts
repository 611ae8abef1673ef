import { describe, expect, test } from "bun:test";
import { durationMs, type EpochMs, epochMs } from "../../kernel/time.ts";
import { type Account, accountId } from "../account/account.ts";
import { modelClassOf } from "../account/model-class.ts";
import { applyPoolEvents, availability, emptyPool } from "../pool/pool-state.ts";
import { readLimitFacts } from "../ratelimit/limit-headers.ts";
import { type JudgeContext, judge, type Verdict } from "./judge.ts";
import type { AttemptFailure, AttemptOutcome } from "./outcome.ts";

const T0 = Date.parse("2026-11-23T20:00:00Z");
const at = (seconds: number): EpochMs => epochMs(T0 + seconds * 1000);
const MODEL = "claude-opus-4-5-20251101";
const HAIKU = "claude-haiku-4-5";
const opus = modelClassOf(MODEL);
const haiku = modelClassOf(HAIKU);
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
const bearer: Partial<JudgeContext> = { account: { ...key, credentialKind: "bearer" } };
const again: Partial<JudgeContext> = { triedSameOrigin: 1 };

type Said = { headers?: Record<string, string>; type?: string; message?: string };

function answer(status: number, said: Said = {}): AttemptOutcome {
  const limits = readLimitFacts(Object.entries(said.headers ?? {}), at(0));
  return { kind: "answer", status, limits, errorType: said.type ?? null, errorMessage: said.message ?? null };
}

function failure(kind: AttemptFailure): AttemptOutcome {
  return { kind: "failure", failure: kind, wasSent: true };
}

/** `anthropic-ratelimit-unified-*`; seconds from now for the resets. */
function unified(status: string, headers: Record<string, string | number> = {}): Record<string, string> {
  const said = Object.entries({ status, ...headers }).map(([name, value]) => [
    `anthropic-ratelimit-unified-${name}`,
    String(typeof value === "number" ? T0 / 1000 + value : value),
  ]);
  return Object.fromEntries(said);
}

const SPEND = "You have reached your specified workspace API usage limits.";
const DATED = `${SPEND} You will regain access on 2026-12-01 at 00:00 UTC.`;
const UNTIL_DECEMBER = (Date.parse("2026-12-01T00:00:00Z") - T0) / 1000;
const BARE = "status 429 without a limit header";
const UNIFIED_RESET = "anthropic-ratelimit-unified-reset";
const WINDOW_RESET = { "anthropic-ratelimit-requests-reset": "2026-11-23T20:00:41Z" };
const LOW = { "anthropic-ratelimit-tokens-limit": "1000", "anthropic-ratelimit-tokens-remaining": "0" };
const FIVE_HOUR = { "representative-claim": "five_hour", reset: HOUR };
const OPUS_ONLY = { "representative-claim": "seven_day_opus", reset: HOUR };

/** What is done: "action reason", then how this class of the account stands, then how another class of it does. */
type Case = readonly [
  name: string,
  outcome: AttemptOutcome,
  done: `${Verdict["action"]} ${Verdict["reason"]}`,
  cause: string | null,
  stands: string,
  other?: string,
];
type Row = { readonly row: string; readonly given?: Partial<JudgeContext>; readonly cases: readonly Case[] };

function clientsOwn(status: number): Case {
  const outcome = answer(status, { type: "invalid_request_error", message: "prompt is too long: 210000 tokens" });
  return [String(status), outcome, "relay client_error", `status ${status}`, "ready"];
}

function fault(status: number): Case {
  return [String(status), answer(status), "retry_same upstream_error", `status ${status}`, "ready"];
}

function timeout(kind: "connect_timeout" | "headers_timeout" | "idle_timeout" | "total_timeout"): Case {
  return [kind, failure(kind), `retry_same ${kind}`, kind.replaceAll("_", " "), "ready"];
}

function impossible(status: number): Case {
  return [String(status), answer(status), "next unexpected_status", `status ${status}`, "ready"];
}

function hard(status: string): Case {
  const headers = { ...unified(status, { ...FIVE_HOUR, reset: 5 * HOUR }), "retry-after": "60" };
  const stands = `plan_limit ${5 * HOUR}`;
  return [status, answer(429, { headers }), "next plan_limit", `status 429, ${UNIFIED_RESET}`, stands, stands];
}

// Longer than a page on purpose: this is the table of design.md section 6, in its words, and is read beside it.
const TABLE: readonly Row[] = [
  {
    row: "1. 429 with a reset or retry-after: bench that (limit group, model class) until exactly then",
    cases: [
      [
        "retry-after",
        answer(429, { headers: { "retry-after": "37" } }),
        "next rate_limited",
        "status 429, retry-after",
        "rate_limited 37",
      ],
      [
        "retry-after of 6 days",
        answer(429, { headers: { "retry-after": "518110" } }),
        "next rate_limited",
        "status 429, retry-after",
        "rate_limited 518110",
      ],
      [
        "retry-after as a date",
        answer(429, { headers: { "retry-after": "Mon, 23 Nov 2026 20:01:00 GMT" } }),
        "next rate_limited",
        "status 429, retry-after",
        "rate_limited 60",
      ],
      [
        "reset",
        answer(429, { headers: WINDOW_RESET }),
        "next rate_limited",
        "status 429, anthropic-ratelimit-requests-reset",
        "rate_limited 41",
      ],
      [
        "both",
        answer(429, { headers: { ...WINDOW_RESET, "retry-after": "3" } }),
        "next rate_limited",
        "status 429, retry-after",
        "rate_limited 3",
      ],
      [
        "burst of an allowed plan",
        answer(429, { headers: { ...unified("allowed", FIVE_HOUR), "retry-after": "9" } }),
        "next rate_limited",
        "status 429, retry-after",
        "rate_limited 9",
      ],
    ],
  },
  {
    row: "2. 429 without any limit header: short probe back-off with jitter",
    cases: [
      ["bare", answer(429), "next throttled", BARE, "throttled 2"],
      [
        "only x-should-retry",
        answer(429, { headers: { "x-should-retry": "true" } }),
        "next throttled",
        BARE,
        "throttled 2",
      ],
      [
        "burst of an allowed plan",
        answer(429, { headers: unified("allowed", FIVE_HOUR) }),
        "next throttled",
        BARE,
        "throttled 2",
      ],
    ],
  },
  {
    row: "3. remaining low, allowed_warning: soft, nothing is benched",
    cases: [
      ["low", answer(200, { headers: LOW }), "relay served", null, "soft"],
      [
        "warning of the plan",
        answer(200, { headers: unified("allowed_warning", FIVE_HOUR) }),
        "relay served",
        null,
        "soft",
        "soft",
      ],
      [
        "warning of one class",
        answer(200, { headers: unified("allowed_warning", OPUS_ONLY) }),
        "relay served",
        null,
        "soft",
      ],
      ["an allowed plan", answer(200, { headers: unified("allowed", FIVE_HOUR) }), "relay served", null, "ready"],
      ["nothing said", answer(200), "relay served", null, "ready"],
    ],
  },
  {
    row: "4. hard unified status on a 429: bench until the unified reset, the plan's for every class",
    cases: ["rejected", "rate_limited", "blocked", "queueing_hard", "payment_required"].map(hard),
  },
  {
    row: "4. hard unified status on a 429: bench until the unified reset, one class's for that class",
    cases: [
      [
        "by its claim",
        answer(429, { headers: unified("rejected", OPUS_ONLY) }),
        "next plan_limit",
        `status 429, ${UNIFIED_RESET}`,
        `plan_limit ${HOUR}`,
      ],
      [
        "by its window",
        answer(429, { headers: unified("rejected", { "7d_opus-status": "rejected", "7d_opus-reset": 9 * HOUR }) }),
        "next plan_limit",
        "status 429, anthropic-ratelimit-unified-7d_opus-reset",
        `plan_limit ${9 * HOUR}`,
      ],
      [
        "and the plan's as well when both are used up",
        answer(429, {
          headers: unified("rejected", { ...OPUS_ONLY, reset: 9 * HOUR, "5h-status": "rejected", "5h-reset": HOUR }),
        }),
        "next plan_limit",
        `status 429, ${UNIFIED_RESET}`,
        `plan_limit ${9 * HOUR}`,
        `plan_limit ${HOUR}`,
      ],
    ],
  },
  {
    row: "5. a hard status on a 200: relay the paid answer; bench afterwards",
    cases: [
      [
        "with a reset",
        answer(200, { headers: unified("rejected", FIVE_HOUR) }),
        "relay served",
        `status 200, ${UNIFIED_RESET}`,
        `plan_limit ${HOUR}`,
        `plan_limit ${HOUR}`,
      ],
      [
        "with retry-after",
        answer(200, { headers: { ...unified("blocked"), "retry-after": "9" } }),
        "relay served",
        "status 200, retry-after",
        "plan_limit 9",
      ],
      [
        "without a time",
        answer(200, { headers: unified("blocked") }),
        "relay served",
        "status 200, hard plan status without a reset",
        "throttled 2",
      ],
    ],
  },
  {
    row: "6. 529, 5xx, connect error, timeout before headers: not the account's fault, one jittered retry in place",
    cases: [
      ["529", answer(529), "retry_same overloaded", "status 529", "ready"],
      ...[500, 501, 502, 503, 504].map(fault),
      ["connect", failure("connect"), "retry_same connect_failed", "connect failed", "ready"],
      ["reset", failure("reset"), "retry_same connection_reset", "connection reset", "ready"],
      ...(["connect_timeout", "headers_timeout", "idle_timeout", "total_timeout"] as const).map(timeout),
    ],
  },
  {
    row: "6. ... then another platform or account",
    given: again,
    cases: [
      ["529", answer(529), "next overloaded", "status 529", "ready"],
      ["connect", failure("connect"), "next connect_failed", "connect failed", "ready"],
    ],
  },
  {
    row: "6. ... at once when the upstream asks not to be asked again, or not so soon",
    cases: [
      [
        "x-should-retry",
        answer(529, { headers: { "x-should-retry": "false" } }),
        "next overloaded",
        "status 529",
        "ready",
      ],
      ["retry-after", answer(503, { headers: { "retry-after": "11" } }), "next upstream_error", "status 503", "ready"],
    ],
  },
  {
    row: "7. 401 for a key: credential_dead",
    cases: [["401", answer(401), "next credential_dead", "status 401", "credential_dead", "credential_dead"]],
  },
  {
    row: "7. 401 for OAuth, after the refresh: needs_reauth",
    given: bearer,
    cases: [["401", answer(401), "next needs_reauth", "status 401", "needs_reauth", "needs_reauth"]],
  },
  {
    row: "8. 403: skip for that model class",
    cases: [["403", answer(403), "next forbidden", "status 403", "forbidden 600"]],
  },
  {
    row: "8. 403 repeated across models: credential_dead",
    given: {
      pool: applyPoolEvents(emptyPool, judge(answer(403), { ...context, model: HAIKU, modelClass: haiku }).learn),
    },
    cases: [
      [
        "403",
        answer(403),
        "next credential_dead",
        "status 403 for two model classes",
        "credential_dead",
        "credential_dead",
      ],
    ],
  },
  {
    row: "9. 402, or 400 'reached your specified API usage limits' with a date: parked until that date",
    cases: (
      [
        ["402", answer(402, { type: "billing_error" }), "payment_required", "status 402, no date", HOUR],
        [
          "402 with retry-after",
          answer(402, { headers: { "retry-after": "7200" } }),
          "payment_required",
          "status 402, retry-after",
          2 * HOUR,
        ],
        [
          "402 with a plan's reset",
          answer(402, { headers: unified("payment_required", { reset: 3 * HOUR }) }),
          "payment_required",
          `status 402, ${UNIFIED_RESET}`,
          3 * HOUR,
        ],
        [
          "400 with a date",
          answer(400, { message: DATED }),
          "spend_limit",
          "status 400, date in the message",
          UNTIL_DECEMBER,
        ],
        [
          "400 without one, although buckets have resets",
          answer(400, { message: SPEND, headers: WINDOW_RESET }),
          "spend_limit",
          "status 400, no date",
          HOUR,
        ],
        [
          "400 with one that has passed",
          answer(400, { message: DATED.replace("2026", "2025") }),
          "spend_limit",
          "status 400, no date",
          HOUR,
        ],
        [
          "400 for an empty balance",
          answer(400, { message: "Your credit balance is too low." }),
          "spend_limit",
          "status 400, no date",
          HOUR,
        ],
        [
          "429 in a Claude Code workspace",
          answer(429, { message: DATED }),
          "spend_limit",
          "status 429, date in the message",
          UNTIL_DECEMBER,
        ],
        [
          "403 of type billing_error",
          answer(403, { type: "billing_error" }),
          "spend_limit",
          "status 403, no date",
          HOUR,
        ],
      ] as const
    ).map(([name, outcome, reason, cause, seconds]): Case => {
      const stands = `${reason} ${seconds}`;
      return [name, outcome, `next ${reason}`, cause, stands, stands];
    }),
  },
  {
    row: "10. 404 for a model: that account lacks the model; next",
    cases: [
      [
        "not_found_error",
        answer(404, { type: "not_found_error" }),
        "next model_missing",
        "status 404",
        `model_missing ${HOUR}`,
      ],
      ["not in the API's shape", answer(404), "relay client_error", "status 404", "ready"],
    ],
  },
  {
    row: "10. 404 of a route: the client's own",
    given: { model: null },
    cases: [["404", answer(404, { type: "not_found_error" }), "relay client_error", "status 404", "ready"]],
  },
  {
    row: "11. other 400, 409, 413: relay unchanged, never failed over",
    cases: [400, 405, 408, 409, 413, 422, 451].map(clientsOwn),
  },
  {
    row: "12. 200 whose first event is an error: judged as the status it names (its caller names it)",
    cases: [["529", answer(529, { type: "overloaded_error" }), "retry_same overloaded", "status 529", "ready"]],
  },
  {
    row: "13. what no API call may answer",
    cases: [
      ...[100, 101, 199, 301, 307, 399, 600, 999].map(impossible),
      ["protocol", failure("protocol"), "next protocol_violation", "protocol", "ready"],
      [
        "address refused",
        failure("address_refused"),
        "next address_refused",
        "address refused",
        "address_refused 300",
        "address_refused 300",
      ],
    ],
  },
];

/** "ready", "soft", or the reason, and the seconds until it is back unless that takes an operator. */
function standing(verdict: Verdict, who: Account, asked: { model: string | null; modelClass: typeof opus }): string {
  const pool = applyPoolEvents(emptyPool, verdict.learn);
  const found = availability(pool, who, asked.model, asked.modelClass, at(0));
  if (found.usable) {
    return found.rank;
  }
  return found.untilMs === null ? found.reason : `${found.reason} ${(found.untilMs - T0) / 1000}`;
}

describe.each([...TABLE])("$row", ({ given, cases }) => {
  test.each([...cases])("%s", (_name, outcome, done, cause, stands, other = "ready") => {
    const asked = { ...context, ...given };
    const verdict = judge(outcome, asked);
    expect(`${verdict.action} ${verdict.reason}`).toBe(done);
    expect(verdict.cause).toBe(cause);
    expect(standing(verdict, asked.account, asked)).toBe(stands);
    expect(standing(verdict, asked.account, { model: HAIKU, modelClass: haiku })).toBe(other);
    expect(verdict.delayMs === 0).toBe(verdict.action !== "retry_same");
  });
});
