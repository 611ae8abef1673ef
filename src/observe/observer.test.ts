import { describe, expect, test } from "bun:test";
import { clientKeyId } from "../domain/access/client-key-id.ts";
import type { Account } from "../domain/account/account.ts";
import { accountId } from "../domain/account/account.ts";
import { modelClassOf } from "../domain/account/model-class.ts";
import type { LedgerBegin, LedgerSettle } from "../domain/ledger/record.ts";
import { requestId } from "../domain/ledger/record.ts";
import { subjectOf } from "../domain/pool/pool-event.ts";
import type { LogLevel } from "../kernel/log-level.ts";
import { durationMs, epochMs } from "../kernel/time.ts";
import { createLog } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import { createObserver } from "./observer.ts";

const ACCOUNT: Account = {
  id: accountId("a1"),
  name: "main",
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
const ON = subjectOf(ACCOUNT, "m", modelClassOf("claude-opus-4-1"));
const ID = requestId("r1");
const HOME = { why: "home", move: null } as const;

const BEGIN: LedgerBegin = {
  id: ID,
  startedAtMs: epochMs(0),
  clientKeyId: clientKeyId("k1"),
  method: "POST",
  path: "/v1/messages",
  model: "m",
  isStream: true,
  requestBytes: 10,
  accountId: ACCOUNT.id,
};
const SETTLE: LedgerSettle = {
  id: ID,
  settledAtMs: epochMs(9),
  status: 200,
  outcome: "completed",
  accountId: ACCOUNT.id,
  attempts: 1,
  queueMs: durationMs(0),
  firstByteMs: durationMs(5),
  totalMs: durationMs(9),
  responseBytes: 10,
  usage: null,
  upstreamRequestId: "req_1",
  errorType: null,
  decision: null,
  conversation: null,
  costMicroUsd: null,
  thinkingDropped: null,
};

function observe(level: LogLevel) {
  const lines: string[] = [];
  const counted: string[] = [];
  const metrics: Metrics = {
    settled: ({ outcome }) => counted.push(outcome),
    attempted: ({ reason }) => counted.push(reason),
    waited: (requestClass, waitedMs) => counted.push(`${requestClass} ${waitedMs}`),
    render: () => Promise.resolve(""),
    contentType: "",
  };
  const log = createLog({ level, format: "json", write: (line) => lines.push(line) });
  return { observer: createObserver(log, metrics), counted, records: () => lines.map((line) => JSON.parse(line)) };
}

describe("a request", () => {
  test("that went well is counted and is a debug line", () => {
    const quiet = observe("info");
    quiet.observer.settled(BEGIN, SETTLE);
    expect(quiet.records()).toEqual([]);
    expect(quiet.counted).toEqual(["completed"]);
    const loud = observe("debug");
    loud.observer.settled(BEGIN, SETTLE);
    expect(loud.records()[0]).toMatchObject({
      level: "debug",
      requestId: "r1",
      status: 200,
      upstreamRequestId: "req_1",
      totalMs: 9,
    });
  });

  test("that ended in an error is an info line with the reason", () => {
    const { observer, records } = observe("info");
    observer.settled(BEGIN, { ...SETTLE, outcome: "refused", status: 429, errorType: "rate_limit_error" });
    expect(records()[0]).toMatchObject({
      level: "info",
      outcome: "refused",
      reason: "rate_limit_error",
      clientKey: "k1",
    });
  });
});

test("a failed attempt is a line, a relayed one is counted", () => {
  const { observer, records, counted } = observe("info");
  observer.attempted({ requestId: ID, account: ACCOUNT, event: "served", status: 200, action: "relay", ...HOME });
  observer.attempted({ requestId: ID, account: ACCOUNT, event: "overloaded", status: 529, action: "next", ...HOME });
  observer.waited("main", durationMs(5));
  expect(counted).toEqual(["served", "overloaded", "main 5"]);
  expect(records()).toHaveLength(1);
  expect(records()[0]).toMatchObject({ account: "main", reason: "overloaded", action: "next" });
});

test("what the pool learned is told when it changes whether an account may be used", () => {
  const { observer, records } = observe("info");
  const atMs = epochMs(0);
  observer.learned([
    { type: "probe_started", on: ON, atMs },
    {
      type: "benched",
      on: ON,
      untilMs: epochMs(60_000),
      reason: "rate_limited",
      cause: "status 429, retry-after",
      scope: "class",
      atMs,
    },
    { type: "credential_refused", on: ON, reason: "credential_dead", cause: "status 401", atMs },
    { type: "forbidden", on: ON, cause: "status 403", atMs },
    { type: "origin_failed", on: ON, cause: "status 529", atMs },
  ]);
  expect(records().map(({ level, reason }) => [level, reason])).toEqual([
    ["warn", "rate_limited"],
    ["error", "credential_dead"],
    ["warn", "forbidden"],
  ]);
  expect(records()[0].until).toBe("1970-01-01T00:01:00.000Z");
});
