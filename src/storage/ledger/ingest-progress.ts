import { assertNever } from "../../kernel/result.ts";
import { type DurationMs, durationMs, type EpochMs, elapsed, epochMs } from "../../kernel/time.ts";
import type { IngestNews, SegmentState } from "./protocol.ts";

export type IngestEvent =
  /** The database refuses rows: the spool grows. Once, until `ingest_recovered`. */
  | { readonly kind: "ingest_failed"; readonly detail: string }
  | { readonly kind: "ingest_recovered" }
  /** Rows that an earlier process left in flight. */
  | { readonly kind: "interrupted"; readonly rows: number }
  /** Parts of a spool file that are not whole entries: after a crash or a full disk one torn line is normal. */
  | { readonly kind: "unreadable"; readonly segment: string; readonly lines: number; readonly tornBytes: number };

/** What is in the spool, how much of it is in the database, and what the ingest thread says. */
export type IngestProgress = {
  /** A segment is there, or has grown, or was sealed. */
  grew(segment: SegmentState): void;
  receive(message: IngestNews): void;
  segments(): readonly SegmentState[];
  /** Earlier processes' rows are in the database, and what they left in flight is marked. */
  isSwept(): boolean;
  pendingBytes(): number;
  lag(): DurationMs;
  /** Why the database last refused, while it does; else null. */
  error(): string | null;
  /** True when everything that is in the spool now is in the database within the time. */
  caughtUp(timeoutMs: number): Promise<boolean>;
  /** True when the spool is empty within the time. */
  emptied(timeoutMs: number): Promise<boolean>;
};

export type IngestProgressOptions = {
  readonly now: () => EpochMs;
  readonly onEvent: (event: IngestEvent) => void;
  readonly onReleased: (bytes: number) => void;
};

type Entry = { state: SegmentState; ingestedBytes: number };

export function createIngestProgress({ now, onEvent, onReleased }: IngestProgressOptions): IngestProgress {
  const entries = new Map<string, Entry>();
  const news = createSignal();
  let isSwept = false;
  let error: string | null = null;
  /** The youngest entry that is known to be in the database while others are not, or when they began to wait. */
  let behindSinceMs: EpochMs | null = null;

  const pendingBytes = (): number => {
    let bytes = 0;
    for (const { state, ingestedBytes } of entries.values()) bytes += Math.max(0, state.bytes - ingestedBytes);
    return bytes;
  };

  const ingested = (name: string, bytes: number, newestMs: number): void => {
    const entry = entries.get(name);
    if (entry !== undefined) entry.ingestedBytes = bytes;
    if (pendingBytes() === 0) behindSinceMs = null;
    else if (newestMs > 0) behindSinceMs = epochMs(newestMs);
  };

  const apply = (message: IngestNews): void => {
    switch (message.kind) {
      case "ingested":
        ingested(message.name, message.bytes, message.newestMs);
        break;
      case "released":
        onReleased(entries.get(message.name)?.state.bytes ?? 0);
        entries.delete(message.name);
        break;
      case "swept":
        isSwept = true;
        if (message.interruptedRows > 0) onEvent({ kind: "interrupted", rows: message.interruptedRows });
        break;
      case "unreadable":
        onEvent({ kind: "unreadable", segment: message.name, lines: message.lines, tornBytes: message.tornBytes });
        break;
      case "failed":
        if (error === null) onEvent({ kind: "ingest_failed", detail: message.detail });
        error = message.detail;
        break;
      case "recovered":
        error = null;
        onEvent({ kind: "ingest_recovered" });
        break;
      default:
        assertNever(message);
    }
  };

  return {
    grew(segment) {
      const entry = entries.get(segment.name);
      if (entry === undefined) entries.set(segment.name, { state: segment, ingestedBytes: 0 });
      else entry.state = segment;
      if (behindSinceMs === null && pendingBytes() > 0) behindSinceMs = now();
    },
    receive(message) {
      apply(message);
      news.raise();
    },
    segments: () => [...entries.values()].map(({ state }) => state),
    isSwept: () => isSwept,
    pendingBytes,
    lag: () => (behindSinceMs === null ? durationMs(0) : elapsed(behindSinceMs, now())),
    error: () => error,
    caughtUp(timeoutMs) {
      const wanted = [...entries.values()].map((entry) => ({ entry, bytes: entry.state.bytes }));
      const isIn = ({ entry, bytes }: { entry: Entry; bytes: number }): boolean => entry.ingestedBytes >= bytes;
      return news.until(() => isSwept && wanted.every(isIn), timeoutMs);
    },
    emptied: (timeoutMs) => news.until(() => entries.size === 0, timeoutMs),
  };
}

/** Wakes everybody who waits for a condition, whenever something happened. */
function createSignal() {
  let waiters: (() => void)[] = [];

  const next = (timeoutMs: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      waiters.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });

  return {
    raise(): void {
      const woken = waiters;
      waiters = [];
      for (const wake of woken) wake();
    },
    async until(isReached: () => boolean, timeoutMs: number): Promise<boolean> {
      const deadline = performance.now() + timeoutMs;
      while (!isReached()) {
        const leftMs = deadline - performance.now();
        if (leftMs <= 0) return false;
        await next(leftMs);
      }
      return true;
    },
  };
}
