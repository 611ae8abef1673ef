import { write } from "node:fs";

/** Takes lines without ever waiting, and writes them one batch after the other. */
export type LineOutlet = {
  /** Never throws: what has no room is dropped and counted. */
  write(line: string): void;
  droppedLines(): number;
  /** Resolves when all is written (true), or after `limitMs` (false). */
  flush(limitMs: number): Promise<boolean>;
};

/** Writes all of it, or rejects. */
type Put = (bytes: Uint8Array) => Promise<void>;

/** What waits when whoever reads is slow, or a disk hangs. */
const MAX_PENDING_CHARACTERS = 4 * 1024 * 1024;
const BATCH_CHARACTERS = 64 * 1024;

export function createLineOutlet(put: Put, maxPending: number = MAX_PENDING_CHARACTERS): LineOutlet {
  let waiting: string[] = [];
  let pending = 0;
  let dropped = 0;
  let running: Promise<void> | null = null;

  const drain = async (): Promise<void> => {
    for (let batch = take(waiting); batch.length > 0; batch = take(waiting)) {
      waiting = waiting.slice(batch.length);
      const text = batch.join("");
      try {
        await put(Buffer.from(text, "utf8"));
      } catch {
        // A log that cannot be written must not stop the gateway; the metric shows the loss.
        dropped += batch.length;
      }
      pending -= text.length;
    }
    running = null;
  };

  return {
    write(line) {
      if (pending + line.length > maxPending) {
        dropped += 1;
        return;
      }
      waiting.push(line);
      pending += line.length;
      running ??= drain();
    },
    droppedLines: () => dropped,
    async flush(limitMs) {
      if (running === null) return true;
      const tooLate = Promise.withResolvers<boolean>();
      const timer = setTimeout(() => tooLate.resolve(false), limitMs);
      const isWritten = await Promise.race([running.then(() => true), tooLate.promise]);
      clearTimeout(timer);
      return isWritten;
    },
  };
}

/** At least one line. */
function take(waiting: readonly string[]): readonly string[] {
  let characters = 0;
  const end = waiting.findIndex((line, at) => {
    characters += line.length;
    return at > 0 && characters > BATCH_CHARACTERS;
  });
  return end === -1 ? waiting : waiting.slice(0, end);
}

const FULL_PIPE_WAIT_MS = 20;

/** Writes to an open file off the event loop: a reader that does not read holds up one thread, and nobody else. */
export async function putAll(file: number, bytes: Uint8Array): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    try {
      written += await writeOnce(file, bytes.subarray(written));
    } catch (cause) {
      if (!(cause instanceof Error && "code" in cause && cause.code === "EAGAIN")) throw cause;
      await Bun.sleep(FULL_PIPE_WAIT_MS);
    }
  }
}

function writeOnce(file: number, bytes: Uint8Array): Promise<number> {
  return new Promise((resolve, reject) => {
    write(file, bytes, (error, written) => (error === null ? resolve(written) : reject(error)));
  });
}
