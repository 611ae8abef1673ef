import { KEY_BYTES } from "./aead.ts";
import { MasterKeyRefused } from "./keyring-error.ts";

const HEX = /^[0-9A-Fa-f]{64}$/;
const BASE64 = /^[A-Za-z0-9+/]{43}=$/;

/** Strict, since Buffer.from skips what it does not know: canonical base64 or hex of 32 bytes, else null. */
export function keyBytesFromText(text: string): Buffer | null {
  if (HEX.test(text)) return Buffer.from(text, "hex");
  if (!BASE64.test(text)) return null;
  const bytes = Buffer.from(text, "base64");
  // The last character holds 4 spare bits, which must be zero: one key has one spelling.
  return bytes.length === KEY_BYTES && bytes.toString("base64") === text ? bytes : null;
}

/** @throws MasterKeyRefused for a key that nobody drew at random. Overwrites it first. */
export function refuseWeakKey(bytes: Buffer, name: string): void {
  const first = bytes[0];
  if (!bytes.every((byte) => byte === first)) return;
  bytes.fill(0);
  if (first === 0) {
    throw new MasterKeyRefused("all_zero", name, "every byte is zero; make one with: openssl rand -base64 32");
  }
  throw new MasterKeyRefused("repeated_byte", name, "it repeats one byte; make one with: openssl rand -base64 32");
}
