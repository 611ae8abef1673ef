import { workerEntry } from "../worker-entry.ts";
import type { FromIngest, IngestNews, SegmentState, ToIngest } from "./protocol.ts";

export type IngestThread = {
  /** Tells how far a segment may be read. */
  update(segment: SegmentState): void;
  /** Resolves when the thread is gone; it gets `graceMs` to end its batch. */
  stop(graceMs: number): Promise<void>;
};

export type IngestThreadOptions = {
  readonly databasePath: string;
  readonly spoolDir: string;
  /** Everything that is in the spool now. Asked again when the thread had to be started anew. */
  readonly segments: () => readonly SegmentState[];
  readonly isSwept: () => boolean;
  readonly onMessage: (message: IngestNews) => void;
};

const RESTART_MS = 1000;

/** Keeps the ingest worker running: one that fails is started again a second later and goes on where the database says. */
export function startIngestThread(options: IngestThreadOptions): IngestThread {
  let worker: Worker | null = null;
  let restartTimer: Timer | null = null;
  let onStopped: (() => void) | null = null;

  const send = (message: ToIngest): void => worker?.postMessage(message);

  const start = (): void => {
    restartTimer = null;
    worker = new Worker(workerEntry("ledger/ingest-worker.ts"), { name: "ledger-ingest" });
    // The process may end while the worker waits for a locked database: the spool keeps the rows.
    worker.unref();
    worker.onmessage = ({ data }: MessageEvent<FromIngest>) => {
      if (data.kind === "stopped") onStopped?.();
      else options.onMessage(data);
    };
    worker.onerror = ({ message }) => {
      worker?.terminate();
      worker = null;
      options.onMessage({ kind: "failed", detail: `the ingest worker failed: ${message}` });
      if (onStopped === null && restartTimer === null) restartTimer = setTimeout(start, RESTART_MS).unref();
    };
    send({
      kind: "start",
      databasePath: options.databasePath,
      spoolDir: options.spoolDir,
      segments: options.segments(),
      isSwept: options.isSwept(),
    });
  };

  start();
  return {
    update: (segment) => send({ kind: "segment", segment }),

    async stop(graceMs) {
      if (restartTimer !== null) clearTimeout(restartTimer);
      if (worker === null) return;
      const { promise: stopped, resolve } = Promise.withResolvers<void>();
      onStopped = resolve;
      const timer = setTimeout(resolve, graceMs);
      send({ kind: "stop" });
      await stopped;
      // It would keep the whole process alive to its end.
      clearTimeout(timer);
      worker.terminate();
      worker = null;
    },
  };
}
