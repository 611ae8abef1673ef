import type { Socket } from "bun";
import type { CutKind } from "./step.ts";

/**
 * Writes to one socket and honours its backpressure. At most one wait is under way: answers of one connection are
 * played one after the other.
 */
export interface SocketWriter {
  readonly isClosed: boolean;
  /** Resolves to false when the peer is gone, to true when the kernel has taken every byte. */
  write(bytes: Uint8Array): Promise<boolean> | boolean;
  /** Resolves after `spanMs`, or as soon as the peer is gone. False: gone. */
  pause(spanMs: number): Promise<boolean>;
  /** Lets other sockets run, so that this write and the next do not melt into one. False: gone. */
  yieldTurn(): Promise<boolean>;
  /** Resolves when the peer is gone. */
  gone(): Promise<void>;
  /** fin: closes both directions. reset: RST. halfClose: FIN, but goes on reading. */
  cut(kind: CutKind): void;
  /** To be called by the socket's handlers. */
  onDrain(): void;
  onClose(): void;
}

export function createSocketWriter(socket: Socket<unknown>): SocketWriter {
  let isClosed = false;
  let rest: Uint8Array | null = null;
  let wake: (() => void) | null = null;

  function sleepUntilWoken(): Promise<void> {
    return new Promise((resolve) => {
      wake = resolve;
    });
  }

  function wakeUp(): void {
    const waiting = wake;
    wake = null;
    waiting?.();
  }

  async function drained(): Promise<boolean> {
    while (rest !== null && !isClosed) await sleepUntilWoken();
    return !isClosed;
  }

  /** Gives the kernel what it takes now and keeps the rest. */
  function send(bytes: Uint8Array): void {
    const taken = socket.write(bytes);
    if (taken < 0) isClosed = true;
    rest = taken < bytes.length && !isClosed ? bytes.subarray(Math.max(0, taken)) : null;
  }

  return {
    get isClosed() {
      return isClosed;
    },
    // hot path
    write(bytes) {
      if (isClosed) return false;
      if (rest !== null) throw new Error("Cannot write to the socket: the bytes before are not sent yet");
      send(bytes);
      if (rest === null) return !isClosed;
      return drained();
    },
    async pause(spanMs) {
      if (isClosed) return false;
      const timer = setTimeout(wakeUp, spanMs);
      await sleepUntilWoken();
      clearTimeout(timer);
      return !isClosed;
    },
    async yieldTurn() {
      if (isClosed) return false;
      const turn = setImmediate(wakeUp);
      await sleepUntilWoken();
      clearImmediate(turn);
      return !isClosed;
    },
    async gone() {
      while (!isClosed) await sleepUntilWoken();
    },
    cut(kind) {
      if (isClosed) return;
      if (kind === "reset") socket.terminate();
      else if (kind === "fin") socket.end();
      else socket.shutdown();
    },
    onDrain() {
      if (rest === null) return;
      send(rest);
      if (rest === null || isClosed) wakeUp();
    },
    onClose() {
      isClosed = true;
      rest = null;
      wakeUp();
    },
  };
}
