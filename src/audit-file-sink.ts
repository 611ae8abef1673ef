import { join } from "node:path";
import { formatLine, hexOf } from "./audit/line.ts";
import type { AuditPlace, AuditPruning } from "./control/audit-port.ts";
import type { EpochMs } from "./kernel/time.ts";
import { describeError } from "./observe/describe-error.ts";
import { type AuditFile, openAuditFile } from "./storage/audit/audit-file.ts";
import { type AuditLogStore, LOG_START } from "./storage/audit/audit-log-store.ts";
import { pruneAuditFile } from "./storage/audit/prune-audit-file.ts";

export const AUDIT_FILE_NAME = "audit.log";

const LINES_PER_WRITE = 1000;

export type LogIdentity = { readonly logId: string; readonly publicKey: Uint8Array };

/** audit.log in the data directory. One call at a time. */
export type FileSink = {
  /** Copies what it does not have. @throws Error, the system's error */
  write(): Promise<void>;
  /** Takes out what stands before the mark. @throws Error, the system's error; then the file is as it was */
  prune(pruning: AuditPruning, hash: string): Promise<void>;
  place(): AuditPlace;
  /** When the first line was made that the file does not have; null when it has all. */
  behindSinceMs(): EpochMs | null;
  problem(): string | null;
  close(): void;
};

export type FileSinkNeeds = { readonly store: AuditLogStore; readonly dataDir: string; readonly identity: LogIdentity };

export function createFileSink({ store, dataDir, identity }: FileSinkNeeds): FileSink {
  const path = join(dataDir, AUDIT_FILE_NAME);
  const header = formatLine({ type: "log", ...identity });
  let file: AuditFile | null = null;
  let place: AuditPlace = LOG_START;
  let behindSinceMs: EpochMs | null = null;
  let problem: string | null = null;

  const open = async (): Promise<AuditFile> => {
    const opened = openAuditFile(path);
    try {
      place = await placeIn(opened, { store, header });
      return opened;
    } catch (cause) {
      opened.close();
      throw cause;
    }
  };

  const copy = async (): Promise<void> => {
    for (;;) {
      const lines = await store.linesAfter(place, LINES_PER_WRITE);
      behindSinceMs = lines[0]?.atMs ?? null;
      if (file === null) {
        file = await open();
        continue;
      }
      const end = lines.at(-1);
      if (end === undefined) return;
      try {
        file.append(lines.map(({ line }) => formatLine(line)));
      } catch (cause) {
        // Part of a line may be there: opening it again finds the last whole one.
        file.close();
        file = null;
        throw cause;
      }
      place = end.place;
    }
  };

  return {
    async write() {
      try {
        await copy();
        problem = null;
      } catch (cause) {
        problem = describeError(cause);
        throw cause;
      }
    },
    async prune({ seq, statement, signature }, hash) {
      const mark = formatLine({ type: "pruned", statement, signature });
      await pruneAuditFile(path, { head: [header, mark], seq, hash });
      file?.close();
      file = null;
    },
    place: () => place,
    behindSinceMs: () => behindSinceMs,
    problem: () => problem,
    close: () => file?.close(),
  };
}

type PlaceNeeds = { readonly store: AuditLogStore; readonly header: string };

/** Up to where the file has the log. A file without a line gets its first. */
async function placeIn(opened: AuditFile, { store, header }: PlaceNeeds): Promise<AuditPlace> {
  if (opened.end === null) {
    opened.append([header]);
    return LOG_START;
  }
  const { end } = opened;
  const entry = await store.entry(end.place.seq);
  const isPruned = end.place.seq === (await store.pruning())?.seq;
  if (!isPruned && end.place.seq > 0 && (entry === null || hexOf(entry.hash) !== end.hash)) {
    throw new Error(
      `Cannot go on in ${AUDIT_FILE_NAME}: it ends at entry ${end.place.seq}, and the database does not hold that ` +
        "entry. Either was changed or put back from an older copy; keep both, run `audit verify`, then move the file away",
    );
  }
  return end.place;
}
