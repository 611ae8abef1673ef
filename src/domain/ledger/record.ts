import type { Brand } from "../../kernel/brand.ts";
import type { DurationMs, EpochMs } from "../../kernel/time.ts";
import type { ClientKeyId } from "../access/client-key-id.ts";
import type { AccountId } from "../account/account.ts";
import type { Usage } from "../usage/usage.ts";

/** UUIDv7: sorts by time, and is the primary key that makes ingestion exactly-once. */
export type RequestId = Brand<string, "RequestId">;

/**
 * in_flight: begun, not settled. completed: the answer reached its own end. upstream_error: the answer was an error.
 * client_gone: the client left first. truncated: upstream stopped before its end. refused: we answered, upstream saw nothing.
 * revoked: the client key was revoked while it ran, and we ended it. interrupted: this process died in between.
 */
export type RequestOutcome =
  | "in_flight"
  | "completed"
  | "upstream_error"
  | "client_gone"
  | "truncated"
  | "refused"
  | "revoked"
  | "interrupted";

/** Written before the first byte leaves for upstream. */
export type LedgerBegin = {
  readonly id: RequestId;
  readonly startedAtMs: EpochMs;
  readonly clientKeyId: ClientKeyId;
  readonly method: string;
  /** Path without the query: a query may carry what must not be stored. */
  readonly path: string;
  readonly model: string | null;
  readonly isStream: boolean;
  readonly requestBytes: number;
  /** The first account tried; null when the request is refused before any. */
  readonly accountId: AccountId | null;
};

/** Written once, when the walk ends, however it ended. */
export type LedgerSettle = {
  readonly id: RequestId;
  readonly settledAtMs: EpochMs;
  /** The status that the client saw; null when it left before one was sent. */
  readonly status: number | null;
  readonly outcome: Exclude<RequestOutcome, "in_flight" | "interrupted">;
  /** The account that gave the relayed answer, else the last one tried; null when none was. */
  readonly accountId: AccountId | null;
  /** Requests sent upstream for this one, 0 when refused. */
  readonly attempts: number;
  readonly queueMs: DurationMs;
  /** From accept to the first body byte handed to the client; null when there was none. */
  readonly firstByteMs: DurationMs | null;
  readonly totalMs: DurationMs;
  readonly responseBytes: number;
  readonly usage: Usage | null;
  /** Upstream's `request-id` header, for a support case. */
  readonly upstreamRequestId: string | null;
  /** `error.type` that the client saw, e.g. "overloaded_error". */
  readonly errorType: string | null;
  /** How the account was chosen: `encodeDecision` of domain/decision, at most 2,000 characters. */
  readonly decision: string | null;
  /** The key of the conversation (domain/affinity); the ledger keeps a hash of it alone. Null when there is none. */
  readonly conversation: string | null;
  /** At list prices; null when nothing was metered or the model's price is not known. */
  readonly costMicroUsd: number | null;
  /** Thinking blocks that upstream reported as removed from the input; null when it reported nothing. */
  readonly thinkingDropped: number | null;
};

export function requestId(value: string): RequestId {
  return value as RequestId;
}
