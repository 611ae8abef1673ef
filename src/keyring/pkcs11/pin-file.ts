import { readFileSync, rmSync } from "node:fs";
import { MasterKeyRefused } from "../keyring-error.ts";
import { codeOf, readPrivately, writePrivately } from "../private-file.ts";

const MAX_PIN_BYTES = 256;

/**
 * Tries the PIN of a file, and the same file never again after it failed: tokens lock after a few wrong tries, and a
 * supervisor restarts what ends. That it is tried is written down before, so that a crash counts as a failure.
 * @param triedFile Holds which version of the PIN's file was tried last without success; no part of the PIN.
 * @throws MasterKeyRefused
 */
export function withPin(pinFile: string, triedFile: string, login: (pin: Uint8Array) => void): void {
  const read = readPrivately(pinFile, MAX_PIN_BYTES);
  if (read === null)
    throw new MasterKeyRefused("absent", pinFile, "there is no such file; it must hold the token's PIN");
  const pin = withoutLineBreak(read.content);
  try {
    if (pin.length === 0 || read.content.length === MAX_PIN_BYTES) {
      throw new MasterKeyRefused("pin", pinFile, "it does not hold a PIN of 1 to 255 bytes");
    }
    if (triedVersion(triedFile) === read.version) {
      throw new MasterKeyRefused(
        "pin",
        pinFile,
        "it was tried before without success, and another wrong try could lock the token; write the right PIN into it",
      );
    }
    writePrivately(triedFile, Buffer.from(`${read.version}\n`));
    tryPin(() => login(pin), triedFile);
  } finally {
    read.content.fill(0);
  }
}

/** A token that fails for another reason did not count the PIN as wrong. */
function tryPin(login: () => void, triedFile: string): void {
  try {
    login();
  } catch (cause) {
    if (!(cause instanceof MasterKeyRefused)) rmSync(triedFile, { force: true });
    throw cause;
  }
  rmSync(triedFile, { force: true });
}

function withoutLineBreak(content: Buffer): Buffer {
  let end = content.length;
  while (end > 0 && (content[end - 1] === 0x0a || content[end - 1] === 0x0d)) end -= 1;
  return content.subarray(0, end);
}

function triedVersion(path: string): string | null {
  try {
    return readFileSync(path, "latin1").trimEnd();
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return null;
    throw new MasterKeyRefused("unreadable", path, `it cannot be read (${codeOf(cause)})`);
  }
}
