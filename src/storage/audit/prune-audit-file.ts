import { closeSync, constants, createReadStream, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { createInterface } from "node:readline";
import { hexOf, parseLine, parseObject } from "../../audit/line.ts";

export type FilePruning = {
  /** The first lines of the new file. */
  readonly head: readonly string[];
  /** The last entry that is left out, and its hash in lower-case hex. */
  readonly seq: number;
  readonly hash: string;
};

const BATCH_LINES = 1_000;

/**
 * Puts a file in place of the one at `path` that begins with `head` and goes on behind entry `seq`. The lines are those of
 * the file itself: a database that was changed must not get its word into the second sink this way.
 * @throws Error when the file does not hold that entry, and the system's error when it may not be replaced (`chattr +a`).
 */
export async function pruneAuditFile(path: string, { head, seq, hash }: FilePruning): Promise<void> {
  const target = `${path}.pruning`;
  rmSync(target, { force: true });
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  const output = openSync(target, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    let batch = [...head];
    let isFound = false;
    for await (const text of createInterface({ input: createReadStream(path, "utf8") })) {
      const line = parseLine(text);
      const number =
        line?.type === "entry" ? seqIn(line.entry) : line?.type === "checkpoint" ? seqIn(line.statement) : 0;
      isFound ||= line?.type === "entry" && number === seq && hexOf(line.hash) === hash;
      if (number > seq) batch.push(text);
      if (batch.length >= BATCH_LINES) batch = writeLines(output, batch);
    }
    if (!isFound) throw new Error(`Cannot prune ${path}: it does not hold entry ${seq} as the database does`);
    writeLines(output, batch);
    fsyncSync(output);
    renameSync(target, path);
    syncDirectory(dirname(path));
  } finally {
    closeSync(output);
    rmSync(target, { force: true });
  }
}

function writeLines(file: number, lines: readonly string[]): string[] {
  const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(""), "utf8");
  for (let written = 0; written < bytes.length; ) {
    written += writeSync(file, bytes, written, bytes.length - written);
  }
  return [];
}

function syncDirectory(path: string): void {
  const directory = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

function seqIn(text: string): number {
  const seq = parseObject(text)?.["seq"];
  return typeof seq === "number" && Number.isSafeInteger(seq) ? seq : 0;
}
