import { closeSync, constants, fchmodSync, fdatasyncSync, fstatSync, openSync, readSync, writeSync } from "node:fs";
import { hexOf, parseLine, parseObject } from "../../audit/line.ts";
import type { AuditPlace } from "../../control/audit-port.ts";
import { LOG_START } from "./audit-log-store.ts";

/** The last whole line of the file. */
export type FileEnd = {
  readonly place: AuditPlace;
  /** Of the last entry, lower-case hex; null when the last line says none. */
  readonly hash: string | null;
};

/** The second sink: the lines of the log in a file that is only ever appended to (`chattr +a` works). */
export type AuditFile = {
  readonly end: FileEnd | null;
  /** On the disk when it returns. @throws the system's error */
  append(lines: readonly string[]): void;
  close(): void;
};

/** Longer than any line: an entry has at most some 64 values of 256 characters. */
const TAIL_BYTES = 512 * 1024;

/**
 * Opens or makes the file, 0600.
 * @throws the system's error, also for a symbolic link and for what is no regular file.
 */
export function openAuditFile(path: string): AuditFile {
  const flags = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;
  const file = openSync(path, flags, 0o600);
  try {
    const stats = fstatSync(file);
    if (!stats.isFile()) throw new Error(`Cannot use ${path}: it is not a regular file`);
    if ((stats.mode & 0o077) !== 0) fchmodSync(file, 0o600);
    const tail = readTail(file, stats.size);
    // A kill in the middle of a line: the line is written again as a whole, on a line of its own.
    if (tail.length > 0 && !tail.endsWith("\n")) writeSync(file, "\n");
    return {
      end: endOf(tail),
      append(lines) {
        writeAll(file, Buffer.from(lines.map((line) => `${line}\n`).join(""), "utf8"));
        fdatasyncSync(file);
      },
      close: () => closeSync(file),
    };
  } catch (cause) {
    closeSync(file);
    throw cause;
  }
}

function readTail(file: number, size: number): string {
  const start = Math.max(0, size - TAIL_BYTES);
  const bytes = Buffer.alloc(size - start);
  const count = readSync(file, bytes, 0, bytes.length, start);
  return bytes.toString("utf8", 0, count);
}

function writeAll(file: number, bytes: Uint8Array): void {
  let written = 0;
  while (written < bytes.length) written += writeSync(file, bytes, written, bytes.length - written);
}

/** Null when there is no whole line. */
function endOf(tail: string): FileEnd | null {
  for (const text of tail.split("\n").reverse()) {
    const line = parseLine(text);
    if (line === null) continue;
    if (line.type === "log") return { place: LOG_START, hash: null };
    if (line.type === "entry") {
      return { place: { seq: numberIn(line.entry), isAfterCheckpoint: false }, hash: hexOf(line.hash) };
    }
    const hash = parseObject(line.statement)?.["hash"];
    return {
      place: { seq: numberIn(line.statement), isAfterCheckpoint: true },
      hash: typeof hash === "string" ? hash : null,
    };
  }
  return null;
}

function numberIn(text: string): number {
  const seq = parseObject(text)?.["seq"];
  return typeof seq === "number" && Number.isSafeInteger(seq) ? seq : 0;
}
