import { randomBytes } from "node:crypto";
import { closeSync, constants, fchmodSync, fsyncSync, openSync, unlinkSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { KEY_BYTES } from "./aead.ts";
import { MasterKeyRefused } from "./keyring-error.ts";
import { keyBytesFromText, refuseWeakKey } from "./master-key-text.ts";
import { codeOf, readPrivately, syncDirectory } from "./private-file.ts";

/** The longest form is hex with a line break; one byte more shows that the file is longer. */
const MAX_FILE_BYTES = 2 * KEY_BYTES + 2;

/**
 * The 32 bytes of the master key. A file that is absent is created with a fresh key when `createIfAbsent` says so.
 * @throws MasterKeyRefused when the file is not exactly what it should be.
 */
export function readMasterKeyFile(path: string, createIfAbsent: boolean): Buffer {
  const read = readPrivately(path, MAX_FILE_BYTES);
  if (read === null) {
    if (createIfAbsent) return createMasterKeyFile(path);
    throw new MasterKeyRefused("absent", path, "there is no such file; put back the key that sealed this data");
  }
  try {
    return keyFromContent(read.content, path);
  } finally {
    read.content.fill(0);
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
    throw new MasterKeyRefused("not_created", path, `it cannot be created (${codeOf(cause)})`);
  } finally {
    if (fd !== null) closeSync(fd);
  }
  syncDirectory(dirname(path));
  return key;
}
