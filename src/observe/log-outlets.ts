import { createLineOutlet, type LineOutlet, putAll } from "./line-outlet.ts";
import { type LogFile, type LogFileOptions, openLogFile } from "./log-file.ts";

export type LogOutlets = {
  /** To stderr and, when there is one, to the log file. Never waits, never throws. */
  write(line: string): void;
  lostLines(): number;
  /** Soon opens the log file anew, for whoever moved it away. False when there is none. */
  reopen(): boolean;
  /** Writes what waits, within a second. */
  close(): Promise<void>;
};

const STDERR = 2;
const FLUSH_MS = 1_000;
const TIDY_MS = 3_600_000;

/** `file` null: stderr alone. @throws the system's error when the log file cannot be used. */
export function openLogOutlets(file: LogFileOptions | null): LogOutlets {
  const stderr = createLineOutlet((bytes) => putAll(STDERR, bytes));
  const logFile: LogFile | null = file === null ? null : openLogFile(file);
  const chores = new Set<"reopen" | "tidy">();
  const toFile: LineOutlet | null =
    logFile === null
      ? null
      : createLineOutlet(async (bytes) => {
          await doChores(logFile, chores);
          if (bytes.length > 0) await logFile.put(bytes);
        });
  const soon = (chore: "reopen" | "tidy"): void => {
    chores.add(chore);
    // A file that is being written to must not be closed: the chore waits for its turn among the lines.
    toFile?.write("");
  };
  const tidying = logFile === null ? null : setInterval(() => soon("tidy"), TIDY_MS);
  tidying?.unref();
  return {
    write(line) {
      stderr.write(line);
      toFile?.write(line);
    },
    lostLines: () => stderr.droppedLines() + (toFile?.droppedLines() ?? 0),
    reopen() {
      soon("reopen");
      return logFile !== null;
    },
    async close() {
      clearInterval(tidying ?? undefined);
      const [, isWritten] = await Promise.all([stderr.flush(FLUSH_MS), toFile?.flush(FLUSH_MS)]);
      if (isWritten === true) await logFile?.close();
    },
  };
}

async function doChores(file: LogFile, chores: Set<"reopen" | "tidy">): Promise<void> {
  const due = [...chores];
  chores.clear();
  for (const chore of due) {
    try {
      if (chore === "reopen") file.reopen();
      else await file.tidy();
    } catch {
      // The old file stays in use, and the chore is tried again with the next line.
      chores.add(chore);
    }
  }
}
