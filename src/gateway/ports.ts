import type { ClientKeyId } from "../domain/access/client-key-id.ts";
import type { KeyAccess } from "../domain/access/key-access.ts";
import type { Account, AccountId, CredentialKind } from "../domain/account/account.ts";
import type { Renewal } from "../domain/failover/judge.ts";
import type { AttemptFailure } from "../domain/failover/outcome.ts";
import type { LedgerBegin, LedgerSettle, RequestId } from "../domain/ledger/record.ts";
import type { PoolEvent } from "../domain/pool/pool-event.ts";
import type { Move, Why } from "../domain/selection/choice.ts";
import type { Result } from "../kernel/result.ts";
import type { Secret } from "../kernel/secret.ts";
import type { DurationMs, EpochMs } from "../kernel/time.ts";
import type { RequestClass } from "./request-class.ts";

/** Name as received (case kept where the wire kept it) and value, in wire order. Repeated names are repeated entries. */
export type HeaderField = readonly [name: string, value: string];

/** Tells that nobody waits any more. Every `AbortSignal` is one; the listener has a cheaper one of its own. */
export interface GoneSignal {
  readonly aborted: boolean;
  addEventListener(type: "abort", listener: () => void): void;
  removeEventListener(type: "abort", listener: () => void): void;
}

/** Wall clock and waiting, so that tests own the time. */
export interface Clock {
  now(): EpochMs;
  /** Resolves after `span`, or at once when `signal` aborts. Never rejects. */
  sleep(span: DurationMs, signal: GoneSignal): Promise<void>;
  /** Calls back about every `span` until the returned function is called. Does not keep the process alive. */
  every(span: DurationMs, callback: () => void): () => void;
}

/** Uniform in [0, 1). */
export type Random = () => number;

export interface Ledger {
  /**
   * Never throws, never waits for the database. When it returns, the row survives `kill -9` (it is in the spool),
   * or it is held in bounded memory because the disk refuses it; beyond that bound it is dropped and counted.
   */
  begin(entry: LedgerBegin): void;
  /** Same promise. Called exactly once for every begun id. */
  settle(entry: LedgerSettle): void;
}

/** Who calls: the result of checking a client key. */
export type Caller = { readonly keyId: ClientKeyId; readonly keyName: string; readonly access: KeyAccess };

export interface ClientKeys {
  /** Synchronous, in memory, at most 10 us: format and CRC first, then one HMAC and one map look-up. */
  verify(presented: string): Caller | null;
}

/** An account with the credential that opens it. */
export type Lease = { readonly account: Account; readonly credential: Secret };

export interface Accounts {
  /** Ordered by priority, then name. The array is replaced, never mutated, when accounts change. */
  snapshot(): readonly Account[];
  /** Null when the account was removed, or its credential cannot be decrypted. */
  credential(account: Account): Secret | null;
  /** An answer named the organization of an account that had none: the next snapshot knows it. Never throws. */
  learnOrganization(id: AccountId, organization: string): void;
  /**
   * Upstream refused this very credential with 401. A login that renews itself is renewed, once for all who ask; null
   * when the account has none. Never rejects. Absent where no account renews itself.
   */
  renew?(account: Account, refused: Secret): Promise<Renewal | null>;
}

/**
 * Carries what one process learned of the pool to all that share it. Everything that is published comes back through
 * `onEvents`, to the publisher too, and only what came back counts: so that all agree on one order.
 */
export interface PoolCoordination {
  /** Never throws by itself, never waits. */
  publish(events: readonly PoolEvent[]): void;
  onEvents(listener: (events: readonly PoolEvent[]) => void): void;
}

/** Counts and events for the operator. Never throws, never waits. */
export interface Observer {
  /** An answer or failure of one upstream request, and what was decided. `event` is a stable word for the log. */
  attempted(attempt: {
    readonly requestId: RequestId;
    readonly account: Account;
    readonly event: string;
    readonly status: number | null;
    readonly action: "relay" | "retry_same" | "next";
    /** Why this account, and where its conversation lives when that is not here. */
    readonly why: Why;
    readonly move: Move | null;
  }): void;
  /** One request has waited for an account, all its waits together. */
  waited(requestClass: RequestClass, waitedMs: DurationMs): void;
  learned(events: readonly PoolEvent[]): void;
  settled(begin: LedgerBegin, settle: LedgerSettle): void;
}

// --- upstream ---------------------------------------------------------------------------------------------------

export type UpstreamDeadlines = {
  readonly connectMs: DurationMs;
  /** From the request fully written to the end of the response headers. */
  readonly headersMs: DurationMs;
  /** Longest silence between two body reads. Not counted while the reader has paused the body. */
  readonly idleMs: DurationMs;
  /** From send() to the end of the body. */
  readonly totalMs: DurationMs;
};

export type UpstreamRequest = {
  /** As in `Account.baseUrl`; its path prefix is put before `target`. */
  readonly baseUrl: string;
  readonly method: string;
  /** Path with query, starting with "/". */
  readonly target: string;
  /** Sent in this order. Host, Content-Length, Connection and the credential are added by the client, never given here. */
  readonly headers: readonly HeaderField[];
  readonly credentialKind: CredentialKind;
  /** Null: the request carries none in its headers. */
  readonly credential: Secret | null;
  /** Kept by the caller, never changed by the client: the same bytes may be sent again to another account. */
  readonly body: Uint8Array | null;
  readonly deadlines: UpstreamDeadlines;
};

/**
 * connect: refused, unresolved, unreachable or TLS failed, nothing was sent. connect_timeout. address_refused: the SSRF
 * check said no. headers_timeout, idle_timeout, total_timeout. reset: the peer closed or reset early, including a body
 * shorter than it promised. protocol: what arrived is not acceptable HTTP/1.1. aborted: our own signal.
 */
export type UpstreamFailureKind = AttemptFailure | "aborted";

export type UpstreamFailure = {
  readonly kind: UpstreamFailureKind;
  /** For the log: names the fact, holds no header value, no body and no credential. */
  readonly detail: string;
  /** Did any byte of the request reach the socket? */
  readonly wasSent: boolean;
};

/** Receives one body, in order. Exactly one of onEnd and onFailure is called, last. Callbacks must not throw. */
export interface BodySink {
  /** The sink may keep the chunk; nobody writes to it again. Never empty. */
  onChunk(chunk: Uint8Array): void;
  /** The body reached the end that its framing promised. */
  onEnd(): void;
  onFailure(failure: UpstreamFailure): void;
}

/** A body that is pushed, so that one event costs one call and no promise. */
export interface PushBody {
  /** Called once. Bytes that came with the headers are delivered inside this call. Until then the socket is paused. */
  subscribe(sink: BodySink): void;
  /** Stops reading from the socket (TCP backpressure). At most one read more is delivered. Idempotent. */
  pause(): void;
  resume(): void;
  /** Destroys the connection now; no callback follows. Idempotent, and a no-op after the end. */
  cancel(): void;
}

export type UpstreamResponse = {
  readonly status: number;
  readonly headers: readonly HeaderField[];
  readonly body: PushBody;
  /** Framing: the exact body length when Content-Length gave it, else null. */
  readonly contentLength: number | null;
};

export interface Upstream {
  /**
   * Sends one request, once: no hidden retry, no redirect, no decompression. Resolves when the headers are complete.
   * Never rejects. When `signal` aborts, in any phase, the connection is destroyed within 100 ms.
   */
  send(request: UpstreamRequest, signal: GoneSignal): Promise<Result<UpstreamResponse, UpstreamFailure>>;
}
