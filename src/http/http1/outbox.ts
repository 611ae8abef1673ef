/** The part of a socket that output needs. */
export interface Sending {
  /** The bytes taken now; negative when the socket is closed. The bytes are copied. */
  write(bytes: Uint8Array, byteOffset?: number, byteLength?: number): number;
}

type Unsent = { readonly bytes: Uint8Array; offset: number };

/** What the socket did not take at once, in order. Who fills it stops its source while it is not empty. */
export class Outbox {
  readonly #socket: Sending;
  readonly #unsent: Unsent[] = [];

  constructor(socket: Sending) {
    this.#socket = socket;
  }

  get isEmpty(): boolean {
    return this.#unsent.length === 0;
  }

  /** Sends the first `lengthBytes`. The bytes may be reused after the call. */
  // hot path
  send(bytes: Uint8Array, lengthBytes: number): void {
    const writtenBytes = this.isEmpty ? Math.max(0, this.#socket.write(bytes, 0, lengthBytes)) : 0;
    if (writtenBytes < lengthBytes) {
      // A copy, which Buffer.slice would not be.
      this.#unsent.push({ bytes: new Uint8Array(bytes.subarray(writtenBytes, lengthBytes)), offset: 0 });
    }
  }

  /** Sends bytes that nobody changes afterwards: the rest is kept without a copy. */
  sendKept(bytes: Uint8Array): void {
    const writtenBytes = this.isEmpty ? Math.max(0, this.#socket.write(bytes)) : 0;
    if (writtenBytes < bytes.length) this.#unsent.push({ bytes, offset: writtenBytes });
  }

  /** Sends on what is left. True when the socket took any of it. */
  flush(): boolean {
    let hasProgress = false;
    for (;;) {
      const unsent = this.#unsent[0];
      if (unsent === undefined) return hasProgress;
      const lengthBytes = unsent.bytes.length - unsent.offset;
      const writtenBytes = this.#socket.write(unsent.bytes, unsent.offset, lengthBytes);
      if (writtenBytes > 0) {
        hasProgress = true;
        unsent.offset += writtenBytes;
      }
      if (writtenBytes < lengthBytes) return hasProgress;
      this.#unsent.shift();
    }
  }

  drop(): void {
    this.#unsent.length = 0;
  }
}
