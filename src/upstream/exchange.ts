import type {
  GoneSignal,
  UpstreamDeadlines,
  UpstreamFailure,
  UpstreamFailureKind,
  UpstreamRequest,
  UpstreamResponse,
} from "../gateway/ports.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import type { Origin } from "./base-url.ts";
import type { Connection, ConnectionUser } from "./connection.ts";
import type { Deadlines, Timed } from "./deadlines.ts";
import type { Dial, Dialer } from "./dialer.ts";
import { type BodySource, IncomingBody } from "./incoming-body.ts";
import type { Pool } from "./pool.ts";
import { createHeadReader, type HeadReader, type ResponseHead, readHead } from "./response-head.ts";

/** What all exchanges of one client share. */
export type ExchangeRoom = {
  readonly pool: Pool;
  readonly dialer: Dialer;
  readonly deadlines: Deadlines;
  readonly maxResponseHeaderBytes: number;
  /** Requests are put together here and copied by the socket; nothing is kept in it between two calls. */
  readonly scratch: Buffer;
  /** The connection was given back, or is gone. Once for each exchange. */
  readonly onDone: (exchange: Exchange) => void;
};

export type ExchangeOptions = {
  readonly room: ExchangeRoom;
  readonly request: UpstreamRequest;
  readonly origin: Origin;
  /** The whole head, one byte per character. Holds the credential: it is forgotten once written. */
  readonly head: string;
  readonly signal: GoneSignal;
  readonly settle: (result: Result<UpstreamResponse, UpstreamFailure>) => void;
};

/** `over`: the connection was given back or destroyed; the reader of the body may not have all of it yet. */
type Phase = "connecting" | "writing" | "waiting" | "body" | "over";

/** A body up to this size goes out in one write with the head; beyond, copying costs more than a second write. */
const JOINED_BODY_BYTES = 16_384;

/** One request and its response on one connection. */
export class Exchange implements ConnectionUser, BodySource, Timed {
  deadlineIndex = -1;
  readonly #room: ExchangeRoom;
  readonly #limits: UpstreamDeadlines;
  /** Null once the connection has it: a stream that runs for an hour must not hold the request that began it. */
  #requestBody: Uint8Array | null;
  readonly #origin: Origin;
  readonly #signal: GoneSignal;
  readonly #onAbort = () => this.fail("aborted", "the caller aborted");
  readonly #totalEndsAtMs: number;
  #head: string;
  #settle: ExchangeOptions["settle"] | null;
  #phase: Phase = "connecting";
  #phaseEndsAtMs: number;
  #dial: Dial | null = null;
  #connection: Connection | null = null;
  #wasSent = false;

  readonly #reader: HeadReader;
  #response: ResponseHead | null = null;
  #body: IncomingBody | null = null;
  /** The peer answered before it had the whole request: it may take the rest for another one. */
  #mustClose = false;

  constructor({ room, request, origin, head, signal, settle }: ExchangeOptions) {
    this.#room = room;
    this.#limits = request.deadlines;
    this.#requestBody = request.body;
    this.#origin = origin;
    this.#signal = signal;
    this.#head = head;
    this.#settle = settle;
    this.#reader = createHeadReader(room.maxResponseHeaderBytes, request.method === "HEAD");
    this.#totalEndsAtMs = room.deadlines.after(request.deadlines.totalMs);
    this.#phaseEndsAtMs = room.deadlines.after(request.deadlines.connectMs);
  }

  // hot path
  start(): void {
    this.#signal.addEventListener("abort", this.#onAbort);
    this.#room.deadlines.add(this);
    for (;;) {
      const connection = this.#room.pool.take(this.#origin.key, performance.now());
      if (connection === null) break;
      // A socket that takes no byte was closed by the peer just now: nothing was sent, so another one may be used.
      if (this.#begin(connection)) return;
    }
    this.#dial = this.#room.dialer.dial(this.#origin, (dialed) => {
      this.#dial = null;
      if (!dialed.ok) this.fail(dialed.error.kind, dialed.error.detail);
      else if (!this.#begin(dialed.value)) this.fail("connect", "the connection was closed before the request");
    });
  }

  /** Ends the exchange with a failure, unless it is over: tells the caller or the reader, and destroys the connection. */
  fail(kind: UpstreamFailureKind, fact: string): void {
    if (this.#phase === "over") return;
    const failure: UpstreamFailure = {
      kind,
      detail: `Cannot finish the request to ${this.#origin.host}: ${fact}`,
      wasSent: this.#wasSent,
    };
    this.#stop();
    if (this.#settle !== null) this.#settleWith(err(failure));
    else this.#body?.fail(failure);
  }

  checkDeadlines(nowMs: number): void {
    const limits = this.#limits;
    if (nowMs >= this.#totalEndsAtMs) {
      this.fail("total_timeout", `it took longer than ${limits.totalMs} ms`);
      return;
    }
    if (nowMs < this.#phaseEndsAtMs) return;
    if (this.#phase === "connecting") {
      this.fail("connect_timeout", `no connection within ${limits.connectMs} ms`);
    } else if (this.#phase === "writing") {
      this.fail("headers_timeout", `no request byte was accepted for ${limits.headersMs} ms`);
    } else if (this.#phase === "waiting") {
      this.fail("headers_timeout", `no response head within ${limits.headersMs} ms`);
    } else if (this.#phase === "body" && this.#body?.isReading === true) {
      this.fail("idle_timeout", `no body byte for ${limits.idleMs} ms`);
    }
  }

  // --- what the body says --------------------------------------------------------------------------------------

  pauseReading(): void {
    this.#connection?.pause();
  }

  // hot path
  resumeReading(): void {
    this.#phaseEndsAtMs = this.#room.deadlines.after(this.#limits.idleMs);
    this.#connection?.resume();
  }

  // hot path
  onBodyEnd(hasExtra: boolean): void {
    if (this.#phase !== "over") this.#giveBack(hasExtra);
  }

  onBodyBroken(kind: "protocol" | "reset", fact: string): void {
    this.fail(kind, fact);
  }

  onBodyCancelled(): void {
    if (this.#phase !== "over") this.#stop();
  }

  // --- what the connection says --------------------------------------------------------------------------------

  // hot path
  onBytes(chunk: Buffer): void {
    if (this.#phase === "waiting" || this.#phase === "writing") {
      const step = readHead(this.#reader, chunk);
      if (step.kind === "bad") this.fail("protocol", step.fact);
      else if (step.kind === "head") this.#onHead(step.head, step.rest);
      return;
    }
    this.#phaseEndsAtMs = this.#room.deadlines.after(this.#limits.idleMs);
    this.#body?.accept(chunk);
  }

  onProgress(isComplete: boolean): void {
    this.#wasSent = true;
    if (this.#phase !== "writing") return;
    this.#phaseEndsAtMs = this.#room.deadlines.after(this.#limits.headersMs);
    if (isComplete) this.#phase = "waiting";
  }

  onClosed(isClean: boolean): void {
    this.#connection = null;
    if (this.#phase === "writing" || this.#phase === "waiting") {
      this.fail(
        "reset",
        `the connection was closed before the ${this.#phase === "writing" ? "request was sent" : "response"}`,
      );
    } else {
      this.#body?.closed(isClean);
    }
  }

  // --- inside --------------------------------------------------------------------------------------------------

  /** False when the connection takes no byte any more. */
  // hot path
  #begin(connection: Connection): boolean {
    const { scratch, deadlines } = this.#room;
    const body = this.#requestBody;
    const head = this.#head;
    const joinedBytes = body !== null && body.length <= JOINED_BODY_BYTES ? body.length : 0;
    const lengthBytes = head.length + joinedBytes;
    const bytes = lengthBytes <= scratch.length ? scratch : Buffer.allocUnsafe(lengthBytes);
    bytes.write(head, 0, "latin1");
    if (body !== null && joinedBytes > 0) bytes.set(body, head.length);
    connection.user = this;
    this.#connection = connection;
    const writtenBytes = connection.write(bytes, lengthBytes, body !== null && joinedBytes === 0 ? body : null);
    if (writtenBytes < 0) {
      this.#connection = null;
      connection.destroy();
      return false;
    }
    this.#head = "";
    this.#requestBody = null;
    this.#wasSent = writtenBytes > 0;
    this.#phase = connection.isWriting ? "writing" : "waiting";
    this.#phaseEndsAtMs = deadlines.after(this.#limits.headersMs);
    return true;
  }

  // hot path
  #onHead(head: ResponseHead, rest: Buffer): void {
    if (this.#phase === "writing") {
      this.#mustClose = true;
      this.#connection?.dropUnsent();
    }
    this.#response = head;
    this.#phase = "body";
    const body = new IncomingBody(this, head);
    this.#body = body;
    body.startWith(rest);
    const { status, headers, contentLength } = head;
    this.#settleWith(ok({ status, headers, contentLength, body }));
  }

  /** The response is complete. `hasExtra`: more bytes came than belong to it, so the connection is not trusted. */
  // hot path
  #giveBack(hasExtra: boolean): void {
    const connection = this.#connection;
    this.#connection = null;
    this.#phase = "over";
    if (connection !== null) {
      const isReusable = !hasExtra && !this.#mustClose && this.#response?.isReusable === true && connection.isUsable;
      if (isReusable) {
        // A paused socket would hide that the peer closes it or speaks unasked.
        connection.resume();
        this.#room.pool.put(connection, performance.now());
      } else if (hasExtra) {
        connection.destroyUnasked();
      } else if (this.#mustClose) {
        connection.destroy();
      } else {
        connection.close();
      }
    }
    this.#leave();
  }

  /** Ends without a word to anybody. */
  #stop(): void {
    const connection = this.#connection;
    this.#connection = null;
    this.#phase = "over";
    this.#head = "";
    this.#dial?.cancel();
    this.#dial = null;
    connection?.destroy();
    this.#leave();
  }

  #leave(): void {
    this.#signal.removeEventListener("abort", this.#onAbort);
    this.#room.deadlines.remove(this);
    this.#room.onDone(this);
  }

  #settleWith(result: Result<UpstreamResponse, UpstreamFailure>): void {
    const settle = this.#settle;
    this.#settle = null;
    settle?.(result);
  }
}
