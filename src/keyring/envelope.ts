import { err, ok, type Result } from "../kernel/result.ts";
import { openBytes, SEAL_OVERHEAD_BYTES, sealBytes } from "./aead.ts";
import { lengthPrefixed, uint32, uint64 } from "./length-prefixed.ts";

/** Where a sealed value lives. It opens at this address alone: not in another row, column or generation. */
export type EnvelopeAddress = {
  readonly table: string;
  readonly column: string;
  readonly rowId: string;
  /** The row's credential version, 0..2^53-1: yesterday's envelope does not open today. */
  readonly generation: number;
};

export type DataKey = { readonly id: number; readonly key: Uint8Array };

const VERSION = 1;
const ALGORITHM_AES_256_GCM = 1;
const HEADER_BYTES = 6;
/** Reserved for tenants: part of the address from the start, so that adding them rewrites nothing. */
const NO_ORGANIZATION = "";

/** `ver(1)=1 | alg(1)=1 | dek_id(u32) | nonce(12) | ciphertext | tag(16)`. */
export function sealEnvelope(dataKey: DataKey, address: EnvelopeAddress, plain: Uint8Array): Uint8Array {
  const header = Buffer.concat([Uint8Array.of(VERSION, ALGORITHM_AES_256_GCM), uint32(dataKey.id)]);
  return Buffer.concat([header, sealBytes(dataKey.key, addressBytes(dataKey.id, address), plain)]);
}

/** The data key that an envelope names. An unknown version or algorithm, or too few bytes, is malformed. */
export function dataKeyIdOf(envelope: Uint8Array): Result<number, "malformed"> {
  if (envelope.length < HEADER_BYTES + SEAL_OVERHEAD_BYTES) return err("malformed");
  if (envelope[0] !== VERSION || envelope[1] !== ALGORITHM_AES_256_GCM) return err("malformed");
  return ok(new DataView(envelope.buffer, envelope.byteOffset, envelope.byteLength).getUint32(2));
}

/** Null when anything differs from the sealing. The caller owns and erases the result. */
export function openEnvelope(dataKey: DataKey, address: EnvelopeAddress, envelope: Uint8Array): Buffer | null {
  return openBytes(dataKey.key, addressBytes(dataKey.id, address), envelope.subarray(HEADER_BYTES));
}

function addressBytes(dataKeyId: number, address: EnvelopeAddress): Uint8Array {
  return lengthPrefixed([
    Uint8Array.of(VERSION),
    Uint8Array.of(ALGORITHM_AES_256_GCM),
    uint32(dataKeyId),
    address.table,
    address.column,
    address.rowId,
    NO_ORGANIZATION,
    uint64(address.generation),
  ]);
}
