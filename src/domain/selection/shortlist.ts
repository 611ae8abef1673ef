import { durationMs, type EpochMs } from "../../kernel/time.ts";
import type { Circle } from "./roster.ts";
import { look, type Standing, type Unusable, type View } from "./standing.ts";
import { compareStandings, goesBefore, hasRoom } from "./strategies.ts";
import type { StrategyName } from "./strategy-name.ts";
import { type Accept, earlier } from "./survey.ts";

/**
 * The accounts of a large circle that had room, found once and asked often. Whoever seems to be first is looked at live,
 * so that a stale list costs a little order, never a request to a benched account.
 */
type Shortlist = {
  readonly builtAtMs: EpochMs;
  /** When the first account that had no room then may have some. */
  readonly returnsAtMs: EpochMs | null;
  /** As they stood when they were looked at last; best first. */
  readonly order: Standing[];
  asked: number;
};

type How = { readonly strategy: StrategyName; readonly accept: Accept };

export type Shortlists = {
  /** The best with room; null when the list has nobody, and the whole circle must be looked at. */
  bestOf(view: View, circle: Circle, how: How): Standing | null;
  clear(): void;
};

/** Circles of this size are looked at whole. */
export const SMALL_CIRCLE = 8;
const MAX_LISTS = 64;
const MIN_AGE_MS = durationMs(250);
const MAX_AGE_MS = durationMs(2_000);
/**
 * A new list costs a look at every account. So many of them may come on each request when nothing calls for it, and
 * when somebody may be back.
 */
const LOOKS_PER_QUESTION = 1;
const LOOKS_TO_SEE_RETURNS = 8;

export function createShortlists(): Shortlists {
  const lists = new Map<string, Shortlist>();
  return {
    bestOf(view, circle, how) {
      const name = `${how.strategy} ${view.question.modelClass} ${circle.name}`;
      let list = lists.get(name);
      if (list === undefined || isStale(list, circle, view.question.nowMs)) {
        list = build(view, circle, how.strategy);
        lists.delete(name);
        dropOldest(lists);
        lists.set(name, list);
      }
      list.asked += 1;
      return pick(view, list, how);
    },
    clear: () => lists.clear(),
  };
}

function isStale(list: Shortlist, circle: Circle, nowMs: EpochMs): boolean {
  const { builtAtMs, returnsAtMs } = list;
  if (nowMs >= builtAtMs && nowMs < builtAtMs + MIN_AGE_MS) {
    return false;
  }
  const isBack = returnsAtMs !== null && nowMs >= returnsAtMs;
  const looks = list.asked * (isBack ? LOOKS_TO_SEE_RETURNS : LOOKS_PER_QUESTION);
  return looks >= circle.entries.length || nowMs < builtAtMs || nowMs >= builtAtMs + MAX_AGE_MS;
}

/** For every model of the class: who lacks the one that is asked for is found out live. */
function build(view: View, circle: Circle, strategy: StrategyName): Shortlist {
  const { nowMs } = view.question;
  const anyModel: View = { ...view, question: { ...view.question, model: null }, warm: null };
  const order: Standing[] = [];
  let returnsAtMs: EpochMs | null = null;
  for (const entry of circle.entries) {
    const found = look(anyModel, entry);
    if (!found.usable) {
      returnsAtMs = earlier(returnsAtMs, found.untilMs);
    } else if (hasRoom(found)) {
      order.push(found);
    } else {
      returnsAtMs = earlier(returnsAtMs, found.fullUntilMs);
    }
  }
  order.sort((left, right) => compareStandings(left, right, strategy));
  return { builtAtMs: nowMs, returnsAtMs, order, asked: 0 };
}

/**
 * Walks from the front until the best that was found live goes before whoever is next. Whoever stands worse by now,
 * because it was used since, sinks; whoever has no room leaves the list.
 */
// hot path: mostly one or two looks
function pick(view: View, { order }: Shortlist, { strategy, accept }: How): Standing | null {
  const { tried } = view.question;
  let best: Standing | null = null;
  for (let at = 0; ; ) {
    const known = order[at];
    if (known === undefined || (best !== null && goesBefore(best, known, strategy))) {
      return best;
    }
    const found = look(view, known.entry);
    if (!found.usable || !hasRoom(found)) {
      at += leave(order, at, found);
      continue;
    }
    const isFree = !tried.has(found.entry.account.id) && accept(found.entry);
    if (isFree && (best === null || goesBefore(found, best, strategy))) {
      best = found;
    }
    // Where it sank, the one that came up is looked at next.
    at += sink(order, { at, found }, strategy) ? 0 : 1;
  }
}

/** Whoever lacks only this model stays, for requests with another model of the class. @returns how far to go on */
function leave(order: Standing[], at: number, found: Standing | Unusable): 0 | 1 {
  if (!found.usable && found.reason === "model_missing") {
    return 1;
  }
  order.splice(at, 1);
  return 0;
}

/** Puts `found` in the place of `order[at]`, or further back; true when it went back. */
function sink(order: Standing[], { at, found }: { at: number; found: Standing }, strategy: StrategyName): boolean {
  let low = at + 1;
  let high = order.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const other = order[middle];
    if (other !== undefined && goesBefore(other, found, strategy)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  order.copyWithin(at, at + 1, low);
  order[low - 1] = found;
  return low - 1 > at;
}

function dropOldest(lists: Map<string, Shortlist>): void {
  for (const name of lists.keys()) {
    if (lists.size < MAX_LISTS) {
      return;
    }
    lists.delete(name);
  }
}
