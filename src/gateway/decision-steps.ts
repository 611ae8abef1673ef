import type { AccountId } from "../domain/account/account.ts";
import type { Verdict } from "../domain/failover/judge.ts";
import type { AttemptOutcome } from "../domain/failover/outcome.ts";
import type { Choice, Question, Use } from "../domain/selection/choice.ts";
import type { Skip } from "../domain/selection/plan.ts";
import { durationMs, type EpochMs } from "../kernel/time.ts";
import type { QueueOutcome } from "./queue.ts";
import type { Refusal } from "./refusal.ts";
import type { Rooms } from "./rooms.ts";
import type { Walk } from "./walk.ts";

/** Enough to understand a choice; how many there were is kept beside. */
const KEPT_SKIPS = 8;
/** Explaining an account costs 0.3 us: beyond so many only a choice that surprises is worth it. */
const ALWAYS_EXPLAINED_ACCOUNTS = 16;

const NO_SKIPS: readonly Skip[] = [];

/** Why the others were passed over, when somebody will ask: not for a request that simply went home. */
// hot path
export function skipsFor(question: Question, use: Use, rooms: Rooms): readonly Skip[] {
  const isPlain = use.why === "home" || use.why === "strategy" || use.why === "new_home";
  const isCheap = use.why !== "home" && question.accounts.length <= ALWAYS_EXPLAINED_ACCOUNTS;
  return use.why === "retry" || (isPlain && !isCheap && question.tried.size === 0)
    ? NO_SKIPS
    : withoutChosen(rooms.selector.explain(question), use.account.id);
}

function withoutChosen(skips: readonly Skip[], chosen: AccountId): readonly Skip[] {
  return skips.some(({ accountId }) => accountId === chosen)
    ? skips.filter(({ accountId }) => accountId !== chosen)
    : skips;
}

function kept(skips: readonly Skip[]) {
  return { skips: skips.length > KEPT_SKIPS ? skips.slice(0, KEPT_SKIPS) : skips, skipCount: skips.length };
}

// hot path
export function noteTried(
  walk: Walk,
  tried: { readonly use: Use; readonly skips: readonly Skip[] },
  judged: { readonly verdict: Pick<Verdict, "reason" | "learn">; readonly outcome: AttemptOutcome | null },
): void {
  const { use, skips } = tried;
  const { verdict, outcome } = judged;
  walk.steps.push({
    kind: "tried",
    accountId: use.account.id,
    why: use.why,
    move: use.move,
    ...kept(skips),
    reason: verdict.reason,
    status: outcome?.kind === "answer" ? outcome.status : null,
    cause: causeOf(verdict),
  });
}

/** Which header or status made the account rest. */
function causeOf({ learn }: Pick<Verdict, "learn">): string | null {
  for (const event of learn) {
    if ("cause" in event) {
      return event.cause;
    }
  }
  return null;
}

/** Waits for one and the same thing are told as one. */
export function noteWaited(walk: Walk, choice: Extract<Choice, { kind: "wait" }>, waited: QueueOutcome): void {
  const { why, untilMs, move } = choice;
  const last = walk.steps.at(-1);
  const isSame = last?.kind === "waited" && last.why === why;
  const beforeMs = isSame ? last.ms : 0;
  if (isSame) {
    walk.steps.pop();
  }
  walk.steps.push({ kind: "waited", why, untilMs, ms: durationMs(beforeMs + waited.waitedMs), move });
}

/** No account will be tried any more, and that is why. `code`: of the refusal, or "retry_budget". */
export function noteRefused(
  walk: Walk,
  code: Refusal["code"] | "retry_budget",
  facts: { readonly skips?: readonly Skip[]; readonly untilMs?: EpochMs | null } = {},
): void {
  walk.steps.push({ kind: "refused", code, ...kept(facts.skips ?? NO_SKIPS), untilMs: facts.untilMs ?? null });
}
