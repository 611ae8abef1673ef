// Longer than 300 lines: one table, design.md section 6 row by row, which is read as a whole.
import { assertNever } from "../../kernel/result.ts";
import { after, type DurationMs, durationMs, type EpochMs } from "../../kernel/time.ts";
import { type Account, limitGroupOf, type ModelClass } from "../account/account.ts";
import { FORBIDDEN_TWICE } from "../pool/account-hold.ts";
import { boundedCause } from "../pool/block.ts";
import { type PoolEvent, type PoolSubject, subjectOf } from "../pool/pool-event.ts";
import { isForbiddenElsewhere, type PoolState } from "../pool/pool-state.ts";
import {
  hardReset,
  hardScope,
  isHardStatus,
  limitedUntil,
  otherHardReset,
  retryAfter,
  type Stated,
} from "../ratelimit/limit-meaning.ts";
import { regainsAccessAt, saysSpendLimit } from "../ratelimit/spend-limit-text.ts";
import type { AttemptFailure, AttemptOutcome } from "./outcome.ts";
import type { ReasonCode } from "./reason.ts";

export type JudgeContext = {
  readonly account: Account;
  readonly model: string | null;
  readonly modelClass: ModelClass;
  readonly pool: PoolState;
  readonly nowMs: EpochMs;
  /** 0..1 */
  readonly random: number;
  /** Retries in place that this request has already had at this origin. */
  readonly triedSameOrigin: number;
  /** The wait is delayMs x backoff^attempt; `attempt` counts from 0. */
  readonly retry: { readonly delayMs: DurationMs; readonly backoff: number; readonly attempt: number };
  /** What the caller did about a 401; absent or null when there was nothing to renew. */
  readonly renewal?: Renewal | null;
};

/** renewed: the account has another token now. later: its token endpoint does not answer. over: its owner must log in. */
export type Renewal = "renewed" | "later" | "over";

export type Verdict = {
  /** relay: this is the client's answer. retry_same: again, same account. next: another account, else the last answer. */
  readonly action: "relay" | "retry_same" | "next";
  readonly reason: ReasonCode;
  readonly learn: readonly PoolEvent[];
  /** What said so, as in `Block`; null for an answer that is relayed without a lesson. */
  readonly cause: string | null;
  /** Wait before the next attempt, already jittered. 0 unless the action is retry_same. */
  readonly delayMs: DurationMs;
};

type Answer = Extract<AttemptOutcome, { kind: "answer" }>;
type Judged = Omit<Verdict, "delayMs">;

const NO_DELAY = durationMs(0);
const MAX_RETRIES_IN_PLACE = 1;
const MAX_RETRY_DELAY_MS = 10_000;
/** 402, or a spend limit that names no date: looked at again once an hour. */
const PARKED_WITHOUT_DATE_MS = durationMs(3_600_000);
/** A token endpoint that does not answer is not asked for every request; in the meantime the account rests. */
const LOGIN_PENDING_MS = durationMs(10_000);
/** An address that may not be called will not become allowed within a request; DNS may change later. */
const ADDRESS_REFUSED_MS = durationMs(300_000);

/** design.md section 6, row by row: what one outcome means for the request and for the pool. */
export function judge(outcome: AttemptOutcome, context: JudgeContext): Verdict {
  const on = subjectOf(context.account, context.model, context.modelClass);
  if (outcome.kind === "failure") {
    return judgeFailure(outcome.failure, on, context);
  }
  const verdict = judgeAnswer(outcome, on, context);
  const named = organizationLearned(outcome, context.account);
  // Last, so that what was learned just now of the account alone moves to its organization too.
  return named === null ? verdict : { ...verdict, learn: [...verdict.learn, named] };
}

/** An account that nobody assigned to an organization belongs to the one that answers for it (protocol P28). */
function organizationLearned({ limits }: Answer, account: Account): PoolEvent | null {
  const organization = limits.organizationId;
  if (organization === null || account.organization !== null) {
    return null;
  }
  const from = limitGroupOf(account);
  const to = limitGroupOf({ id: account.id, organization });
  return { type: "organization_learned", accountId: account.id, from, to, organization };
}

function judgeAnswer(answer: Answer, on: PoolSubject, context: JudgeContext): Verdict {
  const { status } = answer;
  if (status >= 500 && status <= 599) {
    return originFault(status === 529 ? "overloaded" : "upstream_error", on, context, answer);
  }
  const isDecision = (status >= 200 && status <= 299) || (status >= 400 && status <= 499);
  // Redirects are never followed and no protocol is switched: asking again would bring the same.
  return settled(isDecision ? judgeLivingAnswer(answer, on, context) : unexpected(answer, on, context));
}

function unexpected({ status }: Answer, on: PoolSubject, context: JudgeContext): Judged {
  const cause = `status ${status}`;
  return next("unexpected_status", cause, [originFailed(on, cause, context)]);
}

/** The upstream is alive and has decided: 2xx and 4xx. */
function judgeLivingAnswer(answer: Answer, on: PoolSubject, context: JudgeContext): Judged {
  const { limits, status } = answer;
  const atMs = context.nowMs;
  if (status < 300) {
    return served(answer, on, context);
  }
  const refused: PoolEvent = { type: "refused", on, limits, atMs };
  const cause = `status ${status}`;
  if (isOutOfMoney(answer)) {
    return outOfMoney(answer, on, context);
  }
  switch (status) {
    case 401:
      return unauthorized(refused, on, context);
    case 403:
      return forbidden(refused, on, context);
    case 404:
      return context.model === null || answer.errorType !== "not_found_error"
        ? { action: "relay", reason: "client_error", cause, learn: [refused] }
        : next("model_missing", cause, [refused, { type: "model_missing", on, model: context.model, cause, atMs }]);
    case 429:
      return limited(answer, on, context);
    default:
      return { action: "relay", reason: "client_error", cause, learn: [refused] };
  }
}

/** A login that renews itself was renewed before this verdict, if it could be. */
function unauthorized(refused: PoolEvent, on: PoolSubject, context: JudgeContext): Judged {
  const atMs = context.nowMs;
  const cause = "status 401";
  if (context.renewal === "renewed") {
    return { action: "retry_same", reason: "login_renewed", cause, learn: [refused] };
  }
  if (context.renewal === "later") {
    const reason = "login_pending";
    const untilMs = after(atMs, LOGIN_PENDING_MS);
    return next(reason, cause, [refused, { type: "parked", on, untilMs, reason, cause, atMs }]);
  }
  const reason = on401(context.account);
  return next(reason, cause, [refused, { type: "credential_refused", on, reason, cause, atMs }]);
}

/** May be about the model class only; a second class while the first lasts is about the credential, and says so. */
function forbidden(refused: PoolEvent, on: PoolSubject, context: JudgeContext): Judged {
  const atMs = context.nowMs;
  const cause = "status 403";
  const learn: readonly PoolEvent[] = [refused, { type: "forbidden", on, cause, atMs }];
  if (!isForbiddenElsewhere(context.pool, on, atMs)) {
    return next("forbidden", cause, learn);
  }
  const reason = "credential_dead";
  return next(reason, FORBIDDEN_TWICE, [
    ...learn,
    { type: "credential_refused", on, reason, cause: FORBIDDEN_TWICE, atMs },
  ]);
}

/** A paid answer is relayed even if its headers say that it was the last one; the bench comes afterwards. */
function served(answer: Answer, on: PoolSubject, context: JudgeContext): Judged {
  const { limits } = answer;
  const atMs = context.nowMs;
  const event: PoolEvent = { type: "served", on, limits, atMs };
  if (!isHardStatus(limits.unified?.status)) {
    return { action: "relay", reason: "served", cause: null, learn: [event] };
  }
  const stated = hardReset(limits, atMs) ?? retryAfter(limits);
  const rest = restOf({ status: answer.status, limits, stated }, on, context);
  return { action: "relay", reason: "served", cause: rest.cause, learn: [event, ...rest.learn] };
}

function limited({ status, limits }: Answer, on: PoolSubject, context: JudgeContext): Judged {
  const refused: PoolEvent = { type: "refused", on, limits, atMs: context.nowMs };
  const rest = restOf({ status, limits, stated: limitedUntil(limits, context.nowMs) }, on, context);
  return next(rest.reason, rest.cause, [refused, ...rest.learn]);
}

type Rest = { readonly reason: ReasonCode; readonly cause: string; readonly learn: readonly PoolEvent[] };

/** Until the stated instant exactly; without one, a probe back-off. */
function restOf(
  said: { readonly status: number; readonly limits: Answer["limits"]; readonly stated: Stated | null },
  on: PoolSubject,
  context: JudgeContext,
): Rest {
  const { status, limits, stated } = said;
  const { random, nowMs: atMs } = context;
  if (stated === null) {
    const cause =
      status === 429 ? "status 429 without a limit header" : `status ${status}, hard plan status without a reset`;
    return { reason: "throttled", cause, learn: [{ type: "throttled", on, random, cause, atMs }] };
  }
  const isPlan = isHardStatus(limits.unified?.status);
  const reason = isPlan ? "plan_limit" : "rate_limited";
  const scope = isPlan ? hardScope(limits) : "class";
  const cause = boundedCause(`status ${status}, ${stated.by}`);
  const bench: PoolEvent = { type: "benched", on, untilMs: stated.untilMs, reason, cause, scope, atMs };
  const other = isPlan ? otherHardReset(limits, on.modelClass, atMs) : null;
  if (other === null) {
    return { reason, cause, learn: [bench] };
  }
  const otherCause = boundedCause(`status ${status}, ${other.by}`);
  const otherScope = scope === "group" ? "class" : "group";
  return {
    reason,
    cause,
    learn: [bench, { type: "benched", on, untilMs: other.untilMs, reason, cause: otherCause, scope: otherScope, atMs }],
  };
}

/**
 * 402, and the refusals that mean the same under another status: a spend limit answers 400 (in a Claude Code
 * workspace 429), an empty balance 400. Source: protocol P44, https://platform.claude.com/docs/en/api/errors
 */
function isOutOfMoney(answer: Answer): boolean {
  const { status, errorType, errorMessage } = answer;
  const isBilling = errorType === "billing_error" || saysSpendLimit(errorMessage);
  return status === 402 || ((status === 400 || status === 403 || status === 429) && isBilling);
}

function moneyReason(answer: Answer): "payment_required" | "spend_limit" {
  return answer.status === 402 && !saysSpendLimit(answer.errorMessage) ? "payment_required" : "spend_limit";
}

function outOfMoney(answer: Answer, on: PoolSubject, context: JudgeContext): Judged {
  // Not the resets of the token buckets, which every answer carries: those are seconds away.
  const { status, limits, errorMessage } = answer;
  const atMs = context.nowMs;
  const namedMs = regainsAccessAt(errorMessage);
  const named = namedMs === null ? null : { untilMs: namedMs, by: "date in the message" };
  const stated = named ?? hardReset(limits, atMs) ?? retryAfter(limits);
  const isAhead = stated !== null && stated.untilMs > atMs;
  const untilMs = isAhead ? stated.untilMs : after(atMs, PARKED_WITHOUT_DATE_MS);
  const cause = boundedCause(`status ${status}, ${isAhead ? stated.by : "no date"}`);
  const reason = moneyReason(answer);
  return next(reason, cause, [
    { type: "refused", on, limits, atMs },
    { type: "parked", on, untilMs, reason, cause, atMs },
  ]);
}

/** A token that is refused and cannot be renewed is for its owner. */
function on401(account: Account): "credential_dead" | "needs_reauth" {
  return account.credentialKind === "bearer" ? "needs_reauth" : "credential_dead";
}

function judgeFailure(failure: AttemptFailure, on: PoolSubject, context: JudgeContext): Verdict {
  switch (failure) {
    case "connect":
      return originFault("connect_failed", on, context);
    case "connect_timeout":
    case "headers_timeout":
    case "idle_timeout":
    case "total_timeout":
      return originFault(failure, on, context);
    case "reset":
      return originFault("connection_reset", on, context);
    case "protocol":
      return settled(next("protocol_violation", "protocol", [originFailed(on, "protocol", context)]));
    case "address_refused": {
      const untilMs = after(context.nowMs, ADDRESS_REFUSED_MS);
      const cause = "address refused";
      const event: PoolEvent = { type: "parked", on, untilMs, reason: "address_refused", cause, atMs: context.nowMs };
      return settled(next("address_refused", cause, [event]));
    }
    default:
      return assertNever(failure);
  }
}

/** Not the account's fault: once more in place after a short wait, then elsewhere. Only the origin's circuit learns. */
function originFault(reason: ReasonCode, on: PoolSubject, context: JudgeContext, answer?: Answer): Verdict {
  const cause = answer === undefined ? reason.replaceAll("_", " ") : `status ${answer.status}`;
  const learn = [originFailed(on, cause, context)];
  const delayMs = answer === undefined ? retryDelay(context) : answeredRetryDelay(answer, context);
  return delayMs === null || context.triedSameOrigin >= MAX_RETRIES_IN_PLACE
    ? settled(next(reason, cause, learn))
    : { action: "retry_same", reason, cause, learn, delayMs };
}

/** Null when the upstream asks not to try again, or not so soon. "Earlier retries fail" (P30). */
function answeredRetryDelay(answer: Answer, context: JudgeContext): DurationMs | null {
  const { shouldRetry, retryAtMs } = answer.limits;
  const waitMs = Math.max(0, (retryAtMs ?? context.nowMs) - context.nowMs);
  if (shouldRetry === false || waitMs > MAX_RETRY_DELAY_MS) {
    return null;
  }
  return durationMs(Math.max(waitMs, retryDelay(context)));
}

/** Between half and all of delayMs x backoff^attempt, at most 10 s. */
function retryDelay(context: JudgeContext): DurationMs {
  const { delayMs, backoff, attempt } = context.retry;
  const fullMs = Math.min(MAX_RETRY_DELAY_MS, delayMs * backoff ** attempt);
  return durationMs(Math.round(fullMs * (0.5 + context.random / 2)));
}

function originFailed(on: PoolSubject, cause: string, context: JudgeContext): PoolEvent {
  return { type: "origin_failed", on, cause, atMs: context.nowMs };
}

function next(reason: ReasonCode, cause: string, learn: readonly PoolEvent[]): Judged {
  return { action: "next", reason, cause, learn };
}

function settled(judged: Judged): Verdict {
  return { ...judged, delayMs: NO_DELAY };
}
