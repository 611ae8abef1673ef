import { createHmac } from "node:crypto";
import { KEY_BYTES, openBytes, sealBytes } from "./aead.ts";

/**
 * The key that wraps the data keys. It stays where it is: in this process, or in a token. A token may be gone, then
 * `wrap` and `unwrap` reject with MasterKeyUnreachable.
 */
export type MasterKey = {
  /** 16 hex characters: tells keys apart, reveals nothing. */
  readonly id: string;
  wrap(aad: Uint8Array, plain: Uint8Array): Promise<Uint8Array>;
  /** Null when another key, or for another address, wrapped it. The caller owns and erases the result. */
  unwrap(aad: Uint8Array, wrapped: Uint8Array): Promise<Buffer | null>;
  /** False when it is in a token that does not answer. */
  isReachable(): Promise<boolean>;
  /** Overwrites the key, or leaves the token. Nothing can be wrapped or unwrapped afterwards. */
  erase(): void;
};

/** Takes the bytes over: they are overwritten by `erase`. Its id begins HMAC-SHA-256(key, "bccf-kek-id-v1"). */
export function masterKeyFromBytes(key: Buffer): MasterKey {
  if (key.length !== KEY_BYTES)
    throw new RangeError(`Cannot use a master key of ${key.length} bytes: it has ${KEY_BYTES}`);
  let isErased = false;
  const alive = (): Buffer => {
    if (isErased) throw new Error("Cannot use the master key: it was erased");
    return key;
  };
  return {
    id: createHmac("sha256", key).update("bccf-kek-id-v1").digest("hex").slice(0, 16),
    wrap: async (aad, plain) => sealBytes(alive(), aad, plain),
    unwrap: async (aad, wrapped) => openBytes(alive(), aad, wrapped),
    isReachable: async () => !isErased,
    erase() {
      key.fill(0);
      isErased = true;
    },
  };
}
