import type { Choice, Question, Use } from "../domain/selection/choice.ts";
import type { Skip } from "../domain/selection/plan.ts";
import { after, durationMs, type EpochMs, elapsed } from "../kernel/time.ts";
import { noteRefused, noteWaited } from "./decision-steps.ts";
import type { Rejected } from "./last-word.ts";
import { allLimited, noAccount, queueFull } from "./no-answer.ts";
import type { Refusal } from "./refusal.ts";
import { requestClassOf } from "./request-class.ts";
import { type Found, isExtraPaid, lastWord, type Seeking } from "./seeking.ts";

type Wait = Extract<Choice, { kind: "wait" }>;

/** A throttle of this length (acceleration, the last second of a window) is no news for a client. */
const SHORT_WAIT_MS = 3_000;

export type Waiting = { readonly kind: "wait"; readonly question: Question; readonly choice: Wait | "turn" };

/** Room came before its time: those who wait for it look first. */
export function isNotItsTurn({ walk, rooms, place }: Seeking): boolean {
  return place === null && walk.attempts === 0 && rooms.queue.hasLack(walk.modelClass);
}

/**
 * Nobody can take the request now: it waits if somebody can soon. Once upstream has answered, that answer says until
 * when, and is better than a long wait for nobody.
 */
export function noneNow(
  seeking: Seeking,
  question: Question,
  choice: Exclude<Choice, Use>,
): Waiting | { readonly kind: "found"; readonly found: Found } {
  const { walk, rooms } = seeking;
  const rejected = isOver(seeking.rejected, question.nowMs) ? null : seeking.rejected;
  const isWait = choice.kind === "wait" && (rejected === null || isWorthIt(choice, rejected, question.nowMs));
  if (isWait && (walk.attempts === 0 || isExtraPaid(seeking, question.nowMs))) {
    return { kind: "wait", question, choice };
  }
  if (rejected !== null || choice.kind === "wait") {
    return { kind: "found", found: lastWord(seeking) };
  }
  const skips = rooms.selector.explain(question);
  const probe = untilProbed(seeking, question, skips);
  if (probe !== null) return { kind: "wait", question, choice: probe };
  const found =
    seeking.rejected === null
      ? refuse(seeking, question, { skips, returnsAtMs: choice.returnsAtMs })
      : lastWord(seeking);
  return { kind: "found", found };
}

/** The limit that the answer stated has ended meanwhile: what holds now is something else. */
function isOver(rejected: Rejected | null, nowMs: EpochMs): boolean {
  const retryAtMs = rejected?.outcome.kind === "answer" ? rejected.outcome.limits.retryAtMs : null;
  return retryAtMs !== null && retryAtMs <= nowMs;
}

/** Somebody has room later, the home comes back before a move would pay, or upstream said that it is over in a moment. */
function isWorthIt({ why, move, untilMs }: Wait, { outcome }: Rejected, nowMs: EpochMs): boolean {
  const isStated = outcome.kind === "answer" && outcome.limits.retryAtMs !== null;
  return why === "all_full" || move !== null || (isStated && elapsed(nowMs, untilMs) <= SHORT_WAIT_MS);
}

/** One request is testing a limit right now: its outcome is near, whatever the test may take at most. */
function untilProbed({ walk, rooms }: Seeking, { nowMs }: Question, skips: readonly Skip[]): Wait | null {
  const leftMs = rooms.rule().maxWaitMs - walk.queueMs;
  return leftMs > 0 && skips.some(({ reason }) => reason === "probing")
    ? { kind: "wait", untilMs: after(nowMs, durationMs(leftMs)), why: "all_rest", move: null }
    : null;
}

function refuse(
  { walk }: Seeking,
  { modelClass, nowMs }: Question,
  { skips, returnsAtMs }: { readonly skips: readonly Skip[]; readonly returnsAtMs: EpochMs | null },
): Refusal {
  const refusal = returnsAtMs === null ? noAccount(skips) : allLimited({ modelClass, skips, returnsAtMs, nowMs });
  noteRefused(walk, refusal.code, { skips, untilMs: returnsAtMs });
  return refusal;
}

/** Null: look again. */
export async function waitInQueue(seeking: Seeking, { question, choice }: Waiting): Promise<Found | null> {
  const { walk, rooms } = seeking;
  const { call, caller, modelClass, queueMs } = walk;
  seeking.place ??= rooms.queue.enter({
    lane: modelClass,
    requestClass: requestClassOf(call),
    keyId: caller.keyId,
    waitedMs: queueMs,
  });
  const isTurn = choice === "turn";
  const untilMs = isTurn ? question.nowMs : choice.untilMs;
  const kind = isTurn ? "turn" : choice.why === "home_returns" ? "own" : "lack";
  const waited = await rooms.queue.wait(seeking.place, { untilMs, kind }, call.signal);
  walk.queueMs = durationMs(queueMs + waited.waitedMs);
  if (!isTurn && waited.waitedMs > 0) {
    noteWaited(walk, choice, waited);
  }
  switch (waited.kind) {
    case "ready":
      // What it waited for may be tried once more.
      seeking.tried.clear();
      return null;
    case "gone":
      return "client_gone";
    case "full":
      noteRefused(walk, "GW_QUEUE_FULL", { untilMs });
      return seeking.rejected === null ? queueFull(rooms.queue.waiting) : lastWord(seeking);
    default:
      return seeking.rejected === null
        ? refuse(seeking, question, { skips: rooms.selector.explain(question), returnsAtMs: untilMs })
        : lastWord(seeking);
  }
}
