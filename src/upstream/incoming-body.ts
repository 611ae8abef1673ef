import type { BodySink, PushBody, UpstreamFailure } from "../gateway/ports.ts";
import { type BodyReader, createBodyReader, readBody } from "./body-reader.ts";
import type { ResponseHead } from "./response-head.ts";

/** Who feeds a body: the exchange with its connection. */
export interface BodySource {
  pauseReading(): void;
  /** The reader takes bytes (again): read, and count its silence from now. */
  resumeReading(): void;
  /** The end was reached. `hasExtra`: bytes followed that belong to no response. */
  onBodyEnd(hasExtra: boolean): void;
  /** Must answer by `IncomingBody.fail`. */
  onBodyBroken(kind: "protocol" | "reset", fact: string): void;
  /** The reader wants no more of it. */
  onBodyCancelled(): void;
}

/** `ended`: all bytes are here, the reader may not have them yet. `over`: nothing follows. */
type BodyState = "open" | "ended" | "over";

/**
 * The body of one response on its way to its reader. It holds what came with the head and, because the socket is told
 * to pause only when bytes come that nobody wants now, one read more.
 */
export class IncomingBody implements PushBody {
  readonly #source: BodySource;
  readonly #reader: BodyReader;
  #state: BodyState = "open";
  #sink: BodySink | null = null;
  #isPaused = false;
  #isPumping = false;
  #held: Buffer[] = [];
  /** How the connection closed while bytes were held. */
  #closedBehindHeld: "clean" | "unclean" | null = null;
  /** Came before there was a reader to tell. */
  #failure: UpstreamFailure | null = null;

  constructor(source: BodySource, head: ResponseHead) {
    this.#source = source;
    this.#reader = createBodyReader(head);
  }

  /** Would a byte that arrives now be delivered? */
  get isReading(): boolean {
    return this.#sink !== null && !this.#isPaused && this.#held.length === 0 && !this.#isPumping;
  }

  /**
   * The bytes that came with the head. When they are the whole body, the connection need not wait for the reader: then
   * the end is told to the source at once.
   */
  // hot path
  startWith(rest: Buffer): void {
    const { framing, bytesLeft } = this.#reader;
    const isWhole = (framing === "none" || framing === "length") && rest.length >= bytesLeft;
    const own = isWhole ? rest.subarray(0, bytesLeft) : rest;
    if (own.length > 0) this.#held.push(own);
    if (!isWhole) return;
    this.#state = "ended";
    this.#source.onBodyEnd(rest.length > bytesLeft);
  }

  /** Bytes from the connection. */
  // hot path
  accept(chunk: Buffer): void {
    if (!this.isReading) {
      this.#source.pauseReading();
      this.#held.push(chunk);
      return;
    }
    this.#isPumping = true;
    this.#consume(chunk);
    this.#isPumping = false;
    if (this.#held.length > 0) this.#pump();
  }

  /** The connection is gone. `isClean`: closed in order, which is the end of a body without other framing. */
  closed(isClean: boolean): void {
    if (this.#held.length > 0) this.#closedBehindHeld = isClean ? "clean" : "unclean";
    else this.#endInput(isClean);
  }

  fail(failure: UpstreamFailure): void {
    if (this.#state !== "open") return;
    this.#state = "over";
    this.#held = [];
    if (this.#sink === null) this.#failure = failure;
    else this.#sink.onFailure(failure);
  }

  // hot path
  subscribe(sink: BodySink): void {
    if (this.#sink !== null) throw new Error("Cannot subscribe to a body: it has a reader already");
    this.#sink = sink;
    if (this.#failure !== null) sink.onFailure(this.#failure);
    else this.#pump();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#pump();
  }

  cancel(): void {
    const wasOpen = this.#state === "open";
    this.#state = "over";
    this.#failure = null;
    this.#held = [];
    if (wasOpen) this.#source.onBodyCancelled();
  }

  /** Delivers what is held while the reader takes it, then the end if that is reached, else reads on. */
  // hot path
  #pump(): void {
    if (this.#isPumping || this.#sink === null) return;
    this.#isPumping = true;
    while (!this.#isPaused && this.#state !== "over") {
      const chunk = this.#held.shift();
      if (chunk === undefined) break;
      if (this.#state === "ended") this.#sink.onChunk(chunk);
      else this.#consume(chunk);
    }
    this.#isPumping = false;
    if (this.#isPaused || this.#state === "over") return;
    if (this.#state === "ended") this.#tellEnd();
    else if (this.#closedBehindHeld !== null) this.#endInput(this.#closedBehindHeld === "clean");
    else this.#source.resumeReading();
  }

  // hot path
  #consume(chunk: Buffer): void {
    let next = 0;
    for (;;) {
      const step = readBody(this.#reader, chunk, next);
      next = this.#reader.next;
      if (step === "more") return;
      if (step === "bad") {
        this.#source.onBodyBroken("protocol", "the chunked framing of the body is malformed");
        return;
      }
      if (step === "done") {
        this.#state = "ended";
        this.#source.onBodyEnd(next < chunk.length);
        this.#tellEnd();
        return;
      }
      if (step === "last_piece") {
        this.#state = "ended";
        this.#source.onBodyEnd(next < chunk.length);
      }
      const isWhole = this.#reader.pieceStart === 0 && next === chunk.length;
      this.#sink?.onChunk(isWhole ? chunk : chunk.subarray(this.#reader.pieceStart, next));
      if (this.#state !== "open") {
        this.#tellEnd();
        return;
      }
      if (this.#isPaused) {
        // Even when nothing is left: the end may be due, and only reading on shows it.
        this.#held.unshift(chunk.subarray(next));
        return;
      }
    }
  }

  #endInput(isClean: boolean): void {
    if (this.#state !== "open") return;
    if (this.#reader.framing !== "close" || !isClean) {
      this.#source.onBodyBroken("reset", "the connection was closed before the end of the body");
      return;
    }
    this.#state = "ended";
    this.#source.onBodyEnd(false);
    this.#tellEnd();
  }

  /** A reader that paused hears of the end when it resumes. */
  #tellEnd(): void {
    if (this.#state !== "ended" || this.#isPaused || this.#sink === null) return;
    this.#state = "over";
    this.#sink.onEnd();
  }
}
