import type { EpochMs } from "../../kernel/time.ts";
import { subjectOf } from "../pool/pool-event.ts";
import { isProbe } from "../pool/pool-state.ts";
import { type Asking, bestOf, surveyAll } from "./asking.ts";
import type { Choice, Move, Question, Use, Why } from "./choice.ts";
import { isWithinWait } from "./home-rule.ts";
import type { Entry } from "./roster.ts";
import { earlier, everyone, type Survey } from "./survey.ts";

const NO_EVENTS: Use["onStart"] = [];

/** The best of all by the strategy; without one the last resorts. */
// hot path
export function chooseAnew(asking: Asking, why: "strategy" | "new_home"): Choice {
  const best = bestOf(asking, asking.roster.all, everyone);
  return best === null
    ? lastResort(asking, surveyAll(asking), (entry, reason) => useOf(asking, entry, { why: reason ?? why, move: null }))
    : useOf(asking, best.entry, { why, move: null });
}

/** Uses an account; `reason` is null when there is nothing special about it but that it is full. */
type UseIt = (entry: Entry, reason: "probe" | "last_origin" | null) => Use;

/**
 * Nobody has room: one request may test a limit that may be over. A resting upstream is not let rest when every other
 * rests too. Else wait for the first to come back or to have room, if that is near; else try the least full.
 */
export function lastResort(asking: Asking, found: Survey, useIt: UseIt): Choice {
  const { rule } = asking;
  const { question } = asking.view;
  const { probe, full, behindCircuit } = found;
  if (probe !== null) {
    return useIt(probe.entry, "probe");
  }
  if (!found.isAnyUsable && behindCircuit !== null) {
    return useIt(behindCircuit, "last_origin");
  }
  const roomAtMs = full?.fullUntilMs ?? null;
  const firstAtMs = earlier(roomAtMs, found.returnsAtMs);
  if (firstAtMs !== null && isWithinWait(firstAtMs, rule, question)) {
    return { kind: "wait", untilMs: firstAtMs, why: firstAtMs === roomAtMs ? "all_full" : "all_rest", move: null };
  }
  return full === null ? none(firstAtMs) : useIt(full.entry, null);
}

export function useOf(
  { view: { question } }: Pick<Asking, "view">,
  { account }: Entry,
  { why, move }: { readonly why: Why; readonly move: Move | null },
): Use {
  return { kind: "use", account, onStart: probeEvents(question, account), why, move };
}

function probeEvents({ pool, model, modelClass, nowMs }: Question, account: Use["account"]): Use["onStart"] {
  return isProbe(pool, account, modelClass, nowMs)
    ? [{ type: "probe_started", on: subjectOf(account, model, modelClass), atMs: nowMs }]
    : NO_EVENTS;
}

function none(returnsAtMs: EpochMs | null): Choice {
  return { kind: "none", returnsAtMs };
}
