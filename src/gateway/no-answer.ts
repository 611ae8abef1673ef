import type { ModelClass } from "../domain/account/account.ts";
import type { AttemptOutcome } from "../domain/failover/outcome.ts";
import { describeReason, type ReasonCode } from "../domain/failover/reason.ts";
import { type EpochMs, elapsed, toRfc3339 } from "../kernel/time.ts";
import type { Refusal } from "./refusal.ts";

type Skip = { readonly reason: ReasonCode };

/** Claude Code stops retrying when it is told to wait longer (protocol.md P32, P51). */
const MAX_RETRY_AFTER_SECONDS = 60;

/** No account will come back by itself: somebody must act. */
export function noAccount(skips: readonly Skip[]): Refusal {
  return {
    code: "GW_NO_ACCOUNT",
    message:
      skips.length === 0
        ? "Cannot serve the request: the gateway has no account yet. Add one with `better-ccflare account add`"
        : `Cannot serve the request: no account is usable. ${summary(skips)}`,
  };
}

export function allLimited(facts: {
  readonly modelClass: ModelClass;
  readonly skips: readonly Skip[];
  readonly returnsAtMs: EpochMs;
  readonly nowMs: EpochMs;
}): Refusal {
  const { modelClass, skips, returnsAtMs, nowMs } = facts;
  const seconds = Math.ceil(elapsed(nowMs, returnsAtMs) / 1000);
  return {
    code: "GW_ALL_LIMITED",
    message: `Cannot serve the request now: every account rests for the model class "${modelClass}" until ${toRfc3339(returnsAtMs)} at the earliest. ${summary(skips)}`,
    retryAfterSeconds: Math.max(1, Math.min(MAX_RETRY_AFTER_SECONDS, seconds)),
  };
}

export function queueFull(waiting: number): Refusal {
  return {
    code: "GW_QUEUE_FULL",
    message: `Cannot queue the request: ${waiting} requests wait already (queue.maxWaiting)`,
    retryAfterSeconds: 5,
  };
}

/** The gateway dropped a request that still waited for its answer. */
export function gatewayStops(): Refusal {
  return {
    code: "GW_STOPPING",
    message: "Cannot wait for the answer: the gateway is stopping",
    retryAfterSeconds: 5,
  };
}

/** Upstream gave no answer that could be relayed. */
export function upstreamFailed(outcome: AttemptOutcome): Refusal {
  if (outcome.kind === "answer") {
    return {
      code: "GW_UPSTREAM_UNREACHABLE",
      message: `Cannot relay the upstream's answer: status ${outcome.status} has no place in the Claude API`,
    };
  }
  const isTimeout = outcome.failure.endsWith("_timeout");
  return {
    code: isTimeout ? "GW_UPSTREAM_TIMEOUT" : "GW_UPSTREAM_UNREACHABLE",
    message: `Cannot get an answer from the upstream: ${outcome.failure.replaceAll("_", " ")}`,
  };
}

/** "2 accounts: The provider limits ...; 1 account: ...", without names: clients need not know them. */
function summary(skips: readonly Skip[]): string {
  const counts = new Map<ReasonCode, number>();
  for (const { reason } of skips) {
    counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  return [...counts]
    .map(([reason, count]) => `${count} ${count === 1 ? "account" : "accounts"}: ${describeReason(reason)}`)
    .join("; ");
}
