import type { Choice, Question, Use } from "../domain/selection/choice.ts";
import type { Skip } from "../domain/selection/plan.ts";
import { after, durationMs, type EpochMs } from "../kernel/time.ts";
import { noteRefused, noteWaited } from "./decision-steps.ts";
import { allLimited, noAccount, queueFull } from "./no-answer.ts";
import type { Refusal } from "./refusal.ts";
import { requestClassOf } from "./request-class.ts";
import { type Found, isExtraPaid, lastWord, type Seeking } from "./seeking.ts";

type Wait = Extract<Choice, { kind: "wait" }>;

export type Waiting = { readonly kind: "wait"; readonly question: Question; readonly choice: Wait | "turn" };

/** Room came before its time: those who wait for it look first. */
export function isNotItsTurn({ walk, rooms, place }: Seeking): boolean {
  return place === null && walk.attempts === 0 && rooms.queue.hasLack(walk.modelClass);
}

/**
 * Nobody can take the request now. Upstream's own last answer is better than to wait while nobody else could serve: it
 * says until when.
 */
export function noneNow(
  seeking: Seeking,
  question: Question,
  choice: Exclude<Choice, Use>,
): Waiting | { readonly kind: "found"; readonly found: Found } {
  const { walk, rooms, rejected } = seeking;
  const wait = choice.kind === "wait" && (rejected === null || isWorthIt(choice)) ? choice : null;
  if (wait !== null && (walk.attempts === 0 || isExtraPaid(seeking, question.nowMs))) {
    return { kind: "wait", question, choice: wait };
  }
  if (rejected !== null || choice.kind === "wait") {
    return { kind: "found", found: lastWord(seeking) };
  }
  const skips = rooms.selector.explain(question);
  const probe = untilProbed(seeking, question, skips);
  return probe === null
    ? { kind: "found", found: refuse(seeking, question, { skips, returnsAtMs: choice.returnsAtMs }) }
    : { kind: "wait", question, choice: probe };
}

/** Somebody has room later, or the home comes back before a move would pay. */
function isWorthIt({ why, move }: Wait): boolean {
  return why === "all_full" || move !== null;
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
