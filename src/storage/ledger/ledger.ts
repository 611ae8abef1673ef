import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Ledger } from "../../gateway/ports.ts";
import { assertNever } from "../../kernel/result.ts";
import { type EpochMs, epochMs } from "../../kernel/time.ts";
import { dataPathsOf, makePrivateDirectory } from "../data-directory.ts";
import { startIngestThread } from "./ingest-thread.ts";
import type { FromIngest, SegmentState } from "./protocol.ts";
import { beginLine, settleLine } from "./record-line.ts";
import { createSpoolState } from "./spool-state.ts";
import { createSpoolWriter, type SpoolLimits } from "./spool-writer.ts";

export type LedgerEvent =
  /** The disk refuses the spool: entries wait in memory. Once, until `spool_recovered`. */
  | { readonly kind: "spool_refused"; readonly detail: string }
  | { readonly kind: "spool_recovered" }
  /** A power cut now would take more than the last second. */
  | { readonly kind: "sync_failed"; readonly detail: string }
  /** Entries are lost. Once per second at most; `droppedRows` counts from the start. */
  | { readonly kind: "dropping"; readonly droppedRows: number }
  /** The database refuses rows: the spool grows. Once, until `ingest_recovered`. */
  | { readonly kind: "ingest_failed"; readonly detail: string }
  | { readonly kind: "ingest_recovered" }
  /** Rows that an earlier process left in flight. */
  | { readonly kind: "interrupted"; readonly rows: number }
  /** Parts of a spool file that are not whole entries: after a crash or a full disk one torn line is normal. */
  | { readonly kind: "unreadable"; readonly segment: string; readonly lines: number; readonly tornBytes: number };

export type LedgerStats = {
  /** On disk, in all segments, whether ingested or not. */
  readonly spoolBytes: number;
  /** Entries (begins and settlements) on their way to the database. An estimate, and 0 only when there are none. */
  readonly pendingRows: number;
  /** Entries lost since the start. */
  readonly droppedRows: number;
  /** How long the database has been behind; 0 when it is not. */
  readonly ingestLagMs: number;
  /** Why spool or database last refused, while it does; else null. */
  readonly lastError: string | null;
};

export type SpooledLedger = Ledger & {
  /** True when everything recorded before this call, and by earlier processes, is in the database in time. */
  flush(timeoutMs: number): Promise<boolean>;
  stats(): LedgerStats;
  /** Hands over what it can within 10 s; the rest stays in the spool for the next start. Later entries are dropped. */
  stop(): Promise<void>;
};

export type LedgerOptions = {
  readonly dataDir: string;
  readonly now: () => EpochMs;
  readonly onEvent: (event: LedgerEvent) => void;
  readonly limits?: Partial<SpoolLimits>;
};

const DEFAULT_LIMITS: SpoolLimits = {
  segmentBytes: 8 * 1024 * 1024,
  spoolBytes: 1024 * 1024 * 1024,
  memoryBytes: 32 * 1024 * 1024,
};

/** How long entries may wait for the database when it is well. */
const HAND_OVER_MS = 100;
/** What a power cut may take away. `kill -9` takes nothing: the page cache has it. */
const SYNC_MS = 1000;
const DRAIN_RETRY_MS = 250;
const DROP_REPORT_MS = 1000;
const FLUSH_PAUSE_MS = 10;
const STOP_FLUSH_MS = 8000;
const STOP_REFUSED_MS = 1000;
/** How long finished segments may take to be deleted; the next start deletes them as well. */
const STOP_RELEASE_MS = 500;
const STOP_GRACE_MS = 2000;
const ESTIMATED_LINE_BYTES = 250;

/**
 * The spool and the thread that carries it into the database. The caller holds the directory (`openStorage`).
 * @throws when the spool directory cannot be made or read.
 */
export async function openLedger(options: LedgerOptions): Promise<SpooledLedger> {
  const paths = dataPathsOf(options.dataDir);
  makePrivateDirectory(paths.spool);
  const { now, onEvent } = options;
  const state = createSpoolState();
  const earlier = earlierSegments(paths.spool);
  for (const segment of earlier) state.set(segment);

  let spoolError: string | null = null;
  let ingestError: string | null = null;
  let isSwept = false;
  let isStopped = false;
  let behindSinceMs: EpochMs | null = earlier.length > 0 ? now() : null;
  let waiters: (() => void)[] = [];
  let lastDropReportMs = Number.NEGATIVE_INFINITY;
  const timers = new Map<"handOver" | "sync" | "drain", Timer>();

  const once = (name: "handOver" | "sync" | "drain", delayMs: number, action: () => void): void => {
    if (timers.has(name)) return;
    const timer = setTimeout(() => {
      timers.delete(name);
      action();
    }, delayMs);
    timer.unref();
    timers.set(name, timer);
  };

  const writer = createSpoolWriter({
    spoolDir: paths.spool,
    limits: { ...DEFAULT_LIMITS, ...options.limits },
    now,
    onSealed: ({ name, bytes }) => handOver({ name, bytes, isSealed: true, isOwn: true }),
    onRefused(cause) {
      const detail = cause instanceof Error ? cause.message : String(cause);
      if (spoolError === null) onEvent({ kind: "spool_refused", detail });
      spoolError = detail;
      once("drain", DRAIN_RETRY_MS, drain);
    },
    onDropped() {
      if (performance.now() - lastDropReportMs < DROP_REPORT_MS) return;
      lastDropReportMs = performance.now();
      onEvent({ kind: "dropping", droppedRows: writer.droppedLines() });
    },
  });
  for (const { bytes } of earlier) writer.hold(bytes);

  const thread = startIngestThread({
    databasePath: paths.database,
    spoolDir: paths.spool,
    segments: state.segments,
    isSwept: () => isSwept,
    onMessage,
  });

  function handOver(segment: SegmentState): void {
    state.set(segment);
    if (state.pendingBytes() > 0) behindSinceMs ??= now();
    thread.update(segment);
  }

  function handOverCurrent(): void {
    const current = writer.current();
    if (current !== null) handOver({ ...current, isSealed: false, isOwn: true });
  }

  function drain(): void {
    if (!writer.drain()) once("drain", spoolError === null ? 0 : DRAIN_RETRY_MS, drain);
    else if (spoolError !== null) {
      spoolError = null;
      onEvent({ kind: "spool_recovered" });
    }
    once("handOver", HAND_OVER_MS, handOverCurrent);
  }

  function append(line: string): void {
    writer.append(line);
    once("handOver", HAND_OVER_MS, handOverCurrent);
    once("sync", SYNC_MS, sync);
  }

  function sync(): void {
    void writer.sync().then((problem) => {
      if (problem !== null) onEvent({ kind: "sync_failed", detail: String(problem) });
    });
  }

  function onMessage(message: FromIngest): void {
    switch (message.kind) {
      case "ingested":
        state.ingested(message.name, message.bytes);
        behindSinceMs = state.pendingBytes() === 0 ? null : epochMs(message.newestMs);
        break;
      case "released":
        writer.hold(-state.release(message.name));
        break;
      case "swept":
        isSwept = true;
        if (message.interruptedRows > 0) onEvent({ kind: "interrupted", rows: message.interruptedRows });
        break;
      case "unreadable":
        onEvent({ kind: "unreadable", segment: message.name, lines: message.lines, tornBytes: message.tornBytes });
        break;
      case "failed":
        if (ingestError === null) onEvent({ kind: "ingest_failed", detail: message.detail });
        ingestError = message.detail;
        break;
      case "recovered":
        ingestError = null;
        onEvent({ kind: "ingest_recovered" });
        break;
      case "stopped":
        break;
      default:
        assertNever(message);
    }
    const woken = waiters;
    waiters = [];
    for (const wake of woken) wake();
  }

  async function flush(timeoutMs: number): Promise<boolean> {
    const deadline = performance.now() + timeoutMs;
    while (writer.waitingLines() > 0) {
      if (performance.now() > deadline) return false;
      drain();
      if (writer.waitingLines() > 0) await Bun.sleep(FLUSH_PAUSE_MS);
    }
    handOverCurrent();
    const mark = state.mark();
    return nextMessageUntil(() => isSwept && state.isReached(mark), deadline - performance.now());
  }

  async function nextMessageUntil(isReached: () => boolean, timeoutMs: number): Promise<boolean> {
    const deadline = performance.now() + timeoutMs;
    while (!isReached()) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) return false;
      await nextMessage(leftMs);
    }
    return true;
  }

  function nextMessage(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      waiters.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  return {
    // hot path
    begin(entry) {
      if (!isStopped) append(beginLine(entry));
    },
    // hot path
    settle(entry) {
      if (!isStopped) append(settleLine(entry));
    },
    flush,
    stats() {
      handOverCurrent();
      const pendingBytes = state.pendingBytes();
      return {
        spoolBytes: writer.spoolBytes(),
        pendingRows: Math.ceil(pendingBytes / ESTIMATED_LINE_BYTES) + writer.waitingLines(),
        droppedRows: writer.droppedLines(),
        ingestLagMs: behindSinceMs === null ? 0 : Math.max(0, now() - behindSinceMs),
        lastError: spoolError ?? ingestError,
      };
    },
    async stop() {
      if (isStopped) return;
      isStopped = true;
      // While the database refuses, waiting gains little: the spool keeps the rows for the next start.
      const isFlushed = await flush(ingestError === null ? STOP_FLUSH_MS : STOP_REFUSED_MS);
      await writer.seal();
      if (isFlushed) await nextMessageUntil(() => state.segments().length === 0, STOP_RELEASE_MS);
      await thread.stop(STOP_GRACE_MS);
      for (const timer of timers.values()) clearTimeout(timer);
    },
  };
}

function earlierSegments(spoolDir: string): SegmentState[] {
  return readdirSync(spoolDir)
    .filter((name) => name.endsWith(".spool"))
    .sort()
    .map((name) => ({ name, bytes: statSync(join(spoolDir, name)).size, isSealed: true, isOwn: false }));
}
