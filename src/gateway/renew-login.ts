import type { Renewal } from "../domain/failover/judge.ts";
import type { AttemptOutcome } from "../domain/failover/outcome.ts";
import { durationMs } from "../kernel/time.ts";
import type { Lease } from "./ports.ts";
import type { Seeking } from "./seeking.ts";

/** A request waits so long for a token endpoint, then another account serves it; the renewal itself goes on. */
const RENEWAL_WAIT_MS = durationMs(5_000);

/** A 401 to a token that may be renewed: once for each account and request. */
// hot path
export function isRenewable(seeking: Seeking, { account }: Lease, outcome: AttemptOutcome): boolean {
  return (
    outcome.kind === "answer" &&
    outcome.status === 401 &&
    account.credentialKind === "bearer" &&
    !seeking.renewed.has(account.id)
  );
}

/** Null when the account's credential does not renew itself. */
export async function renewLogin(seeking: Seeking, { account, credential }: Lease): Promise<Renewal | null> {
  const { walk, rooms, renewed } = seeking;
  const renewing = rooms.accounts.renew?.(account, credential);
  if (renewing === undefined) {
    return null;
  }
  const done = new AbortController();
  const stop = () => done.abort();
  walk.call.signal.addEventListener("abort", stop);
  const late = rooms.clock.sleep(RENEWAL_WAIT_MS, done.signal).then((): Renewal => "later");
  const renewal = await Promise.race([renewing, late]);
  stop();
  walk.call.signal.removeEventListener("abort", stop);
  if (renewal === "renewed") {
    renewed.add(account.id);
    // Not upstream's bad minute, which the budget is for: at most one for each account and token.
    seeking.isPaid = true;
  }
  return renewal;
}
