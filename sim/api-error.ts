import type { StatusStep } from "./step.ts";

/** The API's error types by status. Source: platform.claude.com/docs/en/api/errors, November 2026. */
const TYPE_BY_STATUS: ReadonlyMap<number, string> = new Map([
  [400, "invalid_request_error"],
  [401, "authentication_error"],
  [402, "billing_error"],
  [403, "permission_error"],
  [404, "not_found_error"],
  [409, "conflict_error"],
  [413, "request_too_large"],
  [429, "rate_limit_error"],
  [500, "api_error"],
  [504, "timeout_error"],
  [529, "overloaded_error"],
]);

const MESSAGE_BY_TYPE: ReadonlyMap<string, string> = new Map([
  ["authentication_error", "invalid x-api-key"],
  ["billing_error", "Your credit balance is too low to access the Anthropic API."],
  ["permission_error", "Your API key does not have permission to use the specified resource."],
  ["request_too_large", "Request exceeds the maximum size"],
  ["rate_limit_error", "This request would exceed your organization's rate limit. Please try again later."],
  ["api_error", "Internal server error"],
  ["timeout_error", "The request timed out while processing."],
  ["overloaded_error", "Overloaded"],
]);

export type ApiError = { readonly type: string; readonly message: string };

/** What a script says; the rest follows from the status. */
export type GivenError = { readonly type?: string | undefined; readonly message?: string | undefined };

export function apiError(status: number, given: GivenError = {}): ApiError {
  const type = given.type ?? TYPE_BY_STATUS.get(status) ?? (status >= 500 ? "api_error" : "invalid_request_error");
  return { type, message: given.message ?? MESSAGE_BY_TYPE.get(type) ?? `Simulated error ${status}` };
}

export function errorBody(error: ApiError, requestId: string): string {
  return JSON.stringify({ type: "error", error, request_id: requestId });
}

/** Spend limit of a workspace: 400, not 429 (protocol.md, P44). `untilUtc` as in "2026-12-01 at 00:00 UTC". */
export function spendLimitStep(untilUtc: string): StatusStep {
  return {
    kind: "status",
    status: 400,
    message: `You have reached your specified workspace API usage limits. You will regain access on ${untilUtc}.`,
  };
}

/** The account lacks the model. */
export function unknownModelStep(model: string): StatusStep {
  return { kind: "status", status: 404, message: `model: ${model}` };
}

/** 429; without `retryAfterSeconds` no limit header comes along, as with acceleration limits. */
export function rateLimitedStep(retryAfterSeconds?: number): StatusStep {
  const headers = retryAfterSeconds === undefined ? {} : { "retry-after": String(retryAfterSeconds) };
  return { kind: "status", status: 429, headers };
}
