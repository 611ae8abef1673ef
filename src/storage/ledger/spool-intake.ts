import type { EpochMs } from "../../kernel/time.ts";
import { createSpoolWriter, type SpoolLimits, type SpoolWriter, type WrittenSegment } from "./spool-writer.ts";

export type SpoolEvent =
  /** The disk refuses the spool: entries wait in memory. Once, until `spool_recovered`. */
  | { readonly kind: "spool_refused"; readonly detail: string }
  | { readonly kind: "spool_recovered" }
  /** A power cut now would take more than the last second. */
  | { readonly kind: "sync_failed"; readonly detail: string }
  /** Entries are lost. Once per second at most; `droppedRows` counts from the start. */
  | { readonly kind: "dropping"; readonly droppedRows: number };

export type SpoolIntakeOptions = {
  readonly spoolDir: string;
  readonly limits: SpoolLimits;
  readonly now: () => EpochMs;
  readonly onEvent: (event: SpoolEvent) => void;
  readonly onSealed: (segment: WrittenSegment) => void;
  /** Something was written; called at most every 100 ms. */
  readonly onWritten: () => void;
};

/** A spool writer that syncs, tries again and tells by itself. */
export type SpoolIntake = Pick<
  SpoolWriter,
  "append" | "current" | "hold" | "waitingLines" | "droppedLines" | "spoolBytes"
> & {
  /** Why the disk last refused, while it does; else null. */
  error(): string | null;
  /** True when nothing waits in memory any more within the time. */
  drained(timeoutMs: number): Promise<boolean>;
  /** Seals and syncs what is written. Entries in memory are lost after this. */
  stop(): Promise<void>;
};

/** How long entries may wait for the database when it is well. */
const HAND_OVER_MS = 100;
/** What a power cut may take away. `kill -9` takes nothing: the page cache has it. */
const SYNC_MS = 1000;
const DRAIN_RETRY_MS = 250;
const DRAIN_PAUSE_MS = 10;
const DROP_REPORT_MS = 1000;

export function createSpoolIntake(options: SpoolIntakeOptions): SpoolIntake {
  const { onEvent, onWritten } = options;
  const timers = createTimers();
  let error: string | null = null;
  let lastDropReportMs = Number.NEGATIVE_INFINITY;

  const writer = createSpoolWriter({
    ...options,
    onRefused(cause) {
      const detail = cause instanceof Error ? cause.message : String(cause);
      if (error === null) onEvent({ kind: "spool_refused", detail });
      error = detail;
      timers.once("drain", DRAIN_RETRY_MS, drain);
    },
    onDropped() {
      if (performance.now() - lastDropReportMs < DROP_REPORT_MS) return;
      lastDropReportMs = performance.now();
      onEvent({ kind: "dropping", droppedRows: writer.droppedLines() });
    },
  });

  function drain(): void {
    if (!writer.drain()) timers.once("drain", DRAIN_PAUSE_MS, drain);
    else if (error !== null) {
      error = null;
      onEvent({ kind: "spool_recovered" });
    }
    timers.once("handOver", HAND_OVER_MS, onWritten);
  }

  async function sync(): Promise<void> {
    const problem = await writer.sync();
    if (problem !== null) onEvent({ kind: "sync_failed", detail: String(problem) });
  }

  return {
    ...writer,
    // hot path
    append(line) {
      writer.append(line);
      timers.once("handOver", HAND_OVER_MS, onWritten);
      timers.once("sync", SYNC_MS, sync);
    },
    error: () => error,
    async drained(timeoutMs) {
      const deadline = performance.now() + timeoutMs;
      while (writer.waitingLines() > 0) {
        if (performance.now() > deadline) return false;
        drain();
        if (writer.waitingLines() > 0) await Bun.sleep(DRAIN_PAUSE_MS);
      }
      return true;
    },
    async stop() {
      timers.clear();
      await writer.seal();
    },
  };
}

type TimerName = "handOver" | "sync" | "drain";

/** Timers that run once and are armed by the first that asks: an idle process has none. They keep no process alive. */
function createTimers() {
  const armed = new Map<TimerName, Timer>();
  return {
    once(name: TimerName, delayMs: number, action: () => void | Promise<void>): void {
      if (armed.has(name)) return;
      const timer = setTimeout(() => {
        armed.delete(name);
        void action();
      }, delayMs);
      armed.set(name, timer.unref());
    },
    clear(): void {
      for (const timer of armed.values()) clearTimeout(timer);
      armed.clear();
    },
  };
}
