import { rmSync } from "node:fs";
import { join } from "node:path";
import { type IngestConnection, openIngestConnection } from "./ingest-connection.ts";
import type { FromIngest, SegmentState } from "./protocol.ts";
import { openSegment, type SegmentReader, type SpoolBatch } from "./segment-reader.ts";

export type IngesterOptions = {
  readonly databasePath: string;
  readonly spoolDir: string;
  readonly isSwept: boolean;
  readonly report: (message: FromIngest) => void;
};

/** more: call again at once. release_pending: a finished segment waits for the disk. idle: nothing until `update`. */
export type IngestStep = "more" | "release_pending" | "idle";

export type Ingester = {
  update(segment: SegmentState): void;
  /**
   * One batch, one transaction.
   * @throws whatever the database or the disk says; nothing is lost, call `reset` and again later.
   */
  step(): IngestStep;
  /** Closes the connection and forgets every position read through it. */
  reset(): void;
};

type Segment = {
  state: SegmentState;
  /** As the database says; null until it was asked. */
  ingestedBytes: number | null;
  reader: SegmentReader | null;
};

const NEWEST_UNKNOWN_MS = 0;

/**
 * Carries the spool into the database, exactly once: the rows and the position of the segment are committed together,
 * and a row that comes again changes nothing. A segment is deleted when its rows have reached the disk.
 */
export function createIngester({ databasePath, spoolDir, isSwept, report }: IngesterOptions): Ingester {
  // In the order of arrival: those of earlier processes come first.
  const segments = new Map<string, Segment>();
  let connection: IngestConnection | null = null;
  let hasSwept = isSwept;

  const reset = (): void => {
    connection?.close();
    connection = null;
    for (const segment of segments.values()) segment.ingestedBytes = null;
  };

  const connected = (): IngestConnection => {
    if (connection?.isStale()) reset();
    connection ??= openIngestConnection(databasePath);
    return connection;
  };

  const release = (open: IngestConnection): IngestStep => {
    const done = [...segments.values()].filter((segment) => segment.state.isSealed && isDone(segment));
    if (done.length === 0) return "idle";
    if (!open.isOnDisk()) return "release_pending";
    for (const { state, reader } of done) {
      reader?.close();
      rmSync(join(spoolDir, state.name), { force: true });
      segments.delete(state.name);
      report({ kind: "released", name: state.name });
    }
    open.forgetPositionsExcept([...segments.keys()]);
    return "idle";
  };

  return {
    update(state) {
      const segment = segments.get(state.name);
      if (segment === undefined) segments.set(state.name, { state, ingestedBytes: null, reader: null });
      else segment.state = state;
    },

    step() {
      if (segments.size === 0 && hasSwept) return "idle";
      const open = connected();
      const segment = nextOf(segments, hasSwept);
      if (segment !== null) return ingestBatch(segment, { open, spoolDir, report });
      if (hasSwept) return release(open);
      const interruptedRows = open.sweep();
      hasSwept = true;
      report({ kind: "swept", interruptedRows });
      return "more";
    },

    reset,
  };
}

/** Rows of this process wait until those of earlier ones are in and swept, or they would be swept with them. */
function nextOf(segments: ReadonlyMap<string, Segment>, hasSwept: boolean): Segment | null {
  for (const segment of segments.values()) {
    if (segment.state.isOwn && !hasSwept) return null;
    if (!isDone(segment)) return segment;
  }
  return null;
}

type BatchContext = Pick<IngesterOptions, "spoolDir" | "report"> & { readonly open: IngestConnection };

function ingestBatch(segment: Segment, { open, spoolDir, report }: BatchContext): IngestStep {
  const { name, bytes, isSealed } = segment.state;
  const fromBytes = segment.ingestedBytes ?? open.positionOf(name);
  segment.ingestedBytes = fromBytes;
  if (fromBytes >= bytes) {
    report({ kind: "ingested", name, bytes: fromBytes, newestMs: NEWEST_UNKNOWN_MS });
    return "more";
  }
  segment.reader ??= openSegment(join(spoolDir, name));
  // Null when somebody deleted it: there is nothing to wait for.
  const batch = segment.reader?.read(fromBytes, bytes, isSealed) ?? lostBatch(fromBytes, bytes);
  // Fewer bytes than promised, and more may come: the next update tells.
  if (batch.endBytes === fromBytes) return "idle";
  open.commit(batch.records, name, batch.endBytes);
  segment.ingestedBytes = batch.endBytes;
  reportBatch(report, name, batch);
  return "more";
}

function lostBatch(fromBytes: number, endBytes: number): SpoolBatch {
  return { records: [], endBytes, unreadableLines: 0, tornBytes: endBytes - fromBytes };
}

function isDone({ state, ingestedBytes }: Segment): boolean {
  return ingestedBytes !== null && ingestedBytes >= state.bytes;
}

function reportBatch(report: (message: FromIngest) => void, name: string, batch: SpoolBatch): void {
  const newestMs = batch.records.at(-1)?.cells.find((cell) => typeof cell === "number") ?? NEWEST_UNKNOWN_MS;
  report({ kind: "ingested", name, bytes: batch.endBytes, newestMs: Number(newestMs) });
  if (batch.unreadableLines > 0 || batch.tornBytes > 0) {
    report({ kind: "unreadable", name, lines: batch.unreadableLines, tornBytes: batch.tornBytes });
  }
}
