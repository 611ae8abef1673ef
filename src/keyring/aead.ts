import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";

/** AES-256-GCM, NIST SP 800-38D. */
const ALGORITHM = "aes-256-gcm";
export const NONCE_BYTES = 12;
export const TAG_BYTES = 16;

export const KEY_BYTES = 32;
/** What sealing adds to the plain text: nonce and tag. */
export const SEAL_OVERHEAD_BYTES = NONCE_BYTES + TAG_BYTES;

/** `nonce(12) | ciphertext | tag(16)` under a fresh random nonce. */
export function sealBytes(key: Uint8Array, aad: Uint8Array, plain: Uint8Array): Uint8Array {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(aad);
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** Null when the bytes, the key or the address are not those of the sealing. The caller owns and erases the result. */
export function openBytes(key: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Buffer | null {
  if (sealed.length < SEAL_OVERHEAD_BYTES) return null;
  // Without authTagLength a runtime may accept a tag of 4 bytes (Node 20 does).
  const decipher = createDecipheriv(ALGORITHM, key, sealed.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAAD(aad);
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
  const early = decipher.update(sealed.subarray(NONCE_BYTES, sealed.length - TAG_BYTES));
  try {
    return Buffer.concat([early, decipher.final()]);
  } catch {
    return null;
  } finally {
    // update() gives plain text before the tag is checked: nobody may see it.
    early.fill(0);
  }
}
