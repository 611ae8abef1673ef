import { canonicalJson } from "./canonical-json.ts";

/** Tells it apart from a checkpoint, and from anything else that the key could be made to sign. */
const CONTEXT = "bccf-audit-pruned-v1\n";

/** Where a log begins whose older entries were removed: what stood before is not missing. */
export type PrunedMark = {
  readonly logId: string;
  /** The last entry that was removed. */
  readonly seq: number;
  /** Of that entry, lower-case hex: the next one is chained to it. */
  readonly hash: string;
  /** RFC 3339. */
  readonly at: string;
  /** Signature of the checkpoint that covered that entry, lower-case hex. */
  readonly previous: string;
};

/** Canonical JSON, stored and exported exactly like this. */
export function prunedStatement({ logId, seq, hash, at, previous }: PrunedMark): string {
  return canonicalJson({ v: 1, log: logId, prunedTo: seq, hash, at, previous });
}

/** What is signed. */
export function prunedBytes(statement: string): Uint8Array {
  return Buffer.from(CONTEXT + statement, "utf8");
}
