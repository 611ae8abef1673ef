import { createHash } from "node:crypto";

/** Tells this hash apart from any other use of SHA-256 in the log. */
const ENTRY_PREFIX = 0x01;

export const HASH_BYTES = 32;

/** The head of a log without entries. */
export const EMPTY_HEAD: Uint8Array = new Uint8Array(HASH_BYTES);

/** security.md D17: SHA-256(0x01 || length of the entry, 8 bytes, big endian || entry, UTF-8 || hash before). */
export function chainHash(entry: string, previous: Uint8Array): Uint8Array {
  const bytes = Buffer.from(entry, "utf8");
  const head = Buffer.alloc(9);
  head.writeUInt8(ENTRY_PREFIX, 0);
  head.writeBigUInt64BE(BigInt(bytes.length), 1);
  return createHash("sha256").update(head).update(bytes).update(previous).digest();
}
