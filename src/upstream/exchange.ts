import type {
  BodySink,
  PushBody,
  UpstreamFailure,
  UpstreamFailureKind,
  UpstreamRequest,
  UpstreamResponse,
} from "../gateway/ports.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import type { Origin } from "./base-url.ts";
import { type ChunkedReader, createChunkedReader, readChunked } from "./chunked-body.ts";
import type { Connection, ConnectionUser } from "./connection.ts";
import type { Deadlines, Timed } from "./deadlines.ts";
import type { Dial, Dialer } from "./dialer.ts";
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
  readonly signal: AbortSignal;
  readonly settle: (result: Result<UpstreamResponse, UpstreamFailure>) => void;
};

/** `ended`: all bytes arrived and the connection is given back; the sink may not know yet. `over`: nothing follows. */
type Phase = "connecting" | "writing" | "waiting" | "body" | "ended" | "over";

/** A body up to this size goes out in one write with the head; beyond, copying costs more than a second write. */
const JOINED_BODY_BYTES = 16_384;

/** One request and its response on one connection. */
export class Exchange implements ConnectionUser, PushBody, Timed {
  deadlineIndex = -1;
  readonly #room: ExchangeRoom;
  readonly #request: UpstreamRequest;
  readonly #origin: Origin;
  readonly #signal: AbortSignal;
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
  #chunked: ChunkedReader | null = null;
  #bytesLeft = 0;
  /** The peer answered before it had the whole request: it may take the rest for another one. */
  #mustClose = false;

  #sink: BodySink | null = null;
  #isPaused = false;
  #isPumping = false;
  /** Arrived and not delivered: what came with the head, and one read more before the socket stops. */
  #held: Buffer[] = [];
  /** How the peer closed while `#held` was not empty. */
  #closedBehindHeld: "clean" | "unclean" | null = null;
  #failure: UpstreamFailure | null = null;

  constructor({ room, request, origin, head, signal, settle }: ExchangeOptions) {
    this.#room = room;
    this.#request = request;
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

  /** Ends the exchange with a failure, unless it has ended: tells the caller or the sink, and destroys the connection. */
  fail(kind: UpstreamFailureKind, fact: string): void {
    if (this.#phase === "ended" || this.#phase === "over") return;
    const failure: UpstreamFailure = {
      kind,
      detail: `Cannot finish the request to ${this.#origin.host}: ${fact}`,
      wasSent: this.#wasSent,
    };
    const sink = this.#sink;
    this.#stop();
    if (this.#settle !== null) this.#settleWith(err(failure));
    else if (sink === null) this.#failure = failure;
    else sink.onFailure(failure);
  }

  checkDeadlines(nowMs: number): void {
    const { deadlines } = this.#request;
    if (nowMs >= this.#totalEndsAtMs) {
      this.fail("total_timeout", `it took longer than ${deadlines.totalMs} ms`);
      return;
    }
    if (nowMs < this.#phaseEndsAtMs) return;
    if (this.#phase === "connecting") {
      this.fail("connect_timeout", `no connection within ${deadlines.connectMs} ms`);
    } else if (this.#phase === "writing") {
      this.fail("headers_timeout", `no request byte was accepted for ${deadlines.headersMs} ms`);
    } else if (this.#phase === "waiting") {
      this.fail("headers_timeout", `no response head within ${deadlines.headersMs} ms`);
    } else if (this.#phase === "body" && this.#isReading()) {
      this.fail("idle_timeout", `no body byte for ${deadlines.idleMs} ms`);
    }
  }

  // --- the body, as its reader sees it -------------------------------------------------------------------------

  // hot path
  subscribe(sink: BodySink): void {
    if (this.#sink !== null) throw new Error("Cannot subscribe to a body: it has a reader already");
    if (this.#failure !== null) {
      const failure = this.#failure;
      this.#failure = null;
      sink.onFailure(failure);
      return;
    }
    this.#sink = sink;
    this.#phaseEndsAtMs = this.#room.deadlines.after(this.#request.deadlines.idleMs);
    this.#pump();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#phaseEndsAtMs = this.#room.deadlines.after(this.#request.deadlines.idleMs);
    this.#pump();
  }

  cancel(): void {
    if (this.#phase !== "ended" && this.#phase !== "over") this.#stop();
    this.#phase = "over";
    this.#failure = null;
    this.#held = [];
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
    if (this.#phase !== "body") return;
    if (!this.#isReading() || this.#isPumping) {
      this.#connection?.pause();
      this.#held.push(chunk);
      return;
    }
    this.#phaseEndsAtMs = this.#room.deadlines.after(this.#request.deadlines.idleMs);
    this.#isPumping = true;
    this.#consume(chunk);
    this.#isPumping = false;
    if (this.#held.length > 0) this.#pump();
  }

  onProgress(isComplete: boolean): void {
    this.#wasSent = true;
    if (this.#phase !== "writing") return;
    this.#phaseEndsAtMs = this.#room.deadlines.after(this.#request.deadlines.headersMs);
    if (isComplete) this.#phase = "waiting";
  }

  onClosed(isClean: boolean): void {
    this.#connection = null;
    if (this.#phase === "writing" || this.#phase === "waiting") {
      this.fail("reset", `the connection was closed before the ${this.#phase === "writing" ? "request was sent" : "response"}`);
    } else if (this.#held.length > 0) {
      this.#closedBehindHeld = isClean ? "clean" : "unclean";
    } else {
      this.#onInputEnd(isClean);
    }
  }

  // --- inside --------------------------------------------------------------------------------------------------

  /** False when the connection takes no byte any more. */
  // hot path
  #begin(connection: Connection): boolean {
    const { scratch, deadlines } = this.#room;
    const { body } = this.#request;
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
    this.#wasSent = writtenBytes > 0;
    this.#phase = connection.isWriting ? "writing" : "waiting";
    this.#phaseEndsAtMs = deadlines.after(this.#request.deadlines.headersMs);
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
    if (head.framing === "chunked") this.#chunked = createChunkedReader();
    this.#bytesLeft = head.contentLength ?? 0;
    if ((head.framing === "none" || head.framing === "length") && rest.length >= this.#bytesLeft) {
      // All is here: the connection need not wait for the reader.
      if (this.#bytesLeft > 0) this.#held.push(rest.subarray(0, this.#bytesLeft));
      this.#giveBack(rest.length > this.#bytesLeft);
    } else if (rest.length > 0) {
      this.#held.push(rest);
    }
    const { status, headers, contentLength } = head;
    this.#settleWith(ok({ status, headers, contentLength, body: this }));
  }

  #isReading(): boolean {
    return this.#sink !== null && !this.#isPaused && this.#held.length === 0;
  }

  /** Delivers what is held while the reader takes it, then the end if that is reached, else reads on. */
  #pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    while (!this.#isPaused && this.#phase !== "over") {
      const chunk = this.#held.shift();
      if (chunk === undefined) break;
      if (this.#phase === "ended") this.#sink?.onChunk(chunk);
      else this.#consume(chunk);
    }
    this.#isPumping = false;
    if (this.#isPaused || this.#held.length > 0 || this.#sink === null) return;
    if (this.#phase === "ended") this.#tellEnd();
    else if (this.#phase === "body" && this.#closedBehindHeld !== null) {
      this.#onInputEnd(this.#closedBehindHeld === "clean");
    } else if (this.#phase === "body") this.#connection?.resume();
  }

  // hot path
  #consume(chunk: Buffer): void {
    if (this.#response?.framing === "chunked") this.#consumeChunked(chunk);
    else if (this.#response?.framing === "length") this.#consumeLength(chunk);
    else this.#sink?.onChunk(chunk);
  }

  // hot path
  #consumeLength(chunk: Buffer): void {
    const isLast = chunk.length >= this.#bytesLeft;
    const piece = chunk.length > this.#bytesLeft ? chunk.subarray(0, this.#bytesLeft) : chunk;
    this.#bytesLeft -= piece.length;
    if (isLast) this.#giveBack(chunk.length > piece.length);
    this.#sink?.onChunk(piece);
    if (isLast) this.#tellEnd();
  }

  // hot path
  #consumeChunked(chunk: Buffer): void {
    const reader = this.#chunked;
    if (reader === null) return;
    let next = 0;
    for (;;) {
      const step = readChunked(reader, chunk, next);
      next = reader.next;
      if (step === "more") return;
      if (step === "bad") return this.fail("protocol", "the chunked framing of the body is malformed");
      if (step === "done") {
        this.#giveBack(next < chunk.length);
        return this.#tellEnd();
      }
      this.#sink?.onChunk(chunk.subarray(reader.pieceStart, next));
      if (this.#phase !== "body") return;
      if (this.#isPaused) {
        if (next < chunk.length) this.#held.unshift(chunk.subarray(next));
        return;
      }
    }
  }

  #onInputEnd(isClean: boolean): void {
    if (this.#phase !== "body") return;
    if (this.#response?.framing !== "close" || !isClean) {
      this.fail("reset", "the connection was closed before the end of the body");
      return;
    }
    this.#giveBack(false);
    if (this.#sink !== null) this.#tellEnd();
  }

  /** A reader that paused hears of the end when it resumes. */
  #tellEnd(): void {
    if (this.#phase !== "ended" || this.#isPaused) return;
    this.#phase = "over";
    this.#sink?.onEnd();
  }

  /** The response is complete. `hasExtra`: more bytes came than belong to it, so the connection is not trusted. */
  // hot path
  #giveBack(hasExtra: boolean): void {
    const connection = this.#connection;
    this.#connection = null;
    this.#phase = "ended";
    if (connection !== null) {
      const isReusable = !hasExtra && !this.#mustClose && this.#response?.isReusable === true && connection.isUsable;
      if (isReusable) {
        // A paused socket would hide that the peer closes it or speaks unasked.
        connection.resume();
        this.#room.pool.put(connection, performance.now());
      } else if (hasExtra || this.#mustClose) {
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
    this.#held = [];
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
