import { describe, expect, test } from "bun:test";
import { modelClassOf } from "../domain/account/model-class.ts";
import { noLimitFacts } from "../domain/ratelimit/limit-facts.ts";
import { epochMs } from "../kernel/time.ts";
import { allLimited, gatewayStops, noAccount, queueFull, upstreamFailed } from "./no-answer.ts";

describe("no account", () => {
  test("at all names the command that adds one", () => {
    expect(noAccount([]).message).toContain("better-ccflare account add");
  });

  test("that is usable counts the reasons", () => {
    const { message } = noAccount([{ reason: "paused" }, { reason: "credential_dead" }, { reason: "paused" }]);
    expect(message).toBe(
      "Cannot serve the request: no account is usable. 2 accounts: An operator paused the account; 1 account: The provider refuses this credential; replace it",
    );
  });
});

test.each([
  { inMs: 0, seconds: 1 },
  { inMs: 999, seconds: 1 },
  { inMs: 1_001, seconds: 2 },
  { inMs: 60_000, seconds: 60 },
  { inMs: 3_600_000, seconds: 60 },
])("an account that returns in $inMs ms means retry-after $seconds", ({ inMs, seconds }) => {
  const refusal = allLimited({
    modelClass: modelClassOf("claude-opus-4"),
    skips: [{ reason: "rate_limited" }],
    returnsAtMs: epochMs(inMs),
    nowMs: epochMs(0),
  });
  expect(refusal).toMatchObject({ code: "GW_ALL_LIMITED", retryAfterSeconds: seconds });
  expect(refusal.message).toContain(new Date(inMs).toISOString());
});

test("a full queue says how many wait", () => {
  expect(queueFull(7)).toMatchObject({ code: "GW_QUEUE_FULL", retryAfterSeconds: 5 });
  expect(queueFull(7).message).toContain("7 requests");
});

test("a gateway that stops asks to come back", () => {
  expect(gatewayStops()).toMatchObject({ code: "GW_STOPPING", retryAfterSeconds: 5 });
});

test.each([
  { failure: "connect", code: "GW_UPSTREAM_UNREACHABLE", says: "connect" },
  { failure: "reset", code: "GW_UPSTREAM_UNREACHABLE", says: "reset" },
  { failure: "protocol", code: "GW_UPSTREAM_UNREACHABLE", says: "protocol" },
  { failure: "address_refused", code: "GW_UPSTREAM_UNREACHABLE", says: "address refused" },
  { failure: "connect_timeout", code: "GW_UPSTREAM_TIMEOUT", says: "connect timeout" },
  { failure: "headers_timeout", code: "GW_UPSTREAM_TIMEOUT", says: "headers timeout" },
  { failure: "idle_timeout", code: "GW_UPSTREAM_TIMEOUT", says: "idle timeout" },
  { failure: "total_timeout", code: "GW_UPSTREAM_TIMEOUT", says: "total timeout" },
] as const)("the failure $failure is $code", ({ failure, code, says }) => {
  const refusal = upstreamFailed({ kind: "failure", failure, wasSent: true });
  expect(refusal).toMatchObject({ code, message: `Cannot get an answer from the upstream: ${says}` });
});

test("an answer that cannot be relayed is named by its status", () => {
  const outcome = { kind: "answer", status: 304, limits: noLimitFacts, errorType: null, errorMessage: null } as const;
  expect(upstreamFailed(outcome).message).toContain("status 304");
});
