import type { SegmentState } from "./protocol.ts";

type Entry = { state: SegmentState; ingestedBytes: number };

/** What is in the spool, and how much of it is in the database. */
export type SpoolState = {
  set(segment: SegmentState): void;
  ingested(name: string, bytes: number): void;
  /** Gives the size of the segment that is gone. */
  release(name: string): number;
  segments(): readonly SegmentState[];
  pendingBytes(): number;
  /** What is there now; `isReached` of the mark tells when all of it is in the database. */
  mark(): ReadonlyMap<string, number>;
  isReached(mark: ReadonlyMap<string, number>): boolean;
};

export function createSpoolState(): SpoolState {
  const entries = new Map<string, Entry>();
  return {
    set(segment) {
      const entry = entries.get(segment.name);
      if (entry === undefined) entries.set(segment.name, { state: segment, ingestedBytes: 0 });
      else entry.state = segment;
    },
    ingested(name, bytes) {
      const entry = entries.get(name);
      if (entry !== undefined) entry.ingestedBytes = bytes;
    },
    release(name) {
      const bytes = entries.get(name)?.state.bytes ?? 0;
      entries.delete(name);
      return bytes;
    },
    segments: () => [...entries.values()].map(({ state }) => state),
    pendingBytes() {
      let bytes = 0;
      for (const { state, ingestedBytes } of entries.values()) bytes += Math.max(0, state.bytes - ingestedBytes);
      return bytes;
    },
    mark: () => new Map([...entries.values()].map(({ state }) => [state.name, state.bytes])),
    isReached(mark) {
      return [...mark].every(([name, bytes]) => {
        const entry = entries.get(name);
        return entry === undefined || entry.ingestedBytes >= bytes;
      });
    },
  };
}
