// Longer than 300 lines: one state machine, whose transitions are read together.
import { requestId } from "../../domain/ledger/record.ts";
import type { Answer } from "../../gateway/call.ts";
import { type Refusal, refusalAnswer } from "../../gateway/refusal.ts";
import { err, ok } from "../../kernel/result.ts";
import { type AnswerOwner, AnswerWriter, cancelBody } from "./answer-writer.ts";
import { BodyReading, type ReadResult } from "./body-reading.ts";
import { HEAD_MS, IDLE_MS, LAST_EVENT_MS, LINGER_BYTES, LINGER_MS, WRITE_STALL_MS } from "./connection-limits.ts";
import type { ConnectionRoom } from "./connection-room.ts";
import { type HeadProblem, MAX_HEAD_BYTES, problemRefusal } from "./head-problem.ts";
import { type CallSource, HttpCall } from "./http-call.ts";
import { Intake } from "./intake.ts";
import { Outbox } from "./outbox.ts";
import { HEAD_TOO_SLOW, INTERNAL } from "./own-refusals.ts";
import { type Peer, peerOf } from "./peer.ts";
import { MORE, scanHead } from "./request-head.ts";
import type { ServerSocket } from "./server-socket.ts";
import type { SocketOwner } from "./socket-events.ts";
import { Turns } from "./turns.ts";

/**
 * fresh: no byte came yet. head: some of a request head. idle: between two requests. call: the gateway works, the body
 * may be coming in. answer: bytes go out. lingering: all was said, what still comes in is dropped.
 */
type Phase = "fresh" | "head" | "idle" | "call" | "answer" | "lingering" | "closed";

/** The phases in which input is the next request. */
const REQUEST_DUE: ReadonlySet<Phase> = new Set<Phase>(["fresh", "head", "idle"]);
const NO_BODY = new Uint8Array(0);
const LF = 0x0a;
const CONTINUE = Buffer.from("HTTP/1.1 100 Continue\r\n\r\n");

/** One client connection: requests one after the other, each read, served and answered before the next is looked at. */
export class Connection implements CallSource, AnswerOwner, SocketOwner {
  /** Read once: a socket that closed no longer knows it. */
  readonly peer: Peer;
  readonly #room: ConnectionRoom;
  readonly #socket: ServerSocket;
  readonly #intake: Intake;
  readonly #outbox: Outbox;
  readonly #writer: AnswerWriter;
  readonly #turns = new Turns();
  #phase: Phase = "fresh";
  #deadlineMs: number;
  #isAdvancing = false;
  #lingeredBytes = 0;

  #call: HttpCall | null = null;
  #reading: BodyReading | null = null;
  #mustClose = false;

  // Bound once, so that a request makes no closure. Calls of one connection never overlap.
  readonly #onAnswer = (answer: Answer | null) => this.#answerOrBreak(answer);
  readonly #goOn = () => this.#advance();
  readonly #onThrow = (cause: unknown) => this.#answerThrown(cause);

  constructor(socket: ServerSocket, room: ConnectionRoom) {
    this.#socket = socket;
    this.#room = room;
    this.peer = peerOf(socket.remoteAddress, room.trustedProxies);
    this.#intake = new Intake(socket);
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
        this.#intake.hold(chunk);
        this.#advance();
        break;
      case "head":
        this.#intake.hold(chunk);
        // Without a line end nothing is decided: a head that comes byte by byte is not scanned for each of them.
        if (chunk.includes(LF) || this.#intake.bytes.length >= MAX_HEAD_BYTES) this.#advance();
        break;
      case "call":
        if (this.#reading?.isOpen === true) this.#feed(this.#reading, chunk);
        else this.#intake.hold(chunk);
        break;
      case "answer":
        this.#intake.hold(chunk);
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
    this.#intake.take();
    this.#outbox.drop();
    if (call !== null) this.#room.active -= 1;
    this.#reading?.end(err("client_gone"));
    this.#reading = null;
    this.#room.onClosed(this);
    try {
      // First the body, so that its reader hears who left; then whoever waits for the signal.
      this.#writer.cancel();
      call?.leave();
    } catch (cause) {
      this.#room.onError(cause);
    }
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
        this.#reading?.checkDeadline(nowMs);
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
    if (this.#isAdvancing || this.#turns.isWaiting) return;
    this.#isAdvancing = true;
    const intake = this.#intake;
    while (intake.bytes.length > 0 && REQUEST_DUE.has(this.#phase)) {
      if (this.#turns.mustWait(this.#goOn)) break;
      const headBytes = scanHead(intake.bytes, this.#room.head);
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
    this.#turns.restart();
    this.#intake.resume();
    if (this.#phase === "head") return;
    this.#enter("head", HEAD_MS);
  }

  // hot path
  #begin(headBytes: number): void {
    const room = this.#room;
    const text = this.#intake.bytes.toString("latin1", 0, headBytes);
    this.#intake.skip(headBytes);
    const call = new HttpCall({
      source: this,
      head: room.head,
      text,
      acceptedAtMs: room.clock.now(),
      isTls: room.isTls,
    });
    this.#call = call;
    this.#phase = "call";
    this.#turns.take();
    this.#mustClose = call.asksToClose;
    room.active += 1;
    try {
      const served = room.serve(call);
      if (served instanceof Promise) served.then(this.#onAnswer, this.#onThrow);
      else this.#answerOrBreak(served);
    } catch (cause) {
      this.#answerThrown(cause);
    }
  }

  // hot path
  readBody(call: HttpCall, limitBytes: number, reserve: (bytes: number) => boolean): Promise<ReadResult> {
    if (call !== this.#call) return Promise.resolve(err("client_gone"));
    const { declaredBytes } = call;
    if (declaredBytes === 0) return Promise.resolve(ok(NO_BODY));
    if (this.#reading !== null) throw new Error("Cannot read a request body: it was read before");
    if (declaredBytes !== null && declaredBytes > limitBytes) return Promise.resolve(err("too_large"));
    const reading = new BodyReading({ declaredBytes, limitBytes, reserve }, this.#room.nowMs);
    this.#reading = reading;
    const input = this.#intake.take();
    if (input.length > 0) this.#feed(reading, input);
    else if (call.expectsContinue) this.#outbox.send(CONTINUE, CONTINUE.length);
    this.#intake.resumeIfRoom();
    return reading.promise;
  }

  // hot path
  #feed(reading: BodyReading, chunk: Buffer): void {
    const rest = reading.feed(chunk);
    if (rest.length > 0) this.#intake.hold(rest);
  }

  // --- answer --------------------------------------------------------------------------------------------------

  /** A body that throws leaves an answer half sent: a bug, and nothing more can be said on this connection. */
  // hot path
  #answerOrBreak(answer: Answer | null): void {
    try {
      this.#answer(answer);
    } catch (cause) {
      this.#room.onError(cause);
      this.destroy();
    }
  }

  // hot path
  #answer(answer: Answer | null): void {
    const call = this.#call;
    if (this.#phase !== "call" || call === null) {
      cancelBody(answer);
      return;
    }
    const problem = this.#reading?.problem ?? null;
    if (problem !== null) {
      cancelBody(answer);
      this.#respond(refusalAnswer(problemRefusal(problem), call.id), call);
    } else if (answer !== null) this.#respond(answer, call);
    else this.destroy();
  }

  #answerThrown(cause: unknown): void {
    this.#room.onError(cause);
    const call = this.#call;
    if (this.#phase === "call" && call !== null) this.#respond(refusalAnswer(INTERNAL, call.id), call);
  }

  // hot path
  #respond(answer: Answer, call: HttpCall): void {
    // What is left of the body is not read: the next request could not be found behind it.
    if (answer.mustClose === true) this.#mustClose = true;
    if (call.declaredBytes !== 0 && this.#reading?.isWhole !== true) this.#mustClose = true;
    this.#reading?.end(err("client_gone"));
    // Forgotten with its bytes: the answer may stream for an hour.
    this.#reading = null;
    this.#enter("answer", WRITE_STALL_MS);
    const form = { isHead: call.method === "HEAD", isVersion10: call.isVersion10, mustClose: this.#mustClose };
    if (this.#writer.start(answer, form)) return;
    this.#room.onError(new Error(`Cannot send an answer: its status ${answer.status} or a header is not HTTP`));
    this.#writer.start(refusalAnswer(INTERNAL, call.id), form);
  }

  #enter(phase: Phase, spanMs: number): void {
    this.#phase = phase;
    this.#deadlineMs = this.#room.nowMs + spanMs;
  }

  /** Answers what never became a call. */
  #refuse(refusal: Refusal): void {
    this.#mustClose = true;
    this.#enter("answer", WRITE_STALL_MS);
    this.#intake.take();
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
    this.#enter("idle", IDLE_MS);
    this.#intake.resumeIfRoom();
    if (this.#intake.bytes.length > 0) this.#advance();
    else this.#turns.restart();
  }

  onAnswerCut(isHidden: boolean): void {
    this.#endCall();
    this.#linger(isHidden ? "reset" : "late");
  }

  #endCall(): void {
    if (this.#call === null) return;
    this.#call = null;
    this.#room.active -= 1;
  }

  #shutdownLate(): void {
    if (this.#phase === "lingering") this.#socket.shutdown();
  }

  /**
   * Closes so that the client sees the answer: a close with unread input resets the connection, and the reset may
   * overtake what was sent. So only our side is closed and, for a bounded while, input is dropped.
   * late: a client that reads the end of a cut answer together with its last event may drop that event (Bun's own `fetch`
   * does), so our side is closed a moment later. reset: the end must not look like one, so the connection is reset
   * instead, when what was sent had time to leave.
   */
  #linger(ending: "now" | "late" | "reset" = "now"): void {
    this.#enter("lingering", LINGER_MS);
    this.#intake.take();
    if (ending === "now") this.#socket.shutdown();
    else if (ending === "late") setTimeout(() => this.#shutdownLate(), LAST_EVENT_MS);
    this.#intake.resume();
  }
}
