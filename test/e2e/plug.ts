import type { Socket } from "bun";

/** A connection of which the test decides when it writes and when it reads. */
export interface Plug {
  /** Resolves when the kernel has taken the bytes, or the connection is gone; gives how many it took. */
  write(bytes: Uint8Array): Promise<number>;
  received(): Buffer;
  /** Resolves with the first bytes. */
  someBytes(): Promise<void>;
  /** Resolves when the last 4 KiB or fewer satisfy the condition. */
  until(holds: (tail: Buffer) => boolean): Promise<void>;
  pause(): void;
  resume(): void;
  close(): void;
  readonly isOpen: boolean;
  readonly closed: Promise<void>;
}

const PATIENCE_MS = 30_000;
const TAIL_BYTES = 4 * 1024;

export async function openPlug(port: number): Promise<Plug> {
  const chunks: Buffer[] = [];
  let tail = Buffer.alloc(0);
  const gone = Promise.withResolvers<void>();
  let isOpen = true;
  let drained: (() => void) | null = null;
  let onBytes: (() => void) | null = null;
  const end = () => {
    isOpen = false;
    drained?.();
    onBytes?.();
    gone.resolve();
  };
  const socket: Socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      data(_socket, chunk) {
        chunks.push(Buffer.from(chunk));
        tail = Buffer.concat([tail, chunk.subarray(-TAIL_BYTES)]).subarray(-TAIL_BYTES);
        onBytes?.();
      },
      drain: () => drained?.(),
      end: (own) => void own.terminate(),
      close: end,
      error: end,
    },
  });
  const received = () => Buffer.concat(chunks);
  const until = async (holds: (tail: Buffer) => boolean): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => reject(new Error("Cannot see the awaited bytes in time")), PATIENCE_MS);
    onBytes = () => {
      if (holds(tail)) resolve();
      else if (!isOpen) reject(new Error("Cannot see the awaited bytes: the connection is gone"));
    };
    onBytes();
    await promise.finally(() => {
      clearTimeout(timer);
      onBytes = null;
    });
  };
  return {
    async write(bytes) {
      let taken = 0;
      while (isOpen && taken < bytes.length) {
        taken += Math.max(0, socket.write(bytes.subarray(taken)));
        if (taken === bytes.length || !isOpen) break;
        await new Promise<void>((resolve) => {
          drained = resolve;
        });
      }
      return taken;
    },
    received,
    someBytes: () => until(() => chunks.length > 0),
    until,
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    close: () => void socket.end(),
    get isOpen() {
      return isOpen;
    },
    closed: gone.promise,
  };
}
