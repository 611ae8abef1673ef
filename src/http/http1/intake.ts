import { MAX_HELD_BYTES } from "./connection-limits.ts";
import type { ServerSocket } from "./server-socket.ts";

const NO_BYTES = Buffer.alloc(0);

/** The bytes of a connection that belong to no request yet. Stops the socket while there are too many. */
export class Intake {
  readonly #socket: Pick<ServerSocket, "pause" | "resume">;
  #isPaused = false;
  bytes: Buffer = NO_BYTES;

  constructor(socket: Pick<ServerSocket, "pause" | "resume">) {
    this.#socket = socket;
  }

  // hot path
  hold(chunk: Buffer): void {
    this.bytes = this.bytes.length === 0 ? chunk : Buffer.concat([this.bytes, chunk]);
    if (this.bytes.length > MAX_HELD_BYTES && !this.#isPaused) {
      this.#isPaused = true;
      this.#socket.pause();
    }
  }

  /** Takes everything out. */
  take(): Buffer {
    const { bytes } = this;
    this.bytes = NO_BYTES;
    return bytes;
  }

  /** Drops the first `count` bytes. */
  // hot path
  skip(count: number): void {
    this.bytes = this.bytes.length === count ? NO_BYTES : this.bytes.subarray(count);
  }

  /** Somebody waits for more: whatever is held, the socket is read. */
  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#socket.resume();
  }

  resumeIfRoom(): void {
    if (this.bytes.length <= MAX_HELD_BYTES) this.resume();
  }
}
