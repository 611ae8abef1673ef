import { expect, test } from "bun:test";
import { requestId } from "../domain/ledger/record.ts";
import { type Refusal, refusalAnswer, refusalStatus, refusalType } from "./refusal.ts";

const ID = requestId("request-1");

test.each([
  { code: "GW_NO_KEY", status: 401, type: "authentication_error" },
  { code: "GW_BAD_KEY", status: 401, type: "authentication_error" },
  { code: "GW_PROVIDER_CREDENTIAL", status: 401, type: "authentication_error" },
  { code: "GW_TWO_KEYS", status: 400, type: "invalid_request_error" },
  { code: "GW_UNKNOWN_PATH", status: 404, type: "not_found_error" },
  { code: "GW_UNKNOWN_MODEL", status: 404, type: "not_found_error" },
  { code: "GW_METHOD", status: 405, type: "invalid_request_error" },
  { code: "GW_BODY_TOO_LARGE", status: 413, type: "request_too_large" },
  { code: "GW_BODY_TOO_SLOW", status: 408, type: "timeout_error" },
  { code: "GW_BODY_ENCODED", status: 415, type: "invalid_request_error" },
  { code: "GW_BODY_NOT_JSON", status: 400, type: "invalid_request_error" },
  { code: "GW_DUPLICATE_MODEL", status: 400, type: "invalid_request_error" },
  { code: "GW_BODY_BUDGET", status: 503, type: "overloaded_error" },
  { code: "GW_NO_ACCOUNT", status: 503, type: "api_error" },
  { code: "GW_ALL_LIMITED", status: 429, type: "rate_limit_error" },
  { code: "GW_QUEUE_FULL", status: 429, type: "rate_limit_error" },
  { code: "GW_UPSTREAM_UNREACHABLE", status: 502, type: "api_error" },
  { code: "GW_UPSTREAM_TIMEOUT", status: 504, type: "timeout_error" },
  { code: "GW_STOPPING", status: 503, type: "overloaded_error" },
  { code: "GW_INTERNAL", status: 500, type: "api_error" },
] as const)("$code answers $status in the API's own shape", ({ code, status, type }) => {
  const refusal: Refusal = { code, message: 'Cannot "do" it: a fact' };
  const answer = refusalAnswer(refusal, ID, 2);
  expect(answer.status).toBe(status);
  expect(refusalStatus(code)).toBe(status);
  expect(refusalType(code)).toBe(type);
  expect(answer.headers).toEqual([
    ["content-type", "application/json; charset=utf-8"],
    ["content-security-policy", "default-src 'none'; frame-ancestors 'none'; sandbox"],
    ["cross-origin-opener-policy", "same-origin"],
    ["cross-origin-resource-policy", "same-origin"],
    ["permissions-policy", expect.stringMatching(/^accelerometer=\(\), .*, xr-spatial-tracking=\(\)$/)],
    ["referrer-policy", "no-referrer"],
    ["x-content-type-options", "nosniff"],
    ["x-frame-options", "DENY"],
    ["request-id", ID],
    ["x-better-ccflare-request-id", "request-1"],
    ["x-better-ccflare-attempts", "2"],
  ]);
  expect(JSON.parse(textOf(answer.body))).toEqual({
    type: "error",
    error: { type, message: `Cannot "do" it: a fact (${code})` },
    request_id: "request-1",
  });
});

test("a refusal that knows when to come back says so", () => {
  const answer = refusalAnswer({ code: "GW_QUEUE_FULL", message: "x", retryAfterSeconds: 5 }, ID);
  expect(answer.headers).toContainEqual(["retry-after", "5"]);
  expect(answer.headers).toContainEqual(["x-better-ccflare-attempts", "0"]);
});

function textOf(body: unknown): string {
  return body instanceof Uint8Array ? new TextDecoder().decode(body) : "";
}
