import {
  closeSync,
  constants,
  createReadStream,
  createWriteStream,
  fchmodSync,
  fstatSync,
  lstatSync,
  openSync,
  renameSync,
  rmSync,
  type Stats,
} from "node:fs";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { putAll } from "./line-outlet.ts";

export type LogFileOptions = {
  readonly path: string;
  /** The file is put away before it grows beyond. */
  readonly maxBytes: number;
  /** How many files that were put away are kept: `path.1.gz` is the newest. */
  readonly keepFiles: number;
  /** No line is kept longer. */
  readonly maxAgeMs: number;
  readonly nowMs: () => number;
};

export type LogFile = {
  /** Appends all of it, or rejects with the system's error. One call at a time. */
  put(bytes: Uint8Array): Promise<void>;
  /** For whoever moved the file away. @throws the system's error; the old file stays in use */
  reopen(): void;
  /** Puts a file away that is too old, and removes those that are kept too long. */
  tidy(): Promise<void>;
  close(): Promise<void>;
};

const MODE = 0o600;

/**
 * A log file that rotates itself; another program may move it (then `reopen`) or cut it (`copytruncate`) as well.
 * @throws the system's error, also for a symbolic link and for what is no regular file.
 */
export function openLogFile(options: LogFileOptions): LogFile {
  const { path, maxBytes, nowMs } = options;
  let file = openPrivate(path);
  let isTorn = false;
  let packing = pack(`${path}.1`);
  removeOld(options);

  const reopen = (): void => {
    const next = openPrivate(path);
    closeSync(file);
    file = next;
    isTorn = false;
  };
  const putAway = async (): Promise<void> => {
    const stats = fstatSync(file);
    if (isNamed(path, stats)) {
      await packing;
      moveUp(options);
    }
    reopen();
    removeOld(options);
    packing = pack(`${path}.1`);
  };

  return {
    async put(bytes) {
      // Asked each time: `copytruncate` cuts the file behind our back.
      const { nlink, size } = fstatSync(file);
      if (nlink === 0) reopen();
      else if (size > 0 && size + bytes.length > maxBytes) await putAway();
      // What a full disk cut off stays a line of its own.
      const whole = isTorn ? Buffer.concat([Buffer.from("\n"), bytes]) : bytes;
      try {
        await putAll(file, whole);
        isTorn = false;
      } catch (cause) {
        isTorn = fstatSync(file).size > 0;
        throw cause;
      }
    },
    reopen,
    async tidy() {
      const { size, birthtimeMs } = fstatSync(file);
      if (size > 0 && nowMs() - birthtimeMs > fileAgeMs(options)) await putAway();
      await packing;
      removeOld(options);
    },
    async close() {
      await packing;
      closeSync(file);
    },
  };
}

/** So that with all the files that are kept the oldest line is `maxAgeMs` old. */
function fileAgeMs({ maxAgeMs, keepFiles }: LogFileOptions): number {
  return maxAgeMs / (keepFiles + 1);
}

function namesOf(path: string, number: number): readonly string[] {
  return [`${path}.${number}.gz`, `${path}.${number}`];
}

function removeOld(options: LogFileOptions): void {
  const { path, keepFiles, maxAgeMs, nowMs } = options;
  // The last line of a file is as old as the file; its first may be a file's age older.
  const oldestMs = nowMs() - maxAgeMs + fileAgeMs(options);
  for (let number = 1; number <= keepFiles; number += 1) {
    for (const name of namesOf(path, number)) {
      const stats = lstatSync(name, { throwIfNoEntry: false });
      if (stats !== undefined && stats.mtimeMs < oldestMs) rmSync(name, { force: true });
    }
  }
}

/** `path` to `path.1`, and every file that was put away one number up; the last is removed. */
function moveUp({ path, keepFiles }: LogFileOptions): void {
  for (const name of namesOf(path, keepFiles)) rmSync(name, { force: true });
  for (let number = keepFiles - 1; number >= 1; number -= 1) {
    const targets = namesOf(path, number + 1);
    for (const [at, name] of namesOf(path, number).entries()) moveIfThere(name, targets[at] ?? name);
  }
  renameSync(path, `${path}.1`);
}

/** Nobody put another file in its place. */
function isNamed(path: string, { ino, dev }: Stats): boolean {
  const named = lstatSync(path, { throwIfNoEntry: false });
  return named !== undefined && named.ino === ino && named.dev === dev;
}

function openPrivate(path: string): number {
  // O_NONBLOCK: a named pipe that somebody put there must not hold up the start; for a regular file it means nothing.
  const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
  const file = openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, MODE);
  const stats = fstatSync(file);
  if (!stats.isFile() || stats.nlink !== 1) {
    closeSync(file);
    throw new Error(`Cannot use ${path}: it is not a regular file with one name`);
  }
  if ((stats.mode & 0o777) !== MODE) fchmodSync(file, MODE);
  return file;
}

function moveIfThere(from: string, to: string): void {
  if (lstatSync(from, { throwIfNoEntry: false }) !== undefined) renameSync(from, to);
}

/** Compresses a file that was put away; when that fails it stays as it is. Never rejects. */
async function pack(path: string): Promise<void> {
  if (lstatSync(path, { throwIfNoEntry: false })?.isFile() !== true) return;
  const target = `${path}.gz.part`;
  try {
    rmSync(target, { force: true });
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
    const output = openSync(target, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, MODE);
    await pipeline(createReadStream(path), createGzip(), createWriteStream(target, { fd: output }));
    renameSync(target, `${path}.gz`);
    rmSync(path, { force: true });
  } catch {
    // A full disk: the next time it is put away it goes on under its plain name.
    rmSync(target, { force: true });
  }
}
