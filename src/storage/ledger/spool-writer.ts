import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { EpochMs } from "../../kernel/time.ts";
import { createSegmentFile, type SegmentFile } from "./segment-file.ts";

export type SpoolLimits = {
  /** A segment that reached this size is closed and the next one begun. */
  readonly segmentBytes: number;
  /** All segments together; beyond, entries are dropped and counted. */
  readonly spoolBytes: number;
  /** Entries held in memory while the disk refuses them; beyond, they are dropped and counted. */
  readonly memoryBytes: number;
};

export type SpoolWriterOptions = {
  readonly spoolDir: string;
  readonly limits: SpoolLimits;
  readonly now: () => EpochMs;
  /** Nothing is appended to this segment any more. */
  readonly onSealed: (segment: WrittenSegment) => void;
  /** The disk took less than it was given. The entry waits in memory; `drain` tries again. */
  readonly onRefused: (cause: unknown) => void;
  readonly onDropped: () => void;
};

export type WrittenSegment = { readonly name: string; readonly bytes: number };

export type SpoolWriter = {
  /** Never throws. One write(2), or a place in the memory queue, or dropped and counted. */
  append(line: string): void;
  /** The segment that grows, if there is one. */
  current(): WrittenSegment | null;
  /** Counts bytes of segments of earlier processes, or (negative) of segments that are gone. */
  hold(deltaBytes: number): void;
  /** Tries to write what waits in memory, about 1 MiB of it. True when nothing waits any more. */
  drain(): boolean;
  waitingLines(): number;
  droppedLines(): number;
  /** Bytes in all segments. */
  spoolBytes(): number;
  /** fsync, off the event loop. Resolves to what went wrong, or null. */
  sync(): Promise<unknown>;
  /** Ends the current segment; the next line begins another. */
  seal(): Promise<unknown>;
};

type OpenSegment = { readonly file: SegmentFile; bytes: number };

const DRAIN_BYTES = 1024 * 1024;

export function createSpoolWriter(options: SpoolWriterOptions): SpoolWriter {
  const { spoolDir, limits } = options;
  let segment: OpenSegment | null = null;
  let segmentCount = 0;
  let heldBytes = 0;
  let waiting: string[] = [];
  let waitingBytes = 0;
  let dropped = 0;

  const begin = (): OpenSegment => {
    const name = segmentName(options.now(), segmentCount);
    const begun = { file: createSegmentFile(join(spoolDir, name), name), bytes: 0 };
    segmentCount += 1;
    segment = begun;
    return begun;
  };

  const seal = async (): Promise<unknown> => {
    const sealed = segment;
    segment = null;
    if (sealed === null) return null;
    options.onSealed({ name: sealed.file.name, bytes: sealed.bytes });
    return sealed.file.close();
  };

  /** Gives the bytes that the disk took, 0 when it refused. */
  const write = (text: string, textBytes: number): number => {
    try {
      const target = segment ?? begin();
      const written = target.file.append(text);
      target.bytes += written;
      heldBytes += written;
      // After a torn line the next must not continue it: it begins another segment.
      if (written < textBytes || target.bytes >= limits.segmentBytes) void seal();
      if (written < textBytes) options.onRefused(new Error(`Cannot write to ${spoolDir}: the disk is full`));
      return written;
    } catch (cause) {
      options.onRefused(cause);
      return 0;
    }
  };

  const drop = (): void => {
    dropped += 1;
    options.onDropped();
  };

  return {
    // hot path
    append(line) {
      const lineBytes = Buffer.byteLength(line);
      if (heldBytes + waitingBytes + lineBytes > limits.spoolBytes) return drop();
      if (waiting.length === 0 && isWhole(write(line, lineBytes), lineBytes)) return;
      if (waitingBytes + lineBytes > limits.memoryBytes) return drop();
      waiting.push(line);
      waitingBytes += lineBytes;
    },

    current: () => (segment === null ? null : { name: segment.file.name, bytes: segment.bytes }),

    hold(deltaBytes) {
      heldBytes += deltaBytes;
    },

    drain() {
      if (waiting.length === 0) return true;
      const lines = firstLines(waiting);
      const text = lines.join("");
      const kept = wholeLines(lines, write(text, Buffer.byteLength(text)));
      waiting = waiting.slice(kept.count);
      waitingBytes -= kept.bytes;
      return waiting.length === 0;
    },

    waitingLines: () => waiting.length,
    droppedLines: () => dropped,
    spoolBytes: () => heldBytes,
    sync: async () => (segment === null ? null : segment.file.sync()),
    seal,
  };
}

/** A line that lacks only its line break is whole: its checksum says so, and its segment ends there. */
function isWhole(writtenBytes: number, lineBytes: number): boolean {
  return writtenBytes >= lineBytes - 1;
}

/** Sorts by time as far as clocks can be trusted, and is never used twice. */
function segmentName(nowMs: EpochMs, count: number): string {
  const time = String(nowMs).padStart(14, "0");
  return `${time}-${String(count).padStart(6, "0")}-${randomBytes(4).toString("hex")}.spool`;
}

function firstLines(lines: readonly string[]): string[] {
  const first: string[] = [];
  let bytes = 0;
  for (const line of lines) {
    if (bytes >= DRAIN_BYTES) break;
    first.push(line);
    bytes += line.length;
  }
  return first;
}

function wholeLines(
  lines: readonly string[],
  writtenBytes: number,
): { readonly count: number; readonly bytes: number } {
  let count = 0;
  let bytes = 0;
  for (const line of lines) {
    const lineBytes = Buffer.byteLength(line);
    if (!isWhole(writtenBytes - bytes, lineBytes)) break;
    count += 1;
    bytes += lineBytes;
  }
  return { count, bytes };
}
