import { after, durationMs, type EpochMs } from "../../kernel/time.ts";
import type { Circle, Entry } from "./roster.ts";
import { look, type Standing, type View } from "./standing.ts";
import { compareStandings, goesBefore, hasRoom } from "./strategies.ts";
import type { StrategyName } from "./strategy-name.ts";
import { type Accept, earlier } from "./survey.ts";

/**
 * The accounts of a large circle that come first, found once and asked often. Whoever is on it is looked at live each
 * time, so that a stale list costs a little order, never a request to a benched account.
 */
type Shortlist = {
  readonly builtAtMs: EpochMs;
  /** When the first account that was not ready then may be back. */
  readonly returnsAtMs: EpochMs | null;
  /** Whoever had room then, best first. */
  readonly order: readonly Standing[];
  /** Up to here they were taken into `members`. */
  next: number;
  readonly members: Entry[];
  asked: number;
};

type How = { readonly strategy: StrategyName; readonly accept: Accept };

export type Shortlists = {
  /** The best with room; null when the list has nobody, and the whole circle must be looked at. */
  bestOf(view: View, circle: Circle, how: How): Standing | null;
  clear(): void;
};

/** Circles of this size are looked at whole. */
export const SMALL_CIRCLE = 16;
const MEMBERS = 8;
const MAX_LISTS = 64;
const MIN_AGE_MS = durationMs(250);
const MAX_AGE_MS = durationMs(2_000);
/** A new list costs a look at every account: one request pays for this many of them. */
const LOOKS_PER_QUESTION = 8;

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
  return (
    nowMs < builtAtMs ||
    nowMs >= after(builtAtMs, MAX_AGE_MS) ||
    (returnsAtMs !== null && nowMs >= returnsAtMs) ||
    list.asked * LOOKS_PER_QUESTION >= circle.entries.length
  );
}

/** For every model of the class: who lacks the one that is asked for is found out live. */
function build(view: View, circle: Circle, strategy: StrategyName): Shortlist {
  const { nowMs } = view.question;
  const anyModel: View = { ...view, question: { ...view.question, model: null }, warm: null };
  const order: Standing[] = [];
  let returnsAtMs: EpochMs | null = null;
  for (const entry of circle.entries) {
    const found = look(anyModel, entry);
    if (!found.isUsable) {
      returnsAtMs = earlier(returnsAtMs, found.untilMs);
    } else if (hasRoom(found)) {
      order.push(found);
    } else {
      returnsAtMs = earlier(returnsAtMs, found.fullUntilMs);
    }
  }
  order.sort((left, right) => compareStandings(left, right, strategy));
  const members = order.slice(0, MEMBERS).map(({ entry }) => entry);
  return { builtAtMs: nowMs, returnsAtMs, order, next: members.length, members, asked: 0 };
}

/** The best member now; whoever stands worse than the next in line, because it was used or benched since, gives way. */
// hot path
function pick(view: View, list: Shortlist, how: How): Standing | null {
  const { members, order } = list;
  let best: Standing | null = null;
  let last: Standing | null = null;
  let lastAt = -1;
  for (let at = 0; at < members.length; at += 1) {
    const found = live(view, members[at]);
    best = better(best, free(view, found, how), how);
    if (lastAt === -1 || isBehind(found, last, how)) {
      last = found;
      lastAt = at;
    }
  }
  for (let next = order[list.next]; next !== undefined; next = order[list.next]) {
    if (best !== null && goesBefore(best, next, how.strategy)) {
      return best;
    }
    list.next += 1;
    members[lastAt] = next.entry;
    best = better(best, free(view, live(view, next.entry), how), how);
  }
  return best;
}

/** Null: it has no room now. */
function live(view: View, entry: Entry | undefined): Standing | null {
  const found = entry === undefined ? null : look(view, entry);
  return found?.isUsable === true && hasRoom(found) ? found : null;
}

function free({ question }: View, found: Standing | null, { accept }: How): Standing | null {
  return found !== null && !question.tried.has(found.entry.account.id) && accept(found.entry) ? found : null;
}

function better(known: Standing | null, found: Standing | null, { strategy }: How): Standing | null {
  if (known === null || found === null) {
    return known ?? found;
  }
  return goesBefore(found, known, strategy) ? found : known;
}

function isBehind(found: Standing | null, last: Standing | null, { strategy }: How): boolean {
  return last !== null && (found === null || goesBefore(last, found, strategy));
}

function dropOldest(lists: Map<string, Shortlist>): void {
  for (const name of lists.keys()) {
    if (lists.size < MAX_LISTS) {
      return;
    }
    lists.delete(name);
  }
}
