import { ptr } from "bun:ffi";
import { TAG_BYTES } from "../aead.ts";
import { CKM } from "./constants.ts";

const ULONG_BYTES = 8;
const ATTRIBUTE_BYTES = 24;
const MECHANISM_BYTES = 24;
const GCM_PARAMETER_BYTES = 48;

/**
 * `release` goes after the call: until then it holds what the pointers point to, which nothing else refers to. Without
 * it the memory could be collected while the library reads it.
 */
type Structure = { readonly bytes: Uint8Array; readonly release: () => void };

type Attributes = Structure & { readonly count: number; readonly values: readonly Uint8Array[] };

/** An array of CK_ATTRIBUTE. A number is a CK_ULONG, a boolean a CK_BBOOL. */
export function attributes(
  list: readonly (readonly [type: number, value: number | boolean | Uint8Array])[],
): Attributes {
  const values = list.map(([, value]) => bytesOf(value));
  const bytes = new Uint8Array(ATTRIBUTE_BYTES * list.length);
  const view = new DataView(bytes.buffer);
  for (const [at, [type]] of list.entries()) {
    const value = values[at] ?? new Uint8Array(1);
    view.setBigUint64(ATTRIBUTE_BYTES * at, BigInt(type), true);
    view.setBigUint64(ATTRIBUTE_BYTES * at + ULONG_BYTES, BigInt(ptr(value)), true);
    view.setBigUint64(ATTRIBUTE_BYTES * at + 2 * ULONG_BYTES, BigInt(value.length), true);
  }
  return { bytes, count: list.length, values, release: () => erase([bytes, ...values]) };
}

function bytesOf(value: number | boolean | Uint8Array): Uint8Array {
  if (typeof value === "boolean") return Uint8Array.of(value ? 1 : 0);
  if (typeof value !== "number") return value;
  const bytes = new Uint8Array(ULONG_BYTES);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
  return bytes;
}

/** CK_MECHANISM. */
export function mechanism(type: number, parameter: Uint8Array | null = null): Structure {
  const bytes = new Uint8Array(MECHANISM_BYTES);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(type), true);
  view.setBigUint64(ULONG_BYTES, parameter === null ? 0n : BigInt(ptr(parameter)), true);
  view.setBigUint64(2 * ULONG_BYTES, BigInt(parameter?.length ?? 0), true);
  return { bytes, release: () => erase([bytes, ...(parameter === null ? [] : [parameter])]) };
}

/** CK_MECHANISM with CK_GCM_PARAMS: pIv, ulIvLen, ulIvBits, pAAD, ulAADLen, ulTagBits. */
export function gcmMechanism(nonce: Uint8Array, aad: Uint8Array): Structure {
  const parameter = new Uint8Array(GCM_PARAMETER_BYTES);
  const view = new DataView(parameter.buffer);
  const [ownNonce, ownAad] = [Uint8Array.from(nonce), Uint8Array.from(aad)];
  const fields = [ptr(ownNonce), ownNonce.length, 8 * ownNonce.length, ptr(ownAad), ownAad.length, 8 * TAG_BYTES];
  for (const [at, field] of fields.entries()) view.setBigUint64(ULONG_BYTES * at, BigInt(field), true);
  const made = mechanism(CKM.aesGcm, parameter);
  return {
    bytes: made.bytes,
    release() {
      made.release();
      erase([ownNonce, ownAad]);
    },
  };
}

function erase(all: readonly Uint8Array[]): void {
  for (const bytes of all) bytes.fill(0);
}
