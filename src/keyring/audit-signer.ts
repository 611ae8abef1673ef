import { createPrivateKey, createPublicKey, generateKeyPairSync, hkdfSync, sign } from "node:crypto";
import { err, ok, type Result } from "../kernel/result.ts";
import type { EnvelopeAddress } from "./envelope.ts";
import type { Keyring, OpenProblem } from "./keyring.ts";

/** Ed25519 (RFC 8032). */
export type AuditSigner = {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** 64 bytes. */
  sign(bytes: Uint8Array): Uint8Array;
  /** 32 bytes, the salt of the tags that stand for secrets: the same for as long as the log lives, and in no other log. */
  readonly tagKey: Uint8Array;
};

/** DER of an Ed25519 private key up to its 32 bytes (RFC 8410, section 7). */
const PKCS8_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");
const KEY_BYTES = 32;
const TAG_CONTEXT = "bccf-audit-tag-v1";
const FIRST_GENERATION = 1;

/** A fresh signing key, sealed for the log's own row: it opens for no other. */
export function sealSigningKey(
  keyring: Keyring,
  logId: string,
): { readonly sealed: Uint8Array; readonly generation: number } {
  const { privateKey } = generateKeyPairSync("ed25519");
  const seed = privateKey.export({ format: "der", type: "pkcs8" }).subarray(-KEY_BYTES);
  try {
    const text = Buffer.from(seed.toString("hex"), "utf8");
    return { sealed: keyring.seal("audit-sign", addressOf(logId), text), generation: FIRST_GENERATION };
  } finally {
    seed.fill(0);
  }
}

export function openAuditSigner(
  keyring: Keyring,
  { logId, sealed }: { readonly logId: string; readonly sealed: Uint8Array },
): Result<AuditSigner, OpenProblem> {
  const opened = keyring.open("audit-sign", addressOf(logId), sealed);
  if (!opened.ok) return opened;
  const seed = Buffer.from(opened.value.reveal(), "hex");
  if (seed.length !== KEY_BYTES) return err("malformed");
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: "der", type: "pkcs8" });
  const tagKey = new Uint8Array(hkdfSync("sha256", seed, Buffer.alloc(0), TAG_CONTEXT, KEY_BYTES));
  seed.fill(0);
  const publicKey = createPublicKey(key).export({ format: "der", type: "spki" }).subarray(-KEY_BYTES);
  return ok({ publicKey, tagKey, sign: (bytes) => sign(null, bytes, key) });
}

function addressOf(logId: string): EnvelopeAddress {
  return { table: "audit_log", column: "signing_key", rowId: logId, generation: FIRST_GENERATION };
}
