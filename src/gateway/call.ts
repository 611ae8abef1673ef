import type { ClientAddress } from "../domain/access/client-address.ts";
import type { RequestId } from "../domain/ledger/record.ts";
import type { Result } from "../kernel/result.ts";
import type { EpochMs } from "../kernel/time.ts";
import type { GoneSignal, HeaderField, PushBody } from "./ports.ts";

/** Why a request body could not be read. */
export type BodyProblem = "too_large" | "client_gone" | "too_slow";

/** One request as the listener accepted it; the first room's result. */
export type Call = {
  readonly id: RequestId;
  readonly method: string;
  /** Percent-encoding as received, dot segments resolved; without the query. */
  readonly path: string;
  /** "" or "?..." as received. */
  readonly query: string;
  /** The value, repeated fields joined by ", ". Names are case-insensitive. */
  header(name: string): string | null;
  readonly headers: Iterable<HeaderField>;
  /**
   * Who calls: the socket's peer or, when that is a trusted proxy, whom it forwards for. Found out when first asked.
   * The listener refuses what cannot be told, so that the rooms see an address, or null where there is none.
   */
  readonly client: ClientAddress;
  /** Content-Length; null when the body is chunked; 0 when there is none. */
  readonly declaredBytes: number | null;
  /**
   * Reads the whole body once. Stops at `limitBytes` without buffering more. `reserve` is asked before bytes are
   * kept, piece by piece, and may say no, which ends the read as "over_budget".
   */
  readBody(
    limitBytes: number,
    reserve: (bytes: number) => boolean,
  ): Promise<Result<Uint8Array, BodyProblem | "over_budget">>;
  /** The caller is known: lifts the listener's short idle limit. From here the gateway's own deadlines hold. */
  admitted(): void;
  /** The gateway gives the request up: `signal` aborts as if the client had left, but the client still gets an answer. */
  abandon(): void;
  /** Aborts when the client leaves, or the gateway gives the request up. */
  readonly signal: GoneSignal;
  readonly acceptedAtMs: EpochMs;
  /** TLS ends in this process. False behind a proxy that terminates it, whatever the client spoke to the proxy. */
  readonly isTls: boolean;
};

/** What goes back to the client. */
export type Answer = {
  readonly status: number;
  readonly headers: readonly HeaderField[];
  /** Whole bytes, a pushed body, or nothing (HEAD, 204). */
  readonly body: Uint8Array | PushBody | null;
  /** Length of a pushed body when it is known; without it the body is sent in chunks. */
  readonly contentLength?: number | null;
  /** The connection is closed behind it. Default: only when the request asks for it, or its body was not read. */
  readonly mustClose?: boolean;
};
