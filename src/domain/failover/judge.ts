import { assertNever } from "../../kernel/result.ts";
import { after, type DurationMs, durationMs, type EpochMs } from "../../kernel/time.ts";
import type { Account, ModelClass } from "../account/account.ts";
import { type PoolEvent, type PoolSubject, subjectOf } from "../pool/pool-event.ts";
import type { PoolState } from "../pool/pool-state.ts";
import { hardReset, isHardStatus, limitedUntil } from "../ratelimit/limit-meaning.ts";
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
};

export type Verdict = {
  /** relay: this is the client's answer. retry_same: again, same account. next: another account, else the last answer. */
  readonly action: "relay" | "retry_same" | "next";
  readonly reason: ReasonCode;
  readonly learn: readonly PoolEvent[];
  /** Wait before the next attempt, already jittered. 0 unless the action is retry_same. */
  readonly delayMs: DurationMs;
};

type Answer = Extract<AttemptOutcome, { kind: "answer" }>;
type Judged = Pick<Verdict, "action" | "reason" | "learn">;

const NO_DELAY = durationMs(0);
const MAX_RETRIES_IN_PLACE = 1;
const MAX_RETRY_DELAY_MS = 10_000;
/** 402, or a spend limit that names no date: looked at again once an hour. */
const PARKED_WITHOUT_DATE_MS = durationMs(3_600_000);
/** An address that may not be called will not become allowed within a request; DNS may change later. */
const ADDRESS_REFUSED_MS = durationMs(300_000);

/** design.md section 6, row by row: what one outcome means for the request and for the pool. */
export function judge(outcome: AttemptOutcome, context: JudgeContext): Verdict {
  const on = subjectOf(context.account, context.model, context.modelClass);
  return outcome.kind === "failure" ? judgeFailure(outcome.failure, on, context) : judgeAnswer(outcome, on, context);
}

function judgeAnswer(answer: Answer, on: PoolSubject, context: JudgeContext): Verdict {
  const { status } = answer;
  if (status >= 500 && status <= 599) {
    return originFault(status === 529 ? "overloaded" : "upstream_error", on, context, answer);
  }
  const isDecision = (status >= 200 && status <= 299) || (status >= 400 && status <= 499);
  // Redirects are never followed and no protocol is switched: asking again would bring the same.
  return settled(
    isDecision ? judgeLivingAnswer(answer, on, context) : next("unexpected_status", [originFailed(on, context)]),
  );
}

/** The upstream is alive and has decided: 2xx and 4xx. */
function judgeLivingAnswer(answer: Answer, on: PoolSubject, context: JudgeContext): Judged {
  const { limits, status } = answer;
  const atMs = context.nowMs;
  if (status < 300) {
    return served(answer, on, context);
  }
  const refused: PoolEvent = { type: "refused", on, limits, atMs };
  if (isOutOfMoney(answer)) {
    return next(moneyReason(answer), [refused, parked(answer, on, context)]);
  }
  switch (status) {
    case 401: {
      const reason = on401(context.account);
      return next(reason, [refused, { type: "credential_refused", on, reason, atMs }]);
    }
    case 403:
      return next("forbidden", [refused, { type: "forbidden", on, atMs }]);
    case 404:
      return context.model === null || answer.errorType !== "not_found_error"
        ? { action: "relay", reason: "client_error", learn: [refused] }
        : next("model_missing", [refused, { type: "model_missing", on, model: context.model, atMs }]);
    case 429:
      return limited(answer, on, context);
    default:
      return { action: "relay", reason: "client_error", learn: [refused] };
  }
}

/** A paid answer is relayed even if its headers say that it was the last one; the bench comes afterwards. */
function served(answer: Answer, on: PoolSubject, context: JudgeContext): Judged {
  const { limits } = answer;
  const atMs = context.nowMs;
  const event: PoolEvent = { type: "served", on, limits, atMs };
  if (!isHardStatus(limits.unified?.status)) {
    return { action: "relay", reason: "served", learn: [event] };
  }
  const untilMs = hardReset(limits, atMs) ?? limits.retryAtMs;
  return { action: "relay", reason: "served", learn: [event, bench({ untilMs, reason: "plan_limit" }, on, context)] };
}

function limited(answer: Answer, on: PoolSubject, context: JudgeContext): Judged {
  const { limits } = answer;
  const untilMs = limitedUntil(limits, context.nowMs);
  const stated = isHardStatus(limits.unified?.status) ? "plan_limit" : "rate_limited";
  const reason = untilMs === null ? "throttled" : stated;
  const refused: PoolEvent = { type: "refused", on, limits, atMs: context.nowMs };
  return next(reason, [refused, bench({ untilMs, reason }, on, context)]);
}

/** Until the stated instant exactly; without one, a probe back-off. */
function bench(
  stated: { readonly untilMs: EpochMs | null; readonly reason: ReasonCode },
  on: PoolSubject,
  context: JudgeContext,
): PoolEvent {
  const { untilMs, reason } = stated;
  return untilMs === null
    ? { type: "throttled", on, random: context.random, atMs: context.nowMs }
    : { type: "benched", on, untilMs, reason, atMs: context.nowMs };
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

function parked(answer: Answer, on: PoolSubject, context: JudgeContext): PoolEvent {
  // Not the resets of the token buckets, which every answer carries: those are seconds away.
  const { limits, errorMessage } = answer;
  const statedMs = regainsAccessAt(errorMessage) ?? hardReset(limits, context.nowMs) ?? limits.retryAtMs;
  const untilMs =
    statedMs !== null && statedMs > context.nowMs ? statedMs : after(context.nowMs, PARKED_WITHOUT_DATE_MS);
  return { type: "parked", on, untilMs, reason: moneyReason(answer), atMs: context.nowMs };
}

/** Refreshing a token before this verdict is the caller's part; a token that is refused then is for its owner. */
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
      return settled(next("protocol_violation", [originFailed(on, context)]));
    case "address_refused": {
      const untilMs = after(context.nowMs, ADDRESS_REFUSED_MS);
      const event: PoolEvent = { type: "parked", on, untilMs, reason: "address_refused", atMs: context.nowMs };
      return settled(next("address_refused", [event]));
    }
    default:
      return assertNever(failure);
  }
}

/** Not the account's fault: once more in place after a short wait, then elsewhere. Only the origin's circuit learns. */
function originFault(reason: ReasonCode, on: PoolSubject, context: JudgeContext, answer?: Answer): Verdict {
  const learn = [originFailed(on, context)];
  const delayMs = answer === undefined ? retryDelay(context) : answeredRetryDelay(answer, context);
  return delayMs === null || context.triedSameOrigin >= MAX_RETRIES_IN_PLACE
    ? settled(next(reason, learn))
    : { action: "retry_same", reason, learn, delayMs };
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

function originFailed(on: PoolSubject, context: JudgeContext): PoolEvent {
  return { type: "origin_failed", on, atMs: context.nowMs };
}

function next(reason: ReasonCode, learn: readonly PoolEvent[]): Judged {
  return { action: "next", reason, learn };
}

function settled(judged: Judged): Verdict {
  return { ...judged, delayMs: NO_DELAY };
}
