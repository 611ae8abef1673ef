import { randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  type Stats,
  unlinkSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { KEY_BYTES } from "./aead.ts";
import { MasterKeyRefused } from "./keyring-error.ts";
import { keyBytesFromText, refuseWeakKey } from "./master-key-text.ts";
import { syncDirectory } from "./private-file.ts";

/** The longest form is hex with a line break; one byte more shows that the file is longer. */
const MAX_FILE_BYTES = 2 * KEY_BYTES + 2;
const ROOT_UID = 0;

/**
 * The 32 bytes of the master key. A file that is absent is created with a fresh key when `createIfAbsent` says so.
 * @throws MasterKeyRefused when the file is not exactly what it should be.
 */
export function readMasterKeyFile(path: string, createIfAbsent: boolean): Buffer {
  const fd = openExisting(path);
  if (fd !== null) return readOpened(fd, path);
  if (createIfAbsent) return createMasterKeyFile(path);
  throw new MasterKeyRefused("absent", path, "there is no such file; put back the key that sealed this data");
}

function openExisting(path: string): number | null {
  try {
    // NOFOLLOW: a link could be turned to another key. NONBLOCK: a pipe must not hang the start.
    return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (cause) {
    const code = errorCode(cause);
    if (code === "ENOENT") return null;
    if (code === "ELOOP") {
      throw new MasterKeyRefused("symlink", path, "it is a symbolic link; give the path of the file itself");
    }
    throw new MasterKeyRefused("unreadable", path, `it cannot be opened (${code}); let this user read it`);
  }
}

function readOpened(fd: number, path: string): Buffer {
  const content = Buffer.alloc(MAX_FILE_BYTES);
  try {
    refuseExposedFile(fstatSync(fd), path);
    return keyFromContent(content.subarray(0, readSync(fd, content)), path);
  } finally {
    content.fill(0);
    closeSync(fd);
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

function keyFromContent(content: Buffer, path: string): Buffer {
  if (content.length === 0) {
    throw new MasterKeyRefused("empty", path, "it is empty; restore it, or remove it if nothing was ever stored");
  }
  const text = content.toString("latin1").replace(/\r?\n$/, "");
  const bytes = content.length === KEY_BYTES ? Buffer.from(content) : keyBytesFromText(text);
  if (bytes === null) {
    const size = content.length === MAX_FILE_BYTES ? `${MAX_FILE_BYTES} bytes or more` : `${content.length} bytes`;
    throw new MasterKeyRefused(
      "length",
      path,
      `it holds ${size}, not 32 raw bytes and not their base64 (44) or hex (64) text; restore the original file`,
    );
  }
  refuseWeakKey(bytes, path);
  return bytes;
}

function createMasterKeyFile(path: string): Buffer {
  const key = randomBytes(KEY_BYTES);
  let fd: number | null = null;
  try {
    fd = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
    fchmodSync(fd, 0o600);
    if (writeSync(fd, key) !== KEY_BYTES) throw new Error(`Cannot write ${path}: the disk took only a part`);
    fsyncSync(fd);
  } catch (cause) {
    key.fill(0);
    // A half-written key would look like a damaged one at the next start.
    if (fd !== null) unlinkSync(path);
    throw new MasterKeyRefused("not_created", path, `it cannot be created (${errorCode(cause)})`);
  } finally {
    if (fd !== null) closeSync(fd);
  }
  syncDirectory(dirname(path));
  return key;
}

function errorCode(cause: unknown): string {
  return cause instanceof Error && "code" in cause ? String(cause.code) : "unknown";
}
