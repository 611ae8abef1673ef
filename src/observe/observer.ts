import type { PoolEvent } from "../domain/pool/pool-event.ts";
import type { Observer } from "../gateway/ports.ts";
import { toRfc3339 } from "../kernel/time.ts";
import type { Log } from "./log.ts";
import type { Metrics } from "./metrics.ts";

/**
 * What the data plane tells the operator. A request that went well is a debug line: the ledger has it already, and a line
 * for each would cost more than the rest of the bookkeeping.
 */
export function createObserver(log: Log, metrics: Metrics): Observer {
  return {
    attempted({ requestId, account, event, status, action, why, move }) {
      metrics.attempted({ reason: event, status, action, why, move });
      if (action === "relay" && !log.isEnabled("debug")) return;
      const fields = { requestId, account: account.name, reason: event, status, action, why };
      if (action === "relay") log.debug("Relaying an answer", fields);
      else log.info("An attempt failed", fields);
    },
    waited: (requestClass, waitedMs) => metrics.waited(requestClass, waitedMs),
    learned(events) {
      for (const event of events) logLearned(log, event);
    },
    settled(begin, settle) {
      metrics.settled(settle);
      const isFine = settle.outcome === "completed" || settle.outcome === "client_gone";
      if (isFine && !log.isEnabled("debug")) return;
      const { outcome, status, attempts, queueMs, firstByteMs, totalMs, upstreamRequestId } = settle;
      const fields = {
        requestId: begin.id,
        method: begin.method,
        path: begin.path,
        model: begin.model,
        clientKey: begin.clientKeyId,
        account: settle.accountId,
        ...{ outcome, status, attempts, queueMs, firstByteMs, totalMs, upstreamRequestId },
        reason: settle.errorType ?? undefined,
      };
      if (isFine) log.debug("Request settled", fields);
      else log.info("Request settled", fields);
    },
  };
}

/** Only what changes whether an account may be used; the rest happens on every request. */
function logLearned(log: Log, event: PoolEvent): void {
  switch (event.type) {
    case "benched":
    case "parked":
      log.warn("An account rests", {
        account: event.on.accountId,
        reason: event.reason,
        cause: event.cause,
        until: toRfc3339(event.untilMs),
      });
      return;
    case "credential_refused":
      log.error("An account needs its operator", {
        account: event.on.accountId,
        reason: event.reason,
        cause: event.cause,
      });
      return;
    case "forbidden":
    case "model_missing":
      log.warn("An account cannot serve a model", {
        account: event.on.accountId,
        reason: event.type,
        model: event.on.model,
      });
      return;
    case "organization_learned":
      log.info("An account's organization is known", { account: event.accountId });
      return;
    default:
      return;
  }
}
