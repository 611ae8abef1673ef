import type { SelectionRule } from "./choice.ts";
import type { RestMemory } from "./rest-memory.ts";
import type { Circle, Roster } from "./roster.ts";
import { type Shortlists, SMALL_CIRCLE } from "./shortlist.ts";
import type { Standing, View } from "./standing.ts";
import { type Accept, everyone, type Survey, survey } from "./survey.ts";

/** One question, and what answers it. */
export type Asking = {
  readonly view: View;
  readonly rule: SelectionRule;
  readonly roster: Roster;
  readonly lists: Shortlists;
  readonly rest: RestMemory;
};

/** The best of a circle that has room; null when nobody there has. */
// hot path: the cost does not depend on the size of the circle as long as somebody has room
export function bestOf(asking: Asking, circle: Circle, accept: Accept): Standing | null {
  const { view, rule, lists, rest } = asking;
  if (rest.recall(view) !== null) {
    return null;
  }
  const how = { strategy: rule.strategy, accept };
  if (circle.entries.length <= SMALL_CIRCLE) {
    return survey(view, circle.entries, how).best;
  }
  return lists.bestOf(view, circle, how) ?? survey(view, circle.entries, how).best;
}

/** The best of a circle among those that come first; null when nobody of them is accepted, whoever else there may be. */
// hot path
export function firstOf(asking: Asking, circle: Circle, accept: Accept): Standing | null {
  const { view, rule, lists } = asking;
  const how = { strategy: rule.strategy, accept };
  return circle.entries.length <= SMALL_CIRCLE
    ? survey(view, circle.entries, how).best
    : lists.bestOf(view, circle, how);
}

/** Everyone, looked at one by one. */
export function surveyAll(asking: Asking): Survey {
  const { view, rule, roster, rest } = asking;
  const known = rest.recall(view);
  if (known !== null) {
    return known;
  }
  const found = survey(view, roster.all.entries, { strategy: rule.strategy, accept: everyone });
  rest.note(view, found);
  return found;
}
