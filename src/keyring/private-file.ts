import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  type Stats,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { MasterKeyRefused } from "./keyring-error.ts";

const ROOT_UID = 0;

/** `content` is the caller's to erase. `version` differs when the file was written anew. */
export type PrivateContent = { readonly content: Buffer; readonly version: string };

/**
 * At most `maxBytes` of a file that nobody else can use; null when there is none.
 * @throws MasterKeyRefused for a link, another owner, or anything that others can read.
 */
export function readPrivately(path: string, maxBytes: number): PrivateContent | null {
  const fd = openExisting(path);
  if (fd === null) return null;
  const buffer = Buffer.alloc(maxBytes);
  try {
    const stats = fstatSync(fd);
    refuseExposedFile(stats, path);
    const content = buffer.subarray(0, readSync(fd, buffer));
    return { content, version: [stats.dev, stats.ino, stats.size, stats.mtimeMs].join(":") };
  } finally {
    closeSync(fd);
  }
}

function openExisting(path: string): number | null {
  try {
    // NOFOLLOW: a link could be turned to another key. NONBLOCK: a pipe must not hang the start.
    return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (cause) {
    const code = codeOf(cause);
    if (code === "ENOENT") return null;
    if (code === "ELOOP") {
      throw new MasterKeyRefused("symlink", path, "it is a symbolic link; give the path of the file itself");
    }
    throw new MasterKeyRefused("unreadable", path, `it cannot be opened (${code}); let this user read it`);
  }
}

function refuseExposedFile(stats: Stats, path: string): void {
  if (!stats.isFile())
    throw new MasterKeyRefused("not_a_file", path, "it is not a regular file; give the path of a file");
  const uid = process.geteuid?.() ?? stats.uid;
  if (stats.uid !== uid && stats.uid !== ROOT_UID) {
    throw new MasterKeyRefused("owner", path, `it belongs to the user ${stats.uid}; run: chown ${uid} ${path}`);
  }
  if ((stats.mode & 0o077) !== 0) {
    const mode = (stats.mode & 0o777).toString(8).padStart(4, "0");
    throw new MasterKeyRefused("permissions", path, `others can use it (mode ${mode}); run: chmod 600 ${path}`);
  }
}

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

export function codeOf(cause: unknown): string {
  return cause instanceof Error && "code" in cause ? String(cause.code) : "unknown";
}
