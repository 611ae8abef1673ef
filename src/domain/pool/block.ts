import type { EpochMs } from "../../kernel/time.ts";
import type { ReasonCode } from "../failover/reason.ts";

/** What keeps an account from use, and until when. */
export type Block = { readonly untilMs: EpochMs; readonly reason: ReasonCode };

/** Of two blocks the one that ends last: only then is the account back. */
export function laterBlock(left: Block | null, right: Block | null): Block | null {
  if (left === null || right === null) {
    return left ?? right;
  }
  return right.untilMs > left.untilMs ? right : left;
}
