import { isAddressAllowed, isModelAllowed, isScopeAllowed, type KeyGrant } from "../domain/access/key-grant.ts";
import {
  hold,
  type LimitName,
  type LimitReached,
  limitsTokens,
  settle,
  type TokenHold,
} from "../domain/access/key-limits.ts";
import type { RequestFacts } from "../domain/request/request-facts.ts";
import type { Usage } from "../domain/usage/usage.ts";
import type { EpochMs } from "../kernel/time.ts";
import type { Call } from "./call.ts";
import type { Presence } from "./presences.ts";
import type { Refusal } from "./refusal.ts";
import type { Route } from "./route.ts";

/** What a key must not do, before a byte of the body is read. */
// hot path: three looks at nulls for a key without restrictions.
export function barredAtDoor(call: Call, route: Route, grant: KeyGrant): Refusal | null {
  if (grant.networks !== null && !isAddressAllowed(grant, call.client.ok ? call.client.value : null)) return ELSEWHERE;
  if (!isScopeAllowed(grant, route.scope)) return outOfScope(route.scope);
  return grant.models !== null && namesModel(call.query) ? MODEL_IN_QUERY : null;
}

/** A request for `passthrough` needs that scope beside the one of its route. */
export function barredFromPassthrough(grant: KeyGrant): Refusal | null {
  return isScopeAllowed(grant, "passthrough") ? null : outOfScope("passthrough");
}

/**
 * What a key with a list of models must not send. A body in which the model cannot be told, because it has none, two, or
 * is no object, goes nowhere: a file alone has no model by nature.
 */
// hot path
export function barredByModel(route: Route, request: SentRequest, grant: KeyGrant): Refusal | null {
  const { facts, body } = request;
  if (grant.models === null || body === null || route.scope === "files") return null;
  if (facts.problem === null && isModelAllowed(grant, facts.model)) return null;
  return {
    code: "GW_KEY_MODEL",
    message: `Cannot serve the request: the client key may not use ${shown(facts)}. It may use ${grant.models.join(", ") || "none"}`,
  };
}

type SentRequest = { readonly facts: RequestFacts; readonly body: Uint8Array | null };

/** English and code have about four characters to a token. */
const BYTES_PER_TOKEN = 4;
/** Of an event stream, with the frame around each delta; only where the answer broke off before it said its usage. */
const STREAMED_BYTES_PER_TOKEN = 32;
const NO_TOKENS: TokenHold = { inputTokens: 0, outputTokens: 0 };

/** Reserves what the request may take at most, so that requests side by side cannot pass a limit together. */
// hot path
export function holdTokens(presence: Presence, request: SentRequest): Refusal | null {
  const { call, caller, meter } = presence;
  const { limits } = caller.access;
  if (!limitsTokens(limits) || call.path !== "/v1/messages" || request.body === null) return null;
  const tokens = {
    inputTokens: Math.ceil(request.body.length / BYTES_PER_TOKEN),
    outputTokens: request.facts.maxTokens ?? 0,
  };
  const reached = hold(meter, limits, { tokens, nowMs: call.acceptedAtMs });
  if (reached !== null) return limitReached(reached, limits[reached.limit]);
  presence.held = tokens;
  return null;
}

export type HeldEnd = {
  readonly usage: Usage | null;
  /** The request may have been worked on without anybody being told what it took. */
  readonly isUnknown: boolean;
  readonly responseBytes: number;
  readonly nowMs: EpochMs;
};

/** What it came to counts instead of what was reserved. Idempotent. */
export function settleTokens(presence: Presence, end: HeldEnd): void {
  const { held, meter, caller } = presence;
  if (held === null) return;
  presence.held = null;
  settle(meter, caller.access.limits, { held, took: tookOf(held, end), nowMs: end.nowMs });
}

function tookOf(held: TokenHold, { usage, isUnknown, responseBytes }: HeldEnd): TokenHold {
  if (usage === null) return isUnknown ? held : NO_TOKENS;
  const inputTokens = (usage.inputTokens ?? 0) + (usage.cacheWrite5mTokens ?? 0) + (usage.cacheWrite1hTokens ?? 0);
  const said = usage.outputTokens ?? 0;
  if (!usage.isPartial) return { inputTokens, outputTokens: said };
  const seen = Math.ceil(responseBytes / STREAMED_BYTES_PER_TOKEN);
  return { inputTokens, outputTokens: Math.max(said, Math.min(held.outputTokens, seen)) };
}

const LIMIT_WORDS: Readonly<Record<LimitName, string>> = {
  requestsPerMinute: "requests a minute",
  inputTokensPerMinute: "input tokens a minute",
  outputTokensPerMinute: "output tokens a minute",
  concurrency: "requests at one time",
};

export function limitReached({ limit, retryAfterSeconds }: LimitReached, most: number | null): Refusal {
  return {
    code: "GW_KEY_LIMIT",
    message: `Cannot serve the request now: the client key's limit of ${most ?? 0} ${LIMIT_WORDS[limit]} is reached (${limit})`,
    retryAfterSeconds,
  };
}

const ELSEWHERE: Refusal = {
  code: "GW_KEY_ADDRESS",
  message: "Cannot serve the request: the client key may not be used from this address",
};
const MODEL_IN_QUERY: Refusal = {
  code: "GW_KEY_MODEL",
  message:
    "Cannot serve the request: its query names a model, and the client key may use some models only. Name it in the body",
};

function outOfScope(scope: string): Refusal {
  return {
    code: "GW_KEY_SCOPE",
    message: `Cannot serve the request: the client key has no scope for it (${scope})`,
  };
}

const QUERY_MODEL = /[?&;](?:m|%6d)(?:o|%6f)(?:d|%64)(?:e|%65)(?:l|%6c)(?:=|%|\[|&|;|$)/i;

function namesModel(query: string): boolean {
  return query !== "" && QUERY_MODEL.test(query);
}

/** The model comes from the client, in its own answer; anything unusual in it is not repeated. */
function shown({ model, problem }: RequestFacts): string {
  if (problem !== null || model === null) return "a request without one clear model";
  return /^[\w.:@/-]{1,128}$/.test(model) ? `the model ${model}` : "this model";
}
