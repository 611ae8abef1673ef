import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  type Stats,
} from "node:fs";
import { join } from "node:path";
import { err, ok, type Result } from "../kernel/result.ts";

export type DataPaths = {
  readonly directory: string;
  readonly database: string;
  readonly lock: string;
  readonly spool: string;
};

export function dataPathsOf(dataDir: string): DataPaths {
  return {
    directory: dataDir,
    database: join(dataDir, "gateway.db"),
    lock: join(dataDir, "gateway.lock"),
    spool: join(dataDir, "spool"),
  };
}

/**
 * Makes a directory for this user alone (0700), or narrows the one that is there.
 * @throws Error when it is no directory, or belongs to another user.
 */
export function makePrivateDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const stats = lstatSync(path);
  if (!stats.isDirectory()) throw new Error(`Cannot use ${path}: it is not a directory`);
  if (!isOurs(stats))
    throw new Error(`Cannot use ${path}: it belongs to the user ${stats.uid}; run: chown ${uid()} ${path}`);
  if ((stats.mode & 0o077) !== 0) chmodSync(path, 0o700);
}

/**
 * SQLite opens its files for reading when that is all it gets, so a read-only disk has to be found here.
 * @throws the system's error
 */
export function requireWritable(path: string): void {
  accessSync(path, constants.W_OK);
}

/**
 * Creates an empty file of mode 0600 unless it exists, and narrows one that does. SQLite gives its -wal and -shm files
 * the mode of the database, so no umask is needed. Must run before any connection to the file is open in this process:
 * closing a second descriptor would drop SQLite's POSIX locks.
 */
export function makePrivateFile(path: string): void {
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  try {
    closeSync(openSync(path, flags, 0o600));
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && cause.code === "EEXIST")) throw cause;
    const stats = lstatSync(path);
    if (!stats.isFile()) throw new Error(`Cannot use ${path}: it is not a regular file`, { cause });
    if ((stats.mode & 0o077) !== 0) chmodSync(path, 0o600);
  }
}

/** The error names the first path that others can use, its mode, and what it should be. */
export function checkDataDirectory(paths: DataPaths): Result<void, string> {
  const candidates = [paths.directory, ...childrenOf(paths.directory), ...childrenOf(paths.spool)];
  for (const path of candidates) {
    const stats = lstatSync(path, { throwIfNoEntry: false });
    // Segments and -wal files come and go.
    if (stats === undefined) continue;
    const wanted = stats.isDirectory() ? "0700" : "0600";
    if (!isOurs(stats)) return err(`${path} belongs to the user ${stats.uid}, it should belong to ${uid()}`);
    // A socket is guarded by its own mode; its directory keeps others out as well.
    if ((stats.mode & 0o077) !== 0) {
      return err(`${path} has the mode ${(stats.mode & 0o777).toString(8).padStart(4, "0")}, it should have ${wanted}`);
    }
  }
  return ok(undefined);
}

function childrenOf(directory: string): string[] {
  const stats = lstatSync(directory, { throwIfNoEntry: false });
  return stats?.isDirectory() ? readdirSync(directory).map((name) => join(directory, name)) : [];
}

function uid(): number {
  return process.geteuid?.() ?? 0;
}

function isOurs(stats: Stats): boolean {
  return stats.uid === uid();
}
