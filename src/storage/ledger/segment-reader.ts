import { closeSync, existsSync, openSync, readSync } from "node:fs";
import { parseLine, type SpoolRecord } from "./record-line.ts";

/** One read, one transaction: about 500 requests. Larger than any line. */
const CHUNK_BYTES = 256 * 1024;
const LINE_FEED = 10;

export type SpoolBatch = {
  readonly records: readonly SpoolRecord[];
  /** Where the next batch starts. */
  readonly endBytes: number;
  /** Lines that are not whole records: damaged on the disk, or written by a newer release. */
  readonly unreadableLines: number;
  /** What a crash or a full disk left of a last line. */
  readonly tornBytes: number;
};

export type SegmentReader = {
  /**
   * The records between `fromBytes` and at most `limitBytes`. Never throws for what the file holds.
   * @param isSealed Nothing is appended: a last line without its end is judged by its checksum.
   */
  read(fromBytes: number, limitBytes: number, isSealed: boolean): SpoolBatch;
  close(): void;
};

/** Null when there is no such file. */
export function openSegment(path: string): SegmentReader | null {
  if (!existsSync(path)) return null;
  const fd = openSync(path, "r");
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);

  return {
    read(fromBytes, limitBytes, isSealed) {
      const wanted = Math.min(CHUNK_BYTES, limitBytes - fromBytes);
      const got = readSync(fd, chunk, 0, wanted, fromBytes);
      const bytes = chunk.subarray(0, got);
      // A file that is shorter than promised lost its end: nothing more will come.
      const isLast = isSealed && (got < wanted || fromBytes + got >= limitBytes);
      const wholeBytes = bytes.lastIndexOf(LINE_FEED) + 1;
      if (isLast) return { ...batchOf(bytes, wholeBytes), endBytes: limitBytes };
      // No line ends in a whole chunk: this is no spool file. Step over it.
      const usedBytes = wholeBytes === 0 && got === CHUNK_BYTES ? got : wholeBytes;
      return { ...batchOf(bytes.subarray(0, usedBytes), wholeBytes), endBytes: fromBytes + usedBytes };
    },
    close: () => closeSync(fd),
  };
}

function batchOf(bytes: Buffer, wholeBytes: number): Omit<SpoolBatch, "endBytes"> {
  const records: SpoolRecord[] = [];
  let unreadableLines = 0;
  const text = bytes.toString("utf8", 0, wholeBytes);
  let start = 0;
  for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n", start)) {
    const record = parseLine(text.slice(start, end));
    if (record === null) unreadableLines += 1;
    else records.push(record);
    start = end + 1;
  }
  const tail = bytes.toString("utf8", wholeBytes);
  const last = tail === "" ? null : parseLine(tail);
  if (last !== null) records.push(last);
  return { records, unreadableLines, tornBytes: last === null ? bytes.length - wholeBytes : 0 };
}
