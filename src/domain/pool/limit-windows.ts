import type { EpochMs } from "../../kernel/time.ts";
import type { Account, LimitGroup, ModelClass } from "../account/account.ts";
import { limitGroupOf } from "../account/account.ts";
import type { LimitWindowFact } from "../ratelimit/limit-facts.ts";
import { classOfPlanWindow } from "../ratelimit/limit-scope.ts";
import type { ClassLimits } from "./class-limits.ts";
import type { PoolState } from "./pool-state.ts";
import { getEntry } from "./sharded-map.ts";

/** One rate limit as the provider last described it. Null: it did not say. */
export type LimitWindow = {
  /** "5h", "7d", "requests", "input-tokens" ...; for a header that we do not know, the rest of its name. */
  readonly name: string;
  /** Null when the window covers every model. */
  readonly modelClass: ModelClass | null;
  /** For a header that we do not know, its value. */
  readonly status: string | null;
  readonly limit: number | null;
  readonly remaining: number | null;
  /** 0..1; above 1 when overage was allowed. */
  readonly usedRatio: number | null;
  readonly resetAtMs: EpochMs | null;
  readonly seenAtMs: EpochMs;
};

/** What was said of a model class last, and when. */
export type SeenLimits = { readonly windows: readonly LimitWindowFact[]; readonly seenAtMs: EpochMs };

const RATE_LIMIT = "anthropic-ratelimit-";

/**
 * The windows that a request of this class counts against: its own, as its class last saw them, and the plan's, as any
 * class last saw them. `seenAtMs` is that of its own, else of the plan's. Null when nothing was said yet.
 */
// hot path: for API keys, which have no plan, and for a class that answered last it allocates nothing
export function limitsOf(pool: PoolState, limitGroup: LimitGroup, modelClass: ModelClass): SeenLimits | null {
  const group = getEntry(pool.groups, limitGroup);
  const own = group?.classes.get(modelClass);
  const plan = group?.plan ?? null;
  if (own === undefined || own.windows.length === 0) {
    return plan === null || plan.windows.length === 0 ? null : planOf(plan, modelClass);
  }
  const isNewest = plan !== null && plan.seenAtMs <= own.seenAtMs && own.windows.some(isOfPlan);
  if (plan === null || plan.windows === own.windows || isNewest) {
    return seenOf(own, modelClass);
  }
  const windows = own.windows.filter((window) => !window.isPlan || classOfPlanWindow(window.name) === modelClass);
  for (const window of plan.windows) {
    if (isOfPlan(window)) {
      windows.push(window);
    }
  }
  return { windows, seenAtMs: own.seenAtMs };
}

function seenOf(limits: ClassLimits, modelClass: ModelClass): SeenLimits {
  return limits.windows.some((window) => isOfAnother(window, modelClass))
    ? { windows: limits.windows.filter((window) => !isOfAnother(window, modelClass)), seenAtMs: limits.seenAtMs }
    : limits;
}

function planOf({ windows, seenAtMs }: ClassLimits, modelClass: ModelClass): SeenLimits {
  return { windows: windows.filter((window) => window.isPlan && !isOfAnother(window, modelClass)), seenAtMs };
}

function isOfPlan(window: LimitWindowFact): boolean {
  return window.isPlan && classOfPlanWindow(window.name) === null;
}

function isOfAnother(window: LimitWindowFact, modelClass: ModelClass): boolean {
  const named = window.isPlan ? classOfPlanWindow(window.name) : null;
  return named !== null && named !== modelClass;
}

/** The windows of the account's limit group, by name; a plan's window appears once, as it was last seen. */
export function windowsOf(pool: PoolState, account: Account): readonly LimitWindow[] {
  const windows = new Map<string, LimitWindow>();
  for (const [modelClass, limits] of getEntry(pool.groups, limitGroupOf(account))?.classes ?? []) {
    for (const window of shownWindows(modelClass, limits)) {
      const key = `${window.name} ${window.modelClass ?? ""}`;
      const known = windows.get(key);
      if (known === undefined || known.seenAtMs < limits.seenAtMs) {
        windows.set(key, window);
      }
    }
  }
  return [...windows].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, window]) => window);
}

function shownWindows(modelClass: ModelClass, { windows, others, seenAtMs }: ClassLimits): readonly LimitWindow[] {
  const unknown = others.flatMap(([header, value]): readonly LimitWindow[] =>
    header.startsWith(RATE_LIMIT)
      ? [unknownWindow(header.slice(RATE_LIMIT.length), value, { modelClass, seenAtMs })]
      : [],
  );
  const known = windows.map(({ isPlan, ...window }) => {
    return { ...window, modelClass: isPlan ? classOfPlanWindow(window.name) : modelClass, seenAtMs };
  });
  return [...known, ...unknown];
}

function unknownWindow(
  name: string,
  value: string,
  seen: { readonly modelClass: ModelClass; readonly seenAtMs: EpochMs },
): LimitWindow {
  return { name, ...seen, status: value, limit: null, remaining: null, usedRatio: null, resetAtMs: null };
}
