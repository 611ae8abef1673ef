import type { AccountState } from "./account-state.ts";
import { MESSAGES_PATH } from "./account-state.ts";
import type { ApiWorld } from "./api.ts";
import { react } from "./api.ts";
import type { FixedAnswer } from "./fixed-answer.ts";
import { isFixable, printFixed } from "./fixed-answer.ts";
import { createPacer } from "./pacer.ts";
import type { RequestHead } from "./request-head.ts";
import type { Step } from "./step.ts";

/** Prebuilt answers of accounts whose answer depends on nothing but their default step. */
export interface FixedAnswers {
  of(account: AccountState, head: RequestHead): FixedAnswer | null;
}

export function createFixedAnswers(world: ApiWorld): FixedAnswers {
  const pace = createPacer();
  const printed = new WeakMap<AccountState, { readonly step: Step; readonly answer: FixedAnswer }>();

  function print(account: AccountState, step: Step): FixedAnswer | null {
    const reaction = react(world, { method: "POST", target: MESSAGES_PATH, body: new Uint8Array(0), account });
    if (reaction.kind !== "answer") return null;
    const answer = printFixed(reaction.answer, pace);
    printed.set(account, { step, answer });
    return answer;
  }

  return {
    // hot path
    of(account, head) {
      const step = account.defaults.get(MESSAGES_PATH);
      if (step === undefined || head.method !== "POST" || !head.target.startsWith(MESSAGES_PATH)) return null;
      if (account.queue.length > 0 || !isPathOfMessages(head.target)) return null;
      const known = printed.get(account);
      if (known?.step === step) return known.answer;
      return isFixable(step) && isUnlimited(world, account) ? print(account, step) : null;
    },
  };
}

function isPathOfMessages(target: string): boolean {
  return target.length === MESSAGES_PATH.length || target.charCodeAt(MESSAGES_PATH.length) === "?".charCodeAt(0);
}

function isUnlimited(world: ApiWorld, account: AccountState): boolean {
  const { options, unified } = account;
  return options.models === undefined && unified === undefined && world.limiterOf(account.organization) === null;
}
