import type { RequestId } from "../domain/ledger/record.ts";
import type { Answer } from "./call.ts";
import { JSON_TYPE, OWN_HEADERS } from "./own-headers.ts";

/** `error.type` values of the Claude API that our own refusals use (protocol.md P43). */
export type ApiErrorType =
  | "invalid_request_error"
  | "authentication_error"
  | "permission_error"
  | "not_found_error"
  | "request_too_large"
  | "rate_limit_error"
  | "api_error"
  | "timeout_error"
  | "overloaded_error";

/** A stable code of the gateway's own, documented in docs/guide/errors.md, never reused. */
export type RefusalCode = keyof typeof REFUSALS;

type RefusalRow = { readonly status: number; readonly type: ApiErrorType };

/** Every answer that the gateway gives by itself. */
const REFUSALS = {
  GW_BAD_REQUEST: { status: 400, type: "invalid_request_error" },
  GW_TARGET_TOO_LONG: { status: 414, type: "invalid_request_error" },
  GW_EXPECT: { status: 417, type: "invalid_request_error" },
  GW_HEAD_TOO_LARGE: { status: 431, type: "invalid_request_error" },
  GW_HEAD_TOO_SLOW: { status: 408, type: "timeout_error" },
  GW_HTTP_VERSION: { status: 505, type: "invalid_request_error" },
  GW_CONNECTIONS: { status: 503, type: "overloaded_error" },
  GW_HOST: { status: 421, type: "invalid_request_error" },
  GW_BAD_FORWARDED: { status: 400, type: "invalid_request_error" },
  GW_ADDRESS: { status: 403, type: "permission_error" },
  GW_ORIGIN: { status: 403, type: "permission_error" },
  GW_CLIENT_CERTIFICATE: { status: 403, type: "permission_error" },
  GW_NO_KEY: { status: 401, type: "authentication_error" },
  GW_BAD_KEY: { status: 401, type: "authentication_error" },
  GW_KEY_REVOKED: { status: 401, type: "authentication_error" },
  GW_PROVIDER_CREDENTIAL: { status: 401, type: "authentication_error" },
  GW_FAILED_KEYS: { status: 429, type: "rate_limit_error" },
  GW_NO_PASSTHROUGH: { status: 403, type: "permission_error" },
  GW_KEY_ADDRESS: { status: 403, type: "permission_error" },
  GW_KEY_SCOPE: { status: 403, type: "permission_error" },
  GW_KEY_MODEL: { status: 403, type: "permission_error" },
  GW_KEY_LIMIT: { status: 429, type: "rate_limit_error" },
  GW_TWO_KEYS: { status: 400, type: "invalid_request_error" },
  GW_QUERY_CREDENTIAL: { status: 400, type: "invalid_request_error" },
  GW_UNKNOWN_PATH: { status: 404, type: "not_found_error" },
  GW_UNKNOWN_MODEL: { status: 404, type: "not_found_error" },
  GW_METHOD: { status: 405, type: "invalid_request_error" },
  GW_BODY_TOO_LARGE: { status: 413, type: "request_too_large" },
  GW_BODY_TOO_SLOW: { status: 408, type: "timeout_error" },
  GW_BODY_ENCODED: { status: 415, type: "invalid_request_error" },
  GW_BODY_NOT_JSON: { status: 400, type: "invalid_request_error" },
  GW_DUPLICATE_MODEL: { status: 400, type: "invalid_request_error" },
  GW_BODY_BUDGET: { status: 503, type: "overloaded_error" },
  GW_NO_ACCOUNT: { status: 503, type: "api_error" },
  GW_ALL_LIMITED: { status: 429, type: "rate_limit_error" },
  GW_QUEUE_FULL: { status: 429, type: "rate_limit_error" },
  GW_UPSTREAM_UNREACHABLE: { status: 502, type: "api_error" },
  GW_UPSTREAM_TIMEOUT: { status: 504, type: "timeout_error" },
  GW_STOPPING: { status: 503, type: "overloaded_error" },
  GW_INTERNAL: { status: 500, type: "api_error" },
} as const satisfies Record<string, RefusalRow>;

export type Refusal = {
  readonly code: RefusalCode;
  readonly message: string;
  /** Whole seconds, 1..60: Claude Code stops retrying above 60 (protocol.md P32). */
  readonly retryAfterSeconds?: number;
  /** With GW_METHOD: the methods that the path has, for Allow (RFC 9110 section 15.5.6). */
  readonly allow?: string;
};

export function refusalStatus(code: RefusalCode): number {
  return REFUSALS[code].status;
}

export function refusalType(code: RefusalCode): ApiErrorType {
  return REFUSALS[code].type;
}

const ENCODER = new TextEncoder();

/** The refusal in the Claude API's own error shape. */
export function refusalAnswer(refusal: Refusal, id: RequestId, attempts = 0): Answer {
  const { status, type } = REFUSALS[refusal.code];
  const body = { type: "error", error: { type, message: `${refusal.message} (${refusal.code})` }, request_id: id };
  return {
    status,
    headers: [
      JSON_TYPE,
      ...OWN_HEADERS,
      // Where the SDKs look for it. Upstream had no part in this answer, so there is no other id.
      ["request-id", id],
      ...gatewayHeaders(id, attempts),
      ...(refusal.allow === undefined ? [] : [["allow", refusal.allow] as const]),
      ...(refusal.retryAfterSeconds === undefined ? [] : [["retry-after", String(refusal.retryAfterSeconds)] as const]),
    ],
    body: ENCODER.encode(JSON.stringify(body)),
  };
}

/** The two headers that every answer of the gateway carries (design.md section 7). */
export function gatewayHeaders(id: RequestId, attempts: number): readonly (readonly [string, string])[] {
  return [
    ["x-better-ccflare-request-id", id],
    ["x-better-ccflare-attempts", String(attempts)],
  ];
}
