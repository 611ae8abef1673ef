import type { ModelClass } from "../account/account.ts";
import { modelClassOf } from "../account/model-class.ts";
import type { LimitFacts } from "./limit-facts.ts";

/** Whom a limit of a plan concerns: the model class of the request, or every class of the group. */
export type LimitScope = "class" | "group";

/**
 * Claims and windows that cover every model. All others are taken to concern one class: a bench that is too narrow
 * costs one refusal per class, one that is too wide wastes what the operator pays for.
 * Words from published captures of 2026-08 (protocol P31), where claims of one class read "seven_day_opus".
 */
const WHOLE_PLAN: ReadonlySet<string> = new Set(["five_hour", "seven_day", "5h", "7d"]);
/** "7d_oi": overage included. It is a sum beside "7d", not of one model. */
const NOT_A_CLASS = "oi";

/** The class that a plan's window is of: "7d_opus" is of "opus". Null for one that covers every model. */
export function classOfPlanWindow(name: string): ModelClass | null {
  const at = name.indexOf("_");
  const suffix = at === -1 ? NOT_A_CLASS : name.slice(at + 1);
  return suffix === NOT_A_CLASS ? null : modelClassOf(suffix);
}

/** Does this claim or window cover every model of the plan? */
export function isOfWholePlan(name: string): boolean {
  return WHOLE_PLAN.has(name);
}

/**
 * Whom the unified status concerns: the claim says it, else the windows whose own status is as bad (`isTelling`),
 * else it is taken to concern one class.
 */
export function planScope(limits: LimitFacts, isTelling: (status: string | null) => boolean): LimitScope {
  const claim = limits.unified?.representativeClaim ?? null;
  if (claim !== null) {
    return isOfWholePlan(claim) ? "group" : "class";
  }
  const isWhole = limits.windows.some(
    (window) => window.isPlan && isOfWholePlan(window.name) && isTelling(window.status),
  );
  return isWhole ? "group" : "class";
}
