import { requestId } from "../../domain/ledger/record.ts";
import type { Answer, BodyProblem } from "../../gateway/call.ts";
import { type Refusal, refusalAnswer } from "../../gateway/refusal.ts";
import { err, ok, type Result } from "../../kernel/result.ts";
import { type AnswerOwner, AnswerWriter } from "./answer-writer.ts";
import type { ConnectionRoom } from "./connection-room.ts";
import { type HeadProblem, problemRefusal } from "./head-problem.ts";
import { type CallSource, HttpCall } from "./http-call.ts";
import { Outbox, type Sending } from "./outbox.ts";
import { MORE, scanHead } from "./request-head.ts";
import { feedUpload, openUpload, type Upload } from "./upload.ts";

/** The part of Bun's TCP and TLS sockets that a connection needs. */
export interface ServerSocket extends Sending {
  pause(): void;
  resume(): void;
  /** Sends FIN and goes on reading. */
  shutdown(): void;
  /** Resets the connection, now. */
  terminate(): void;
}

type ReadResult = Result<Uint8Array, BodyProblem | "over_budget">;

type Reading = { readonly upload: Upload; readonly resolve: (result: ReadResult) => void; readonly startMs: number };

/**
 * fresh: no byte came yet. head: some of a request head. idle: between two requests. call: the gateway works, the body
 * may be coming in. answer: bytes go out. lingering: all was said, what still comes in is dropped.
 */
type Phase = "fresh" | "head" | "idle" | "call" | "answer" | "lingering" | "closed";

const HEAD_MS = 10_000;
const IDLE_MS = 15_000;
const WRITE_STALL_MS = 60_000;
const LINGER_MS = 1_000;
const LINGER_BYTES = 64 * 1024;
/** An upload gets ten seconds, and then must have come at 1 KiB a second on average (security.md D23). */
const UPLOAD_GRACE_MS = 10_000;
const UPLOAD_BYTES_PER_MS = 1.024;
/** Input that nobody asked for yet: the next requests of a pipelining client. Beyond it the socket is not read. */
const MAX_HELD_BYTES = 64 * 1024;
/** Requests of one client that are answered before all others get their turn. */
const MAX_BURST = 16;

const NO_BYTES = Buffer.alloc(0);
const NO_BODY = new Uint8Array(0);
const CONTINUE = Buffer.from("HTTP/1.1 100 Continue\r\n\r\n");
const INTERNAL: Refusal = { code: "GW_INTERNAL", message: "Cannot serve the request: the gateway failed" };
const HEAD_TOO_SLOW: Refusal = {
  code: "GW_HEAD_TOO_SLOW",
  message: `Cannot read the request: its head did not arrive within ${HEAD_MS / 1_000} seconds`,
};

/** One client connection: requests one after the other, each read, served and answered before the next is looked at. */
export class Connection implements CallSource, AnswerOwner {
  readonly #room: ConnectionRoom;
  readonly #socket: ServerSocket;
  readonly #outbox: Outbox;
  readonly #writer: AnswerWriter;
  #phase: Phase = "fresh";
  #deadlineMs: number;
  /** Bytes that belong to no request yet. */
  #input: Buffer = NO_BYTES;
  #isPaused = false;
  #burst = 0;
  #isAdvancing = false;
  #isYielding = false;
  #lingeredBytes = 0;

  #call: HttpCall | null = null;
  #reading: Reading | null = null;
  #isBodyRead = true;
  #bodyProblem: HeadProblem | null = null;
  #mustClose = false;

  // Bound once, so that a request makes no closure. Calls of one connection never overlap.
  readonly #onAnswer = (answer: Answer | null) => this.#answer(answer);
  readonly #onThrow = (cause: unknown) => this.#answerThrown(cause);

  constructor(socket: ServerSocket, room: ConnectionRoom) {
    this.#socket = socket;
    this.#room = room;
    this.#outbox = new Outbox(socket);
    this.#writer = new AnswerWriter({ room, outbox: this.#outbox, owner: this });
    this.#deadlineMs = room.nowMs + HEAD_MS;
  }

  // --- the socket's events -------------------------------------------------------------------------------------

  // hot path
  onData(chunk: Buffer): void {
    switch (this.#phase) {
      case "fresh":
      case "idle":
      case "head":
        this.#hold(chunk);
        this.#advance();
        break;
      case "call":
        if (this.#reading !== null) this.#feed(this.#reading, chunk);
        else this.#hold(chunk);
        break;
      case "answer":
        this.#hold(chunk);
        break;
      case "lingering":
        this.#lingeredBytes += chunk.length;
        if (this.#lingeredBytes > LINGER_BYTES) this.destroy();
        break;
      default:
        break;
    }
  }

  onDrain(): void {
    if (this.#outbox.isEmpty) return;
    if (this.#outbox.flush()) this.#deadlineMs = this.#room.nowMs + WRITE_STALL_MS;
    this.#writer.onDrain();
  }

  /**
   * The client closed, reset or half-closed the connection. A half-close counts as leaving, as it does for nginx before
   * an upstream: no client of the API sends one before it has its answer, and one that died looks the same.
   */
  onGone(): void {
    if (this.#phase === "closed") return;
    this.#phase = "closed";
    const call = this.#call;
    this.#call = null;
    this.#input = NO_BYTES;
    this.#outbox.drop();
    if (call !== null) this.#room.active -= 1;
    this.#endReading(err("client_gone"));
    // First the body, so that its reader hears who left; then whoever waits for the signal.
    this.#writer.cancel();
    call?.leave();
    this.#room.onClosed(this);
  }

  /** Ends the connection with a reset, now. */
  destroy(): void {
    if (this.#phase === "closed") return;
    this.onGone();
    this.#socket.terminate();
  }

  /** Called on every tick of the listener. */
  checkDeadlines(nowMs: number): void {
    switch (this.#phase) {
      case "call":
        this.#checkUpload(nowMs);
        break;
      case "answer":
        if (this.#outbox.isEmpty) this.#deadlineMs = nowMs + WRITE_STALL_MS;
        else if (nowMs >= this.#deadlineMs) this.destroy();
        break;
      case "head":
        if (nowMs >= this.#deadlineMs) this.#refuse(HEAD_TOO_SLOW);
        break;
      default:
        if (nowMs < this.#deadlineMs) break;
        if (this.#phase === "lingering") this.destroy();
        else this.#linger();
    }
  }

  // --- request -------------------------------------------------------------------------------------------------

  /** Takes complete requests from the input, one after the other, while they are answered at once. */
  // hot path
  #advance(): void {
    if (this.#isAdvancing || this.#isYielding) return;
    this.#isAdvancing = true;
    while (this.#input.length > 0 && (this.#phase === "idle" || this.#phase === "fresh" || this.#phase === "head")) {
      if (this.#burst >= MAX_BURST) {
        this.#yield();
        break;
      }
      const headBytes = scanHead(this.#input, this.#room.head);
      if (headBytes === MORE) {
        this.#awaitHead();
        break;
      }
      if (headBytes > 0) this.#begin(headBytes);
      else this.#refuse(problemRefusal(headBytes as HeadProblem));
    }
    this.#isAdvancing = false;
  }

  #awaitHead(): void {
    this.#burst = 0;
    this.#resumeReading();
    if (this.#phase === "head") return;
    this.#phase = "head";
    this.#deadlineMs = this.#room.nowMs + HEAD_MS;
  }

  #yield(): void {
    this.#isYielding = true;
    setImmediate(() => {
      this.#isYielding = false;
      this.#burst = 0;
      this.#advance();
    });
  }

  // hot path
  #begin(headBytes: number): void {
    const room = this.#room;
    const input = this.#input;
    this.#input = input.length === headBytes ? NO_BYTES : input.subarray(headBytes);
    const text = input.toString("latin1", 0, headBytes);
    const call = new HttpCall({ source: this, head: room.head, text, acceptedAtMs: room.clock.now() });
    this.#call = call;
    this.#phase = "call";
    this.#burst += 1;
    this.#isBodyRead = call.declaredBytes === 0;
    this.#mustClose = call.asksToClose;
    this.#bodyProblem = null;
    room.active += 1;
    try {
      const served = room.serve(call);
      if (served instanceof Promise) served.then(this.#onAnswer, this.#onThrow);
      else this.#answer(served);
    } catch (cause) {
      this.#answerThrown(cause);
    }
  }

  // hot path
  readBody(call: HttpCall, limitBytes: number, reserve: (bytes: number) => boolean): Promise<ReadResult> {
    if (call !== this.#call) return Promise.resolve(err("client_gone"));
    const { declaredBytes } = call;
    if (declaredBytes === 0) return Promise.resolve(ok(NO_BODY));
    if (this.#isBodyRead || this.#reading !== null) throw new Error("Cannot read a request body: it was read before");
    if (declaredBytes !== null) {
      if (declaredBytes > limitBytes) return Promise.resolve(err("too_large"));
      if (!reserve(declaredBytes)) return Promise.resolve(err("over_budget"));
    }
    const { promise, resolve } = Promise.withResolvers<ReadResult>();
    const upload = openUpload({ declaredBytes, limitBytes, reserve });
    const reading: Reading = { upload, resolve, startMs: this.#room.nowMs };
    this.#reading = reading;
    const input = this.#input;
    this.#input = NO_BYTES;
    if (input.length > 0) this.#feed(reading, input);
    else if (call.expectsContinue) this.#outbox.send(CONTINUE, CONTINUE.length);
    this.#resumeReading();
    return promise;
  }

  // hot path
  #feed({ upload }: Reading, chunk: Buffer): void {
    const step = feedUpload(upload, chunk);
    if (step === "more") return;
    if (step === "done") {
      this.#isBodyRead = true;
      this.#input = upload.usedBytes === chunk.length ? NO_BYTES : chunk.subarray(upload.usedBytes);
      this.#endReading(ok(upload.bytes));
    } else if (typeof step === "number") {
      // The gateway need not know: it stops as if the client had left, and the client is told here.
      this.#bodyProblem = step;
      this.#endReading(err("client_gone"));
    } else {
      this.#endReading(err(step));
    }
  }

  #checkUpload(nowMs: number): void {
    if (this.#reading === null) return;
    const { upload, startMs } = this.#reading;
    const allowedMs = UPLOAD_GRACE_MS + upload.receivedBytes / UPLOAD_BYTES_PER_MS;
    if (nowMs - startMs >= allowedMs) this.#endReading(err("too_slow"));
  }

  #endReading(result: ReadResult): void {
    const reading = this.#reading;
    this.#reading = null;
    reading?.resolve(result);
  }

  /** Keeps what came before its turn. */
  #hold(chunk: Buffer): void {
    this.#input = this.#input.length === 0 ? chunk : Buffer.concat([this.#input, chunk]);
    if (this.#input.length > MAX_HELD_BYTES && !this.#isPaused) {
      this.#isPaused = true;
      this.#socket.pause();
    }
  }

  #resumeReading(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#socket.resume();
  }

  // --- answer --------------------------------------------------------------------------------------------------

  // hot path
  #answer(answer: Answer | null): void {
    const call = this.#call;
    if (this.#phase !== "call" || call === null) {
      cancelBody(answer);
      return;
    }
    if (this.#bodyProblem !== null) {
      cancelBody(answer);
      this.#respond(refusalAnswer(problemRefusal(this.#bodyProblem), call.id), call);
    } else if (answer === null) {
      this.destroy();
    } else {
      this.#respond(answer, call);
    }
  }

  #answerThrown(cause: unknown): void {
    this.#room.onError(cause);
    const call = this.#call;
    if (this.#phase === "call" && call !== null) this.#respond(refusalAnswer(INTERNAL, call.id), call);
  }

  // hot path
  #respond(answer: Answer, call: HttpCall): void {
    // What is left of the body is not read: the next request could not be found behind it.
    if (!this.#isBodyRead) this.#mustClose = true;
    this.#endReading(err("client_gone"));
    this.#phase = "answer";
    this.#deadlineMs = this.#room.nowMs + WRITE_STALL_MS;
    const form = { isHead: call.method === "HEAD", isVersion10: call.isVersion10, mustClose: this.#mustClose };
    if (this.#writer.start(answer, form)) return;
    this.#room.onError(new Error(`Cannot send an answer: its status ${answer.status} or a header is not HTTP`));
    this.#writer.start(refusalAnswer(INTERNAL, call.id), form);
  }

  /** Answers what never became a call. */
  #refuse(refusal: Refusal): void {
    this.#mustClose = true;
    this.#phase = "answer";
    this.#deadlineMs = this.#room.nowMs + WRITE_STALL_MS;
    this.#input = NO_BYTES;
    const answer = refusalAnswer(refusal, requestId(Bun.randomUUIDv7()));
    this.#writer.start(answer, { isHead: false, isVersion10: false, mustClose: true });
  }

  // hot path
  onAnswerSent(): void {
    this.#endCall();
    if (this.#mustClose) {
      this.#linger();
      return;
    }
    this.#phase = "idle";
    this.#deadlineMs = this.#room.nowMs + IDLE_MS;
    if (this.#input.length <= MAX_HELD_BYTES) this.#resumeReading();
    if (this.#input.length > 0) this.#advance();
    else this.#burst = 0;
  }

  onAnswerCut(isHidden: boolean): void {
    this.#endCall();
    this.#linger(isHidden);
  }

  #endCall(): void {
    if (this.#call === null) return;
    this.#call = null;
    this.#room.active -= 1;
  }

  /**
   * Closes so that the client sees the answer: a close with unread input resets the connection, and the reset may
   * overtake what was sent. So only our side is closed and, for a bounded while, input is dropped.
   * `isHidden`: the end must not look like one, so the connection is reset instead, when what was sent had time to leave.
   */
  #linger(isHidden = false): void {
    this.#phase = "lingering";
    this.#deadlineMs = this.#room.nowMs + LINGER_MS;
    this.#input = NO_BYTES;
    if (!isHidden) this.#socket.shutdown();
    this.#resumeReading();
  }
}

function cancelBody(answer: Answer | null): void {
  const body = answer?.body ?? null;
  if (body !== null && !(body instanceof Uint8Array)) body.cancel();
}
