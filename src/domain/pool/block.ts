import type { EpochMs } from "../../kernel/time.ts";
import type { ReasonCode } from "../failover/reason.ts";

/** What keeps an account from use, and until when. */
export type Block = {
  readonly untilMs: EpochMs;
  readonly reason: ReasonCode;
  /** The status and the header that said so. At most 80 characters; of the wire it repeats header names only. */
  readonly cause: string;
};

const MAX_CAUSE_CHARACTERS = 80;

/** A header's name may come from the wire: what is kept of it is bounded. */
export function boundedCause(cause: string): string {
  return cause.length <= MAX_CAUSE_CHARACTERS ? cause : cause.slice(0, MAX_CAUSE_CHARACTERS);
}

/** Of two blocks the one that ends last: only then is the account back. */
export function laterBlock(left: Block | null, right: Block | null): Block | null {
  if (left === null || right === null) {
    return left ?? right;
  }
  return right.untilMs > left.untilMs ? right : left;
}
