import { ptr } from "bun:ffi";
import { randomBytes } from "node:crypto";
import { KEY_BYTES, NONCE_BYTES, SEAL_OVERHEAD_BYTES, TAG_BYTES } from "../aead.ts";
import { attributes, gcmMechanism, mechanism } from "./ck-structures.ts";
import {
  CKA,
  CKF_RW_SERIAL_SESSION,
  CKF_USER_PIN_FINAL_TRY,
  CKF_USER_PIN_LOCKED,
  CKK_AES,
  CKM,
  CKO_SECRET_KEY,
  CKR,
  CKU_USER,
} from "./constants.ts";
import { type Cryptoki, CryptokiFailure } from "./cryptoki.ts";

/** A session with one token. Every function throws CryptokiFailure when the token refuses. */
export type Token = {
  readonly pinState: "fresh" | "final_try" | "locked";
  login(pin: Uint8Array): void;
  /** Handles of the AES-256 keys that have the label, at most 16. */
  keysOf(label: string): readonly bigint[];
  /** True when the token would give the key away, or does not say that it would not. */
  isExtractable(key: bigint): boolean;
  generate(label: string): bigint;
  /** Tells the keys of a token apart: 16 hex characters of what only this key makes. */
  idOf(key: bigint): string;
  /** AES-256-GCM: `nonce(12) | ciphertext | tag(16)` under a fresh random nonce. */
  encrypt(key: bigint, aad: Uint8Array, plain: Uint8Array): Uint8Array;
  /** Null when the bytes, the key or the address are not those of the encryption. */
  decrypt(key: bigint, aad: Uint8Array, sealed: Uint8Array): Uint8Array | null;
  close(): void;
};

const MAX_SLOTS = 256;
const MAX_KEYS = 16;
const TOKEN_INFO_BYTES = 208;
const LABEL_BYTES = 32;
const FLAGS_OFFSET = 96;
/** What tokens answer when the tag is not right: the standard names none for it. SoftHSM 2.6.1 gives the last. */
const NOT_AUTHENTIC: ReadonlySet<number> = new Set([
  CKR.encryptedDataInvalid,
  CKR.encryptedDataLenRange,
  CKR.dataInvalid,
  CKR.dataLenRange,
  CKR.signatureInvalid,
  CKR.generalError,
]);

/** Null when no slot holds a token of the label. The library must be initialised. */
export function openToken(cryptoki: Cryptoki, label: string): Token | null {
  for (const slot of slotsOf(cryptoki)) {
    const info = new Uint8Array(TOKEN_INFO_BYTES);
    try {
      cryptoki.call("C_GetTokenInfo", slot, ptr(info));
    } catch (cause) {
      // A slot whose token was just taken out.
      if (cause instanceof CryptokiFailure) continue;
      throw cause;
    }
    if (Buffer.from(info.subarray(0, LABEL_BYTES)).toString("utf8").trimEnd() !== label) continue;
    const flags = Number(new DataView(info.buffer).getBigUint64(FLAGS_OFFSET, true));
    const session = new BigUint64Array(1);
    cryptoki.call("C_OpenSession", slot, CKF_RW_SERIAL_SESSION, null, null, ptr(session));
    return tokenOf(cryptoki, session[0] ?? 0n, flags);
  }
  return null;
}

function slotsOf(cryptoki: Cryptoki): readonly bigint[] {
  const count = new BigUint64Array([BigInt(MAX_SLOTS)]);
  const slots = new BigUint64Array(MAX_SLOTS);
  cryptoki.call("C_GetSlotList", 1, ptr(slots), ptr(count));
  return [...slots.subarray(0, Number(count[0]))];
}

function tokenOf(cryptoki: Cryptoki, session: bigint, flags: number): Token {
  const isLocked = (flags & CKF_USER_PIN_LOCKED) !== 0;
  return {
    pinState: isLocked ? "locked" : (flags & CKF_USER_PIN_FINAL_TRY) !== 0 ? "final_try" : "fresh",
    login(pin) {
      try {
        cryptoki.call("C_Login", session, CKU_USER, ptr(pin), pin.length);
      } catch (cause) {
        if (!(cause instanceof CryptokiFailure) || cause.code !== CKR.userAlreadyLoggedIn) throw cause;
      }
    },
    keysOf: (label) => findKeys(cryptoki, session, label),
    isExtractable: (key) => isExtractable(cryptoki, session, key),
    generate(label) {
      const key = new BigUint64Array(1);
      const template = attributes([
        [CKA.class, CKO_SECRET_KEY],
        [CKA.keyType, CKK_AES],
        [CKA.valueLen, KEY_BYTES],
        [CKA.label, Buffer.from(label, "utf8")],
        [CKA.id, randomBytes(8)],
        [CKA.token, true],
        [CKA.private, true],
        [CKA.sensitive, true],
        [CKA.extractable, false],
        [CKA.encrypt, true],
        [CKA.decrypt, true],
      ]);
      const how = mechanism(CKM.aesKeyGen);
      cryptoki.call("C_GenerateKey", session, ptr(how.bytes), ptr(template.bytes), template.count, ptr(key));
      how.release();
      template.release();
      return key[0] ?? 0n;
    },
    idOf(key) {
      // One message under a nonce that is never drawn: its tag says nothing about another one.
      const sealed = encrypt({ cryptoki, session, key, nonce: Buffer.alloc(NONCE_BYTES) }, KEK_ID_TEXT, KEK_ID_TEXT);
      return Buffer.from(sealed.subarray(-TAG_BYTES)).toString("hex").slice(0, 16);
    },
    encrypt(key, aad, plain) {
      const nonce = randomBytes(NONCE_BYTES);
      return Buffer.concat([nonce, encrypt({ cryptoki, session, key, nonce }, aad, plain)]);
    },
    decrypt: (key, aad, sealed) => decrypt({ cryptoki, session, key }, aad, sealed),
    close() {
      cryptoki.call("C_CloseSession", session);
    },
  };
}

const KEK_ID_TEXT = Buffer.from("bccf-kek-id-v1", "latin1");

type Where = { readonly cryptoki: Cryptoki; readonly session: bigint; readonly key: bigint };

function findKeys(cryptoki: Cryptoki, session: bigint, label: string): readonly bigint[] {
  const template = attributes([
    [CKA.class, CKO_SECRET_KEY],
    [CKA.keyType, CKK_AES],
    [CKA.label, Buffer.from(label, "utf8")],
  ]);
  cryptoki.call("C_FindObjectsInit", session, ptr(template.bytes), template.count);
  template.release();
  const found = new BigUint64Array(MAX_KEYS);
  const count = new BigUint64Array(1);
  try {
    cryptoki.call("C_FindObjects", session, ptr(found), MAX_KEYS, ptr(count));
  } finally {
    cryptoki.call("C_FindObjectsFinal", session);
  }
  return [...found.subarray(0, Number(count[0]))];
}

/** What the token says, and what it does: it must refuse to give the value. */
function isExtractable(cryptoki: Cryptoki, session: bigint, key: bigint): boolean {
  const says = attributes([
    [CKA.sensitive, false],
    [CKA.extractable, true],
  ]);
  cryptoki.call("C_GetAttributeValue", session, key, ptr(says.bytes), says.count);
  const [isSensitive, canLeave] = says.values.map((value) => value[0] === 1);
  says.release();
  if (isSensitive !== true || canLeave !== false) return true;
  const value = attributes([[CKA.value, new Uint8Array(KEY_BYTES)]]);
  try {
    cryptoki.call("C_GetAttributeValue", session, key, ptr(value.bytes), value.count);
    return true;
  } catch (cause) {
    if (!(cause instanceof CryptokiFailure)) throw cause;
    return cause.code !== CKR.attributeSensitive && cause.code !== CKR.attributeTypeInvalid;
  } finally {
    value.release();
  }
}

function encrypt(
  { cryptoki, session, key, nonce }: Where & { readonly nonce: Uint8Array },
  aad: Uint8Array,
  plain: Uint8Array,
): Uint8Array {
  const how = gcmMechanism(nonce, aad);
  const output = new Uint8Array(plain.length + TAG_BYTES);
  const length = new BigUint64Array([BigInt(output.length)]);
  cryptoki.call("C_EncryptInit", session, ptr(how.bytes), key);
  cryptoki.call("C_Encrypt", session, ptr(plain), plain.length, ptr(output), ptr(length));
  how.release();
  if (Number(length[0]) !== output.length) throw new CryptokiFailure("C_Encrypt", CKR.generalError);
  return output;
}

function decrypt({ cryptoki, session, key }: Where, aad: Uint8Array, sealed: Uint8Array): Uint8Array | null {
  if (sealed.length <= SEAL_OVERHEAD_BYTES) return null;
  const how = gcmMechanism(sealed.slice(0, NONCE_BYTES), aad);
  const input = sealed.slice(NONCE_BYTES);
  // As long as the input: some libraries ask for room for the tag as well.
  const output = new Uint8Array(input.length);
  const length = new BigUint64Array([BigInt(output.length)]);
  cryptoki.call("C_DecryptInit", session, ptr(how.bytes), key);
  try {
    cryptoki.call("C_Decrypt", session, ptr(input), input.length, ptr(output), ptr(length));
    return output.slice(0, Number(length[0]));
  } catch (cause) {
    if (cause instanceof CryptokiFailure && NOT_AUTHENTIC.has(cause.code)) return null;
    throw cause;
  } finally {
    output.fill(0);
    how.release();
  }
}
