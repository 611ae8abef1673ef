import type { Answer } from "../../gateway/call.ts";
import type { PushBody } from "../../gateway/ports.ts";
import { AnswerSink, type ChunkSender } from "./answer-sink.ts";
import type { ConnectionRoom } from "./connection-room.ts";
import type { Outbox } from "./outbox.ts";
import { type AnswerFraming, responseHead } from "./response-head.ts";

/** Who hears how an answer ended. */
export interface AnswerOwner {
  /** The last byte was given to the socket. */
  onAnswerSent(): void;
  /** All that there was of a broken body was given to the socket. `isHidden`: only a reset shows that it is cut. */
  onAnswerCut(isHidden: boolean): void;
}

export type AnswerWriterOptions = {
  readonly room: ConnectionRoom;
  readonly outbox: Outbox;
  readonly owner: AnswerOwner;
};

export type AnswerForm = {
  readonly isHead: boolean;
  readonly isVersion10: boolean;
  readonly mustClose: boolean;
};

/** A body up to this size goes out in one write with the head; beyond, copying costs more than a second write. */
const JOINED_BODY_BYTES = 16 * 1024;
/** Size line and line end of a chunk. */
const CHUNK_OVERHEAD_BYTES = 16;
const LAST_CHUNK = Buffer.from("0\r\n\r\n");
const NO_BYTES = new Uint8Array(0);

/** Writes the answers of one connection, one after the other. */
export class AnswerWriter implements ChunkSender {
  readonly #room: ConnectionRoom;
  readonly #outbox: Outbox;
  readonly #owner: AnswerOwner;
  /** Not sent yet: it leaves with the first chunk. */
  #head = "";
  #framing: AnswerFraming = "none";
  /** Of a body of known length. */
  #bytesLeft = 0;
  #body: PushBody | null = null;
  #sink: AnswerSink | null = null;
  #isBodyPaused = false;
  #end: "open" | "whole" | "cut" | "told" = "told";

  constructor({ room, outbox, owner }: AnswerWriterOptions) {
    this.#room = room;
    this.#outbox = outbox;
    this.#owner = owner;
  }

  /** False, and nothing was sent, when the answer cannot be written as HTTP. Its body is cancelled then. */
  // hot path
  start(answer: Answer, form: AnswerForm): boolean {
    const { body } = answer;
    const isBodiless = form.isHead || answer.status === 204 || answer.status === 304;
    const lengthBytes = lengthOf(answer, isBodiless);
    const framing = isBodiless ? "none" : framingOf(lengthBytes, form);
    const mustClose = form.mustClose || framing === "close";
    const { dateText, isTls } = this.#room;
    const head = responseHead({ answer, framing, lengthBytes, mustClose, isTls, dateText });
    const pushed = body === null || body instanceof Uint8Array ? null : body;
    if (head === null || isBodiless) pushed?.cancel();
    if (head === null) return false;
    this.#head = head;
    this.#framing = framing;
    this.#bytesLeft = lengthBytes ?? 0;
    if (pushed !== null && !isBodiless) this.#relay(pushed);
    else this.#sendWhole(body instanceof Uint8Array && !isBodiless ? body : NO_BYTES);
    return true;
  }

  /** The socket takes bytes again and the outbox was flushed. */
  onDrain(): void {
    if (!this.#outbox.isEmpty) return;
    if (this.#isBodyPaused) {
      this.#isBodyPaused = false;
      this.#body?.resume();
    }
    this.#tellEnd();
  }

  /** The client is gone. */
  cancel(): void {
    const body = this.#body;
    this.#end = "told";
    this.#head = "";
    this.#untie();
    body?.cancel();
  }

  // hot path: once per streamed event.
  sendChunk(chunk: Uint8Array): void {
    if (this.#framing === "length") {
      if (chunk.length > this.#bytesLeft) {
        this.#dropBody();
        return;
      }
      this.#bytesLeft -= chunk.length;
    }
    this.#sendPieces(chunk);
    if (!this.#outbox.isEmpty && !this.#isBodyPaused) {
      this.#isBodyPaused = true;
      this.#body?.pause();
    }
  }

  endChunks(): void {
    this.#untie();
    if (this.#framing === "length" && this.#bytesLeft > 0) {
      this.cutChunks();
      return;
    }
    if (this.#framing === "chunked") this.#sendLast();
    else this.#sendHead();
    this.#end = "whole";
    this.#tellEnd();
  }

  cutChunks(): void {
    this.#untie();
    this.#sendHead();
    this.#end = "cut";
    this.#tellEnd();
  }

  // --- inside --------------------------------------------------------------------------------------------------

  // hot path
  #sendWhole(body: Uint8Array): void {
    const head = this.#head;
    const { scratch } = this.#room;
    this.#head = "";
    this.#end = "whole";
    const isJoined = body.length <= JOINED_BODY_BYTES && head.length + body.length <= scratch.length;
    if (isJoined) {
      scratch.write(head, 0, "latin1");
      scratch.set(body, head.length);
      this.#outbox.send(scratch, head.length + body.length);
    } else {
      this.#outbox.sendKept(Buffer.from(head, "latin1"));
      this.#outbox.sendKept(body);
    }
    this.#tellEnd();
  }

  #relay(body: PushBody): void {
    this.#body = body;
    this.#end = "open";
    this.#isBodyPaused = false;
    const sink = new AnswerSink(this);
    this.#sink = sink;
    body.subscribe(sink);
    // Nothing came with it: the client should have the status at once.
    if (this.#end === "open") this.#sendHead();
  }

  #sendHead(): void {
    if (this.#head === "") return;
    const head = this.#head;
    this.#head = "";
    this.#outbox.sendKept(Buffer.from(head, "latin1"));
  }

  #sendLast(): void {
    this.#sendHead();
    this.#outbox.send(LAST_CHUNK, LAST_CHUNK.length);
  }

  /** What is waiting to be sent, then the chunk, framed, in as few writes as the scratch buffer allows. */
  // hot path
  #sendPieces(chunk: Uint8Array): void {
    const { scratch } = this.#room;
    if (this.#head.length + CHUNK_OVERHEAD_BYTES >= scratch.length / 2) this.#sendHead();
    let from = 0;
    while (from < chunk.length) {
      let at = this.#head.length;
      scratch.write(this.#head, 0, "latin1");
      this.#head = "";
      const pieceBytes = Math.min(chunk.length - from, scratch.length - at - CHUNK_OVERHEAD_BYTES);
      if (this.#framing === "chunked") at += scratch.write(`${pieceBytes.toString(16)}\r\n`, at, "latin1");
      scratch.set(pieceBytes === chunk.length ? chunk : chunk.subarray(from, from + pieceBytes), at);
      at += pieceBytes;
      if (this.#framing === "chunked") {
        scratch[at] = 0x0d;
        scratch[at + 1] = 0x0a;
        at += 2;
      }
      this.#outbox.send(scratch, at);
      from += pieceBytes;
    }
  }

  /** More came than the head promised: what is too much is not sent, and the connection cannot be used again. */
  #dropBody(): void {
    const body = this.#body;
    this.cutChunks();
    body?.cancel();
  }

  #untie(): void {
    this.#sink?.untie();
    this.#sink = null;
    this.#body = null;
    this.#isBodyPaused = false;
  }

  #tellEnd(): void {
    if (!this.#outbox.isEmpty) return;
    const end = this.#end;
    if (end === "open" || end === "told") return;
    this.#end = "told";
    if (end === "whole") this.#owner.onAnswerSent();
    else this.#owner.onAnswerCut(this.#framing === "close");
  }
}

function framingOf(lengthBytes: number | null, { isVersion10 }: AnswerForm): AnswerFraming {
  if (lengthBytes !== null) return "length";
  return isVersion10 ? "close" : "chunked";
}

/** Content-Length of the answer; null when it is not known, or must not be said. */
function lengthOf({ status, body, contentLength }: Answer, isBodiless: boolean): number | null {
  if (status === 204 || status === 304) return null;
  if (body instanceof Uint8Array) return body.length;
  if (body === null) return isBodiless ? null : 0;
  return contentLength ?? null;
}

/** For an answer that nobody waits for. */
export function cancelBody(answer: Answer | null): void {
  const body = answer?.body ?? null;
  if (body !== null && !(body instanceof Uint8Array)) body.cancel();
}
