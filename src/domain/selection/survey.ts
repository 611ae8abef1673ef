import type { EpochMs } from "../../kernel/time.ts";
import type { Entry } from "./roster.ts";
import { look, type Standing, type Unusable, type View } from "./standing.ts";
import { goesBefore } from "./strategies.ts";
import type { StrategyName } from "./strategy-name.ts";

/** What a look at every account found. Tried accounts are nobody's best, but they come back like the others. */
export type Survey = {
  /** The best with room. */
  readonly best: Standing | null;
  /** The best that would be a probe. */
  readonly probe: Standing | null;
  /** The one that has room first. */
  readonly full: Standing | null;
  /** When the first that rests comes back; null when nobody will by itself. */
  readonly returnsAtMs: EpochMs | null;
  readonly isAnyUsable: boolean;
  /** The first, not tried, against whom only its resting upstream speaks. */
  readonly behindCircuit: Entry | null;
};

type Finding = { -readonly [Key in keyof Survey]: Survey[Key] };

const nobody: Survey = {
  best: null,
  probe: null,
  full: null,
  returnsAtMs: null,
  isAnyUsable: false,
  behindCircuit: null,
};

export type Accept = (entry: Entry) => boolean;

export const everyone: Accept = () => true;

export function survey(
  view: View,
  entries: readonly Entry[],
  { strategy, accept }: { readonly strategy: StrategyName; readonly accept: Accept },
): Survey {
  const { tried } = view.question;
  const found: Finding = { ...nobody };
  for (const entry of entries) {
    if (accept(entry)) {
      count(found, look(view, entry), { entry, strategy, isTried: tried.has(entry.account.id) });
    }
  }
  return found;
}

function count(
  found: Finding,
  seen: Standing | Unusable,
  { entry, strategy, isTried }: { entry: Entry; strategy: StrategyName; isTried: boolean },
): void {
  if (!seen.usable) {
    found.returnsAtMs = earlier(found.returnsAtMs, seen.untilMs);
    found.behindCircuit ??= seen.reason === "origin_circuit_open" && !isTried ? entry : null;
    return;
  }
  found.isAnyUsable = true;
  if (!isTried) {
    const place = seen.rank === "probe" || seen.rank === "full" ? seen.rank : "best";
    found[place] = firstOf(found[place], seen, strategy);
  }
}

export function earlier(left: EpochMs | null, right: EpochMs | null): EpochMs | null {
  if (left === null || right === null) {
    return left ?? right;
  }
  return right < left ? right : left;
}

function firstOf(known: Standing | null, found: Standing, strategy: StrategyName): Standing {
  return known === null || goesBefore(found, known, strategy) ? found : known;
}
