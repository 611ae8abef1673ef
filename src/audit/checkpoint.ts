import { createPublicKey, verify } from "node:crypto";
import { canonicalJson } from "./canonical-json.ts";

/** Tells a signed checkpoint apart from anything else that the key could be made to sign. */
const CONTEXT = "bccf-audit-checkpoint-v1\n";

/** DER of an Ed25519 public key up to its 32 bytes (RFC 8410, section 4). */
const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");

/** A signed head of the chain: who holds one can tell every later change of what came before. */
export type Checkpoint = {
  /** Random, made with the log: another installation has another. */
  readonly logId: string;
  /** The last entry that it covers. */
  readonly seq: number;
  /** Lower-case hex. */
  readonly hash: string;
  /** RFC 3339. */
  readonly at: string;
  /** Signature of the checkpoint before, lower-case hex; null for the first. */
  readonly previous: string | null;
};

/** Canonical JSON, stored and exported exactly like this. */
export function checkpointStatement({ logId, seq, hash, at, previous }: Checkpoint): string {
  return canonicalJson({ v: 1, log: logId, seq, hash, at, previous });
}

/** What is signed. */
export function signedBytes(statement: string): Uint8Array {
  return Buffer.from(CONTEXT + statement, "utf8");
}

/** Ed25519 (RFC 8032). False too for a key or signature that is none. */
export function isSignedBy(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  try {
    const key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, publicKey]), format: "der", type: "spki" });
    return verify(null, message, key, signature);
  } catch {
    return false;
  }
}
