import { Database } from "bun:sqlite";
import { makePrivateFile } from "./data-directory.ts";
import { isBusy } from "./sqlite/sqlite-error.ts";
import { DataDirectoryInUse } from "./storage-error.ts";

export type DirectoryLock = { release(): void };

/**
 * Holds an exclusive transaction on a file of its own for the life of the process. The kernel releases it when the
 * process ends, however it ends, so there is no stale lock to clean up.
 * @throws DataDirectoryInUse at once when another connection holds it.
 */
export function lockDirectory(directory: string, lockPath: string): DirectoryLock {
  makePrivateFile(lockPath);
  const database = new Database(lockPath, { readwrite: true });
  try {
    database.run("pragma busy_timeout = 0");
    // Nothing is ever written: without this the engine leaves an empty journal beside the file.
    database.run("pragma journal_mode = memory");
    database.run("begin exclusive");
  } catch (cause) {
    database.close();
    throw isBusy(cause) ? new DataDirectoryInUse(directory, cause) : cause;
  }
  return { release: () => database.close() };
}
