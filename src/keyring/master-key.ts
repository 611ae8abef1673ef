import { createHmac } from "node:crypto";
import type { Secret } from "../kernel/secret.ts";
import { KEY_BYTES, openBytes, sealBytes } from "./aead.ts";
import { MasterKeyRefused } from "./keyring-error.ts";
import { readMasterKeyFile } from "./master-key-file.ts";
import { keyBytesFromText, refuseWeakKey } from "./master-key-text.ts";
import { keyFromPassphrase } from "./passphrase.ts";

/** The key that wraps the data keys. Its bytes stay inside. */
export type MasterKey = {
  /** The first 8 bytes of HMAC-SHA-256(key, "bccf-kek-id-v1") in hex: tells keys apart, reveals nothing. */
  readonly id: string;
  wrap(aad: Uint8Array, plain: Uint8Array): Uint8Array;
  unwrap(aad: Uint8Array, wrapped: Uint8Array): Buffer | null;
  /** Overwrites the key. Nothing can be wrapped or unwrapped afterwards. */
  erase(): void;
};

export type MasterKeySource =
  /** 32 raw bytes, or their base64 or hex text. `createIfAbsent` only while nothing was ever sealed. */
  | { readonly kind: "file"; readonly path: string; readonly createIfAbsent: boolean }
  /** Base64 or hex text of 32 bytes, from `BETTER_CCFLARE_ENCRYPTION_KEY`. */
  | { readonly kind: "value"; readonly value: Secret }
  /** Words of a person, with the salt and costs of scrypt in the file at `path`. */
  | {
      readonly kind: "passphrase";
      readonly passphrase: Secret;
      readonly path: string;
      readonly createIfAbsent: boolean;
    };

/** @throws MasterKeyRefused, with the fix in its message. There is no fallback from one source to another. */
export function loadMasterKey(source: MasterKeySource): MasterKey {
  if (source.kind === "file") return masterKeyFromBytes(readMasterKeyFile(source.path, source.createIfAbsent));
  if (source.kind === "passphrase") {
    return masterKeyFromBytes(keyFromPassphrase(source.passphrase, source.path, source.createIfAbsent));
  }
  const name = "the value of BETTER_CCFLARE_ENCRYPTION_KEY";
  const text = source.value.reveal();
  if (text.length === 0) {
    throw new MasterKeyRefused("empty", name, "it is empty; make one with: openssl rand -base64 32");
  }
  const bytes = keyBytesFromText(text);
  if (bytes === null) {
    throw new MasterKeyRefused(
      "length",
      name,
      "it is not 32 bytes as base64 (44 characters) or hex (64 characters); make one with: openssl rand -base64 32",
    );
  }
  refuseWeakKey(bytes, name);
  return masterKeyFromBytes(bytes);
}

/** Takes the bytes over: they are overwritten by `erase`. */
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
    wrap: (aad, plain) => sealBytes(alive(), aad, plain),
    unwrap: (aad, wrapped) => openBytes(alive(), aad, wrapped),
    erase() {
      key.fill(0);
      isErased = true;
    },
  };
}
