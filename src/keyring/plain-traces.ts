import { closeSync, openSync, readSync } from "node:fs";
import type { Secret } from "../kernel/secret.ts";

/** Shorter ones are found everywhere by chance. */
const MIN_LENGTH = 8;
/** The beginning says enough, whatever the length. */
const MAX_PATTERN_LENGTH = 64;
const CHUNK_BYTES = 4 * 1024 * 1024;

/** Looks for secrets in the clear: as they are, as UTF-16, and as base64 or hex of themselves. */
export type PlainTraces = {
  isIn(bytes: Buffer): boolean;
  /** Reads the whole file, 4 MiB at a time. */
  isInFile(path: string): boolean;
};

export function createPlainTraces(secrets: readonly Secret[]): PlainTraces {
  const patterns = [...new Set(secrets.map((secret) => secret.reveal().slice(0, MAX_PATTERN_LENGTH)))]
    .filter((text) => text.length >= MIN_LENGTH)
    .flatMap(formsOf);
  const overlap = Math.max(0, ...patterns.map(({ length }) => length - 1));
  const isIn = (bytes: Buffer): boolean => patterns.some((pattern) => bytes.includes(pattern));

  return {
    isIn,
    isInFile(path) {
      const buffer = Buffer.alloc(overlap + CHUNK_BYTES);
      const fd = openSync(path, "r");
      try {
        let kept = 0;
        for (;;) {
          const read = readSync(fd, buffer, kept, CHUNK_BYTES, null);
          if (read === 0) return false;
          const filled = kept + read;
          if (isIn(buffer.subarray(0, filled))) return true;
          // A pattern may lie across two chunks.
          const tail = Math.min(overlap, filled);
          buffer.copyWithin(0, filled - tail, filled);
          kept = tail;
        }
      } finally {
        closeSync(fd);
      }
    },
  };
}

function formsOf(text: string): Buffer[] {
  const plain = Buffer.from(text, "utf8");
  // Base64 looks different at each of three offsets; its ends depend on the neighbours.
  const base64 = [0, 1, 2].map((offset) => {
    const whole = Buffer.concat([Buffer.alloc(offset), plain])
      .toString("base64")
      .replace(/=+$/, "");
    return Buffer.from(whole.slice(offset === 0 ? 0 : offset + 1, -2), "latin1");
  });
  const hex = plain.toString("hex");
  return [plain, Buffer.from(text, "utf16le"), ...base64, Buffer.from(hex), Buffer.from(hex.toUpperCase())];
}
