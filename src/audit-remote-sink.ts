import { formatLine } from "./audit/line.ts";
import type { LogIdentity } from "./audit-file-sink.ts";
import type { AuditPlace, AuditRemote, RemoteLine } from "./control/audit-port.ts";
import type { Clock } from "./gateway/ports.ts";
import { durationMs, type EpochMs, epochMs } from "./kernel/time.ts";
import type { Log } from "./observe/log.ts";
import { type AuditLogStore, LOG_START, type PlacedLine } from "./storage/audit/audit-log-store.ts";
import type { AuditSinkStore } from "./storage/audit/audit-sink-store.ts";

const LINES_PER_SEND = 200;
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 60_000;
/** How often a sink that stays away is said again. */
const ALARM_MS = 3_600_000;

export type RemoteSinkNeeds = {
  readonly remote: AuditRemote;
  readonly identity: LogIdentity;
  readonly store: AuditLogStore;
  readonly cursors: AuditSinkStore;
  readonly clock: Clock;
  readonly log: Log;
};

/**
 * Carries lines to a place elsewhere, each at least once and in order. The database is the spool: how far the place has
 * come is kept there too, so that a restart goes on where it stopped.
 */
export type RemoteSink = {
  readonly name: AuditRemote["name"];
  readonly target: string;
  /** There may be something new. */
  wake(): void;
  place(): AuditPlace;
  behindSinceMs(): EpochMs | null;
  /** Bytes of entries that wait, about; looked at after each failure. */
  pendingBytes(): number;
  problem(): string | null;
  /** One more try, then no other. */
  stop(): Promise<void>;
};

export async function openRemoteSink(needs: RemoteSinkNeeds): Promise<RemoteSink> {
  const { remote, cursors, clock, log } = needs;
  const stored = await cursors.cursor(remote.name);
  const sinceMs = stored?.sinceMs ?? clock.now();
  const state: State = {
    place: stored?.place ?? LOG_START,
    sinceMs,
    behindSinceMs: null,
    problem: null,
    measured: { seq: 0, bytes: 0 },
  };
  if (stored === null) await cursors.keep(remote.name, { place: LOG_START, sinceMs });
  const stopping = new AbortController();
  let isAwake = false;
  let saidAtMs: EpochMs | null = null;
  let running = Promise.resolve();

  const attempt = async (): Promise<boolean> => {
    const problem = await carry(needs, state).catch((cause: unknown) =>
      cause instanceof Error ? cause.message : "the database cannot be read",
    );
    const wasAway = state.problem !== null;
    state.problem = problem;
    if (problem === null) {
      if (wasAway)
        log.info("The audit log's remote sink takes entries again", { host: remote.target, reason: remote.name });
      saidAtMs = null;
      return true;
    }
    if (saidAtMs === null || clock.now() - saidAtMs >= ALARM_MS) {
      saidAtMs = clock.now();
      const pending = { host: remote.target, reason: remote.name, bytes: state.measured.bytes };
      log.error("The audit log's remote sink takes no entries", { ...pending, detail: problem });
    }
    return false;
  };
  const work = async (): Promise<void> => {
    for (let waitMs = FIRST_WAIT_MS; !(await attempt()) && !stopping.signal.aborted; ) {
      await clock.sleep(durationMs(waitMs), stopping.signal);
      waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS);
    }
  };
  const wake = (): void => {
    if (isAwake) return;
    isAwake = true;
    running = running.then(() => {
      isAwake = false;
      return work();
    });
  };
  wake();

  return {
    name: remote.name,
    target: remote.target,
    wake,
    place: () => state.place,
    behindSinceMs: () => state.behindSinceMs,
    pendingBytes: () => state.measured.bytes,
    problem: () => state.problem,
    async stop() {
      stopping.abort();
      await running;
      await attempt();
      remote.close();
    },
  };
}

type State = {
  place: AuditPlace;
  readonly sinceMs: EpochMs;
  behindSinceMs: EpochMs | null;
  problem: string | null;
  /** Entries after `place` up to `seq` have so many bytes. */
  measured: { readonly seq: number; readonly bytes: number };
};

/** Null when the place has all lines; else why not. */
async function carry({ remote, identity, store, cursors }: RemoteSinkNeeds, state: State): Promise<string | null> {
  for (;;) {
    const lines = await store.linesAfter(state.place, LINES_PER_SEND);
    const [first] = lines;
    const end = lines.at(-1);
    // What is older than the sink is history that it is given, not a debt.
    state.behindSinceMs = first === undefined ? null : epochMs(Math.max(first.atMs, state.sinceMs));
    if (end === undefined) return null;
    const isStart = state.place.seq === 0;
    const header = { seq: 0, text: formatLine({ type: "log", ...identity }), atMs: first?.atMs ?? state.sinceMs };
    const sent = await remote.send([...(isStart ? [header] : []), ...lines.map(toRemote)]);
    if (!sent.ok) {
      await measure(store, cursors, state);
      return sent.error;
    }
    state.place = end.place;
    state.measured = { seq: end.place.seq, bytes: 0 };
    await cursors.keep(remote.name, { place: end.place, sinceMs: state.sinceMs });
  }
}

function toRemote({ line, place, atMs }: PlacedLine): RemoteLine {
  return { seq: place.seq, text: formatLine(line), atMs };
}

/** Only what is new since the last look: a long outage must not be read again every minute. */
async function measure(store: AuditLogStore, cursors: AuditSinkStore, state: State): Promise<void> {
  const last = (await store.lastEntry())?.seq ?? 0;
  const from = Math.max(state.measured.seq, state.place.seq);
  const bytes = await cursors.entryBytes(from, last);
  state.measured = { seq: last, bytes: state.measured.bytes + bytes };
}
