import { closeSync, constants, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { MasterKeyRefused } from "./keyring-error.ts";

/**
 * Puts a small file of mode 0600 in place, whole or not at all, on disk when it returns.
 * @throws MasterKeyRefused when the disk refuses it.
 */
export function writePrivately(path: string, content: Uint8Array): void {
  const draft = `${path}.new`;
  try {
    rmSync(draft, { force: true });
    const fd = openSync(draft, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
    try {
      if (writeSync(fd, content) !== content.length) throw new Error(`Cannot write ${path}: the disk took only a part`);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(draft, path);
    syncDirectory(dirname(path));
  } catch (cause) {
    throw new MasterKeyRefused("not_created", path, `it cannot be written (${codeOf(cause)})`);
  }
}

/** A new name survives a power cut only when its directory was synced as well. */
export function syncDirectory(path: string): void {
  const fd = openSync(path, constants.O_RDONLY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function codeOf(cause: unknown): string {
  return cause instanceof Error && "code" in cause ? String(cause.code) : "unknown";
}
