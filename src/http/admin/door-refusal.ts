import type { Principal } from "../../control/principal.ts";
import type { Answer } from "../../gateway/call.ts";
import { JSON_TYPE, OWN_HEADERS } from "../../gateway/own-headers.ts";
import type { HeaderField } from "../../gateway/ports.ts";
import type { Decision } from "./visitor.ts";

type Row = readonly [status: number, message: string];

/**
 * Every answer of the door of the admin API. Each is the same whatever was asked, for what a stranger learns from an
 * answer is what he could not know before.
 */
const DOOR_REFUSALS = {
  route_not_found: [404, "Cannot find the route: the admin API has none with this path"],
  method_not_allowed: [405, "Cannot use this method here: the header Allow lists those that the path has"],
  preflight_refused: [403, "Cannot let another page call: the admin API answers its own pages alone"],
  credential_in_query: [
    400,
    "Cannot read the request: its query holds a credential. Send it in the header Authorization; the one in the query is no secret any more",
  ],
  two_credentials: [400, "Cannot tell who asks: the request carries more than one credential. Send one"],
  cookies_too_long: [431, "Cannot read the request: its cookies have more than 4096 bytes"],
  setup_required: [
    503,
    "Cannot serve the admin API yet: there is no owner. Run `better-ccflare setup` on the gateway's machine, then POST /auth/setup",
  ],
  not_signed_in: [401, "Cannot tell who asks: sign in at POST /auth/login, or send an admin token"],
  session_required: [403, "Cannot do this with a token or over the Unix socket: it belongs to a session. Sign in"],
  page_refused: [
    403,
    "Cannot serve the request: it does not come from a page of this gateway. A program sends its own address as Origin",
  ],
  csrf_refused: [
    403,
    "Cannot serve the request: x-csrf-token is not the token of this session. GET /auth/session gives it",
  ],
  forbidden: [403, "Cannot do this: your role does not allow it"],
  step_up_required: [
    403,
    "Cannot do this yet: it needs a proof of password and second factor of the last 5 minutes. POST /auth/step-up; a token cannot",
  ],
  enrolment_required: [403, "Cannot do this yet: your role needs a second factor. Enrol one at POST /auth/totp"],
  rate_limited: [429, "Cannot serve the request now: there were too many. Retry-After says when to come back"],
  not_json: [415, "Cannot read the request: its content type is not application/json"],
  request_invalid: [400, "Cannot read the request: its body is not plain JSON"],
  body_encoded: [415, "Cannot read the request: its body is compressed. Send it as it is"],
  body_too_large: [413, "Cannot read the request: its body is larger than this route takes"],
  body_too_slow: [408, "Cannot read the request: its body arrives slower than 1 KiB a second"],
  body_budget: [503, "Cannot read the request now: the admin API holds as many request bytes as it may"],
  store_unavailable: [503, "Cannot tell who asks: the store cannot be read now"],
  internal: [500, "Cannot answer: the gateway failed inside; its log says why"],
} as const satisfies Record<string, Row>;

const PASSWORD_DUE = "Cannot do this yet: your password was given by somebody else. Change it at POST /auth/password";

export type DoorCode = keyof typeof DOOR_REFUSALS;

const ENCODER = new TextEncoder();

export function doorAnswer(code: DoorCode, more: readonly HeaderField[] = [], message?: string): Answer {
  const [status, text] = DOOR_REFUSALS[code];
  return {
    status,
    headers: [
      JSON_TYPE,
      ...OWN_HEADERS,
      ["cache-control", "no-store"],
      ...(status === 401 ? [["www-authenticate", 'Bearer realm="better-ccflare"'] as const] : []),
      ...more,
    ],
    body: ENCODER.encode(JSON.stringify({ error: { code, message: message ?? text } })),
  };
}

/** What to do about a refusal depends, for one of them, on what is missing. */
export function decisionMessage(decision: Exclude<Decision, "yes">, principal: Principal | null): string {
  const isPasswordDue =
    principal?.kind === "user" && principal.via.kind === "session" && principal.via.mustChangePassword;
  return decision === "enrolment_required" && isPasswordDue ? PASSWORD_DUE : DOOR_REFUSALS[decision][1];
}

/** The decision is a code of this table. */
export function decisionStatus(decision: Exclude<Decision, "yes">): 401 | 403 {
  return DOOR_REFUSALS[decision][0];
}
