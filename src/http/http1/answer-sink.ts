import type { BodySink } from "../../gateway/ports.ts";

/** Who sends the chunks of a pushed body. */
export interface ChunkSender {
  sendChunk(chunk: Uint8Array): void;
  /** The body reached its end. */
  endChunks(): void;
  /** The body broke off: the client must not take what it has for the whole. */
  cutChunks(): void;
}

/** Ties one pushed body to one answer, so that a late callback never reaches the next answer of the connection. */
export class AnswerSink implements BodySink {
  #sender: ChunkSender | null;

  constructor(sender: ChunkSender) {
    this.#sender = sender;
  }

  // hot path
  onChunk(chunk: Uint8Array): void {
    this.#sender?.sendChunk(chunk);
  }

  onEnd(): void {
    const sender = this.#sender;
    this.#sender = null;
    sender?.endChunks();
  }

  onFailure(): void {
    const sender = this.#sender;
    this.#sender = null;
    sender?.cutChunks();
  }

  /** Nothing is passed on any more. */
  untie(): void {
    this.#sender = null;
  }
}
