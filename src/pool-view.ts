import type { PoolView } from "./control/ports.ts";
import type { Account, AccountId } from "./domain/account/account.ts";
import { describeReason } from "./domain/failover/reason.ts";
import { windowsOf } from "./domain/pool/limit-windows.ts";
import { resetAccount } from "./domain/pool/pool-event.ts";
import { accountCondition } from "./domain/pool/pool-state.ts";
import type { PoolOwner } from "./gateway/pool-owner.ts";
import type { EpochMs } from "./kernel/time.ts";

/** Shows the control plane the very state that requests are routed by. */
export function createPoolView(
  pool: PoolOwner,
  now: () => EpochMs,
  accountOf: (id: AccountId) => Account | null,
): PoolView {
  return {
    describe(account) {
      const { state, reason, cause, untilMs } = accountCondition(pool.state, account, now());
      return {
        state,
        reason: reason === null ? null : describeReason(reason),
        cause,
        untilMs,
        windows: windowsOf(pool.state, account),
      };
    },
    reset(id) {
      const account = accountOf(id);
      if (account !== null) {
        pool.learn([resetAccount(account)]);
      }
    },
  };
}
