import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Ledger } from "../../gateway/ports.ts";
import type { EpochMs } from "../../kernel/time.ts";
import { type DataPaths, dataPathsOf, makePrivateDirectory } from "../data-directory.ts";
import { explainOpening } from "../storage-error.ts";
import { createIngestProgress, type IngestEvent } from "./ingest-progress.ts";
import { startIngestThread } from "./ingest-thread.ts";
import type { SegmentState } from "./protocol.ts";
import { beginLine, settleLine } from "./record-line.ts";
import { createSpoolIntake, type SpoolEvent } from "./spool-intake.ts";
import type { SpoolLimits } from "./spool-writer.ts";

/** What an operator should hear of. */
export type LedgerEvent = SpoolEvent | IngestEvent;

export type LedgerStats = {
  /** On disk, in all segments, whether ingested or not. */
  readonly spoolBytes: number;
  /** Entries (begins and settlements) on their way to the database. An estimate, and 0 only when there are none. */
  readonly pendingRows: number;
  /** Entries lost since the start. */
  readonly droppedRows: number;
  /** How far the database is behind; 0 when it is not. */
  readonly ingestLagMs: number;
  /** Why spool or database last refused, while it does; else null. */
  readonly lastError: string | null;
};

export type SpooledLedger = Ledger & {
  /** True when everything recorded before this call, and by earlier processes, is in the database in time. */
  flush(timeoutMs: number): Promise<boolean>;
  stats(): LedgerStats;
  /** Hands over what it can within 10 s; the rest stays in the spool for the next start. Later entries are not taken. */
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

const STOP_FLUSH_MS = 7000;
/** While the database refuses, waiting gains little: the spool keeps the rows for the next start. */
const STOP_REFUSED_MS = 1000;
/** How long finished segments may take to be deleted; else the next start deletes them. */
const STOP_RELEASE_MS = 500;
const STOP_GRACE_MS = 2000;
const TYPICAL_LINE_BYTES = 250;

/**
 * The spool, and the thread that carries it into the database. The caller holds the directory (`openStorage`).
 * @throws when the spool directory cannot be made or read.
 */
export async function openLedger({ dataDir, now, onEvent, limits }: LedgerOptions): Promise<SpooledLedger> {
  const paths = dataPathsOf(dataDir);
  makeSpoolDirectory(paths);
  let isStopped = false;

  const handOver = (segment: SegmentState): void => {
    progress.grew(segment);
    thread.update(segment);
  };
  const handOverCurrent = (): void => {
    const current = intake.current();
    if (current !== null) handOver({ ...current, isSealed: false, isOwn: true });
  };

  const intake = createSpoolIntake({
    spoolDir: paths.spool,
    limits: { ...DEFAULT_LIMITS, ...limits },
    now,
    onEvent,
    onSealed: (segment) => handOver({ ...segment, isSealed: true, isOwn: true }),
    onWritten: handOverCurrent,
  });
  const progress = createIngestProgress({ now, onEvent, onReleased: (bytes) => intake.hold(-bytes) });
  for (const segment of earlierSegments(paths.spool)) {
    intake.hold(segment.bytes);
    progress.grew(segment);
  }
  const thread = startIngestThread({
    databasePath: paths.database,
    spoolDir: paths.spool,
    segments: progress.segments,
    isSwept: progress.isSwept,
    onMessage: progress.receive,
  });

  const flush = async (timeoutMs: number): Promise<boolean> => {
    const deadline = performance.now() + timeoutMs;
    if (!(await intake.drained(timeoutMs))) return false;
    handOverCurrent();
    return progress.caughtUp(deadline - performance.now());
  };

  return {
    // hot path
    begin(entry) {
      if (!isStopped) intake.append(beginLine(entry));
    },
    // hot path
    settle(entry) {
      if (!isStopped) intake.append(settleLine(entry));
    },
    flush,
    stats() {
      handOverCurrent();
      return {
        spoolBytes: intake.spoolBytes(),
        pendingRows: Math.ceil(progress.pendingBytes() / TYPICAL_LINE_BYTES) + intake.waitingLines(),
        droppedRows: intake.droppedLines(),
        ingestLagMs: progress.lag(),
        lastError: intake.error() ?? progress.error(),
      };
    },
    async stop() {
      if (isStopped) return;
      isStopped = true;
      const isFlushed = await flush(progress.error() === null ? STOP_FLUSH_MS : STOP_REFUSED_MS);
      await intake.stop();
      if (isFlushed) await progress.emptied(STOP_RELEASE_MS);
      await thread.stop(STOP_GRACE_MS);
    },
  };
}

function makeSpoolDirectory({ directory, spool }: DataPaths): void {
  try {
    makePrivateDirectory(spool);
  } catch (cause) {
    throw explainOpening(directory, cause);
  }
}

function earlierSegments(spoolDir: string): SegmentState[] {
  return readdirSync(spoolDir)
    .filter((name) => name.endsWith(".spool"))
    .sort()
    .map((name) => ({ name, bytes: statSync(join(spoolDir, name)).size, isSealed: true, isOwn: false }));
}
