import { spendLimitStep } from "../../sim/api-error.ts";
import type { Step } from "../../sim/step.ts";
import { ALL_LIMITED, type FaultRow, FIGURES, READY, type RowClock, refused, relayed, served } from "./faults-row.ts";

const UNIFIED = "anthropic-ratelimit-unified";
const HOUR_SECONDS = 3_600;

function limited(headers: Readonly<Record<string, string>> = {}): Step {
  return { kind: "status", status: 429, headers };
}

function hardStatus(status: string): FaultRow {
  return {
    name: `429 with a unified status of ${status}`,
    accounts: [
      {
        steps: (clock) => [
          limited({ [`${UNIFIED}-status`]: status, [`${UNIFIED}-reset`]: clock.epochSeconds(3 * HOUR_SECONDS) }),
        ],
      },
      { steps: [] },
    ],
    asks: [served({ by: 1, attempts: 2 })],
    after: [{ state: "limited", forSeconds: 3 * HOUR_SECONDS }, READY],
  };
}

function planHeaders(clock: RowClock, status: string): Readonly<Record<string, string>> {
  return {
    [`${UNIFIED}-status`]: status,
    [`${UNIFIED}-reset`]: clock.epochSeconds(HOUR_SECONDS),
    [`${UNIFIED}-5h-status`]: status,
    [`${UNIFIED}-5h-utilization`]: "0.93",
    [`${UNIFIED}-5h-reset`]: clock.epochSeconds(HOUR_SECONDS),
  };
}

/** Limits of accounts: how long each rests, and who serves meanwhile. */
export const LIMIT_ROWS: readonly FaultRow[] = [
  {
    name: "429 with retry-after in seconds, one account",
    accounts: [{ steps: [limited({ "retry-after": "30" })] }],
    asks: [relayed(429, "rate_limit_error")],
    after: [{ state: "limited", forSeconds: 30 }],
  },
  {
    name: "429 with retry-after in seconds, two accounts",
    accounts: [{ steps: [limited({ "retry-after": "30" })] }, { steps: [] }],
    asks: [served({ by: 1, attempts: 2 }), served({ by: 1 })],
    after: [{ state: "limited", forSeconds: 30 }, READY],
  },
  {
    name: "429 with retry-after as a date",
    accounts: [{ steps: (clock) => [limited({ "retry-after": clock.httpDate(45) })] }, { steps: [] }],
    asks: [served({ by: 1, attempts: 2 })],
    after: [{ state: "limited", forSeconds: 45 }, READY],
  },
  {
    name: "429 with the reset of an empty bucket",
    accounts: [
      {
        steps: (clock) => [
          limited({
            "anthropic-ratelimit-requests-limit": "50",
            "anthropic-ratelimit-requests-remaining": "0",
            "anthropic-ratelimit-requests-reset": clock.rfc3339(20),
          }),
        ],
      },
      { steps: [] },
    ],
    asks: [served({ by: 1, attempts: 2 })],
    after: [{ state: "limited", forSeconds: 20, windows: [{ name: "requests", remaining: 0 }] }, READY],
  },
  {
    name: "429 without any limit header",
    accounts: [{ steps: [limited()] }, { steps: [] }],
    asks: [served({ by: 1, attempts: 2 })],
    after: [{ state: "limited", forSeconds: [1.4, 2.6] }, READY],
  },
  {
    name: "429 without any limit header, one account",
    accounts: [{ steps: [limited()] }],
    asks: [relayed(429, "rate_limit_error")],
    after: [{ state: "limited", forSeconds: [1.4, 2.6] }],
  },
  ...["rejected", "rate_limited", "blocked", "queueing_hard", "payment_required"].map(hardStatus),
  {
    name: "429 for a burst while the plan is allowed",
    accounts: [
      { steps: (clock) => [limited({ ...planHeaders(clock, "allowed"), "retry-after": "5" })] },
      { steps: [] },
    ],
    asks: [served({ by: 1, attempts: 2 })],
    after: [{ state: "limited", forSeconds: 5 }, READY],
  },
  {
    name: "429 on every account",
    accounts: [
      { steps: [limited({ "retry-after": "30" })] },
      { steps: [limited({ "retry-after": "40" })] },
      { steps: [limited({ "retry-after": "50" })] },
    ],
    asks: [relayed(429, "rate_limit_error", { by: 2, attempts: 3 })],
    after: [
      { state: "limited", forSeconds: 30 },
      { state: "limited", forSeconds: 40 },
      { state: "limited", forSeconds: 50 },
    ],
  },
  {
    name: "429 for one model class",
    accounts: [{ steps: [limited({ "retry-after": "30" })] }, { steps: [] }],
    asks: [
      { model: "claude-opus-4-5", ...served({ by: 1, attempts: 2 }) },
      { model: "claude-sonnet-5-5", ...served({ by: 0 }) },
      { model: "claude-opus-4-5", ...served({ by: 1 }) },
    ],
    after: [{ state: "limited", forSeconds: 30 }, READY],
  },
  {
    name: "429 for one of two accounts of an organization",
    accounts: [
      { steps: [limited({ "retry-after": "30" })], organization: "acme" },
      { steps: [], organization: "acme" },
    ],
    asks: [relayed(429, "rate_limit_error")],
    after: [
      { state: "limited", forSeconds: 30 },
      { state: "limited", forSeconds: 30 },
    ],
  },
  {
    name: "a warning of the plan (allowed_warning) on a 200",
    accounts: [
      { steps: (clock) => [{ kind: "auto", ...FIGURES, headers: planHeaders(clock, "allowed_warning") }] },
      { steps: [] },
    ],
    asks: [served(), served({ by: 1 })],
    after: [{ state: "ready", windows: [{ name: "5h", status: "allowed_warning" }] }, READY],
  },
  {
    name: "few requests left in a bucket, on a 200",
    accounts: [
      {
        steps: (clock) => [
          {
            kind: "auto",
            ...FIGURES,
            headers: {
              "anthropic-ratelimit-requests-limit": "50",
              "anthropic-ratelimit-requests-remaining": "2",
              "anthropic-ratelimit-requests-reset": clock.rfc3339(30),
            },
          },
        ],
      },
      { steps: [] },
    ],
    asks: [served(), served({ by: 1 })],
    after: [{ state: "ready", windows: [{ name: "requests", remaining: 2 }] }, READY],
  },
  {
    name: "a hard status (rejected) on a 200",
    accounts: [
      { steps: (clock) => [{ kind: "auto", ...FIGURES, headers: planHeaders(clock, "rejected") }] },
      { steps: [] },
    ],
    asks: [served(), served({ by: 1 })],
    after: [{ state: "limited", forSeconds: HOUR_SECONDS, windows: [{ name: "5h", status: "rejected" }] }, READY],
  },
  {
    name: "400 for a spend limit with a date, two accounts",
    accounts: [{ steps: [spendLimitStep("2031-02-01 at 00:00 UTC")] }, { steps: [] }],
    asks: [served({ by: 1, attempts: 2 }), served({ by: 1 })],
    after: [{ state: "limited", until: "2031-02-01T00:00:00.000Z" }, READY],
  },
  {
    name: "400 for a spend limit with a date, one account",
    accounts: [{ steps: [spendLimitStep("2031-02-01 at 00:00 UTC")] }],
    asks: [relayed(400, "invalid_request_error"), refused(429, ALL_LIMITED, { retryAfter: [60, 60] })],
    after: [{ state: "limited", until: "2031-02-01T00:00:00.000Z" }],
  },
  ...(["gzip", "br", "zstd"] as const).map(
    (encoding): FaultRow => ({
      name: `400 for a spend limit with a date, in ${encoding}`,
      accounts: [{ steps: [{ ...spendLimitStep("2031-02-01 at 00:00 UTC"), encoding }] }, { steps: [] }],
      asks: [served({ by: 1, attempts: 2 })],
      after: [{ state: "limited", until: "2031-02-01T00:00:00.000Z" }, READY],
    }),
  ),
  {
    name: "402, two accounts",
    accounts: [{ steps: [{ kind: "status", status: 402 }] }, { steps: [] }],
    asks: [served({ by: 1, attempts: 2 }), served({ by: 1 })],
    after: [{ state: "limited", forSeconds: HOUR_SECONDS }, READY],
  },
  {
    name: "402, one account",
    accounts: [{ steps: [{ kind: "status", status: 402 }] }],
    asks: [relayed(402, "billing_error")],
    after: [{ state: "limited", forSeconds: HOUR_SECONDS }],
  },
  {
    name: "429 until three hours from now, then another request",
    accounts: [{ steps: [limited({ "retry-after": String(3 * HOUR_SECONDS) })] }],
    asks: [relayed(429, "rate_limit_error"), refused(429, ALL_LIMITED, { retryAfter: [60, 60] })],
    after: [{ state: "limited", forSeconds: 3 * HOUR_SECONDS }],
  },
];
