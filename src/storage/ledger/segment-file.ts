import { close, constants, fdatasync, openSync, writeSync } from "node:fs";
import { promisify } from "node:util";

const syncData = promisify(fdatasync);
const closeDescriptor = promisify(close);

/** An append-only spool file that is being written. */
export type SegmentFile = {
  readonly name: string;
  /**
   * One write(2). Gives the bytes that the disk took: fewer than the text has when the disk is full.
   * @throws when it took none.
   */
  append(text: string): number;
  /** fsync on another thread, since it may take seconds. Never rejects; resolves to what went wrong, or null. */
  sync(): Promise<unknown>;
  /** Syncs and closes after every sync that was asked for. Never rejects. */
  close(): Promise<unknown>;
};

/** @throws when the disk refuses. */
export function createSegmentFile(path: string, name: string): SegmentFile {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_APPEND | constants.O_NOFOLLOW;
  const fd = openSync(path, flags, 0o600);
  let lastSync: Promise<unknown> = Promise.resolve(null);

  const afterLastSync = (action: (fd: number) => Promise<void>): Promise<unknown> => {
    lastSync = lastSync
      .then(() => action(fd))
      .then(
        () => null,
        (cause: unknown) => cause,
      );
    return lastSync;
  };

  return {
    name,
    append: (text) => writeSync(fd, text),
    sync: () => afterLastSync(syncData),
    async close() {
      const problem = await afterLastSync(syncData);
      return problem ?? afterLastSync(closeDescriptor);
    },
  };
}
