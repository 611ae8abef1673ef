import type { LimitGroup, ModelClass } from "../account/account.ts";
import { type ClassLimits, classWorth, mergedLimits } from "./class-limits.ts";
import { getEntry, type ShardedMap, withEntry } from "./sharded-map.ts";

/** What is known of one limit group. */
export type GroupLimits = {
  /** What covers every model class: the windows of a plan. It is benched, never probed. */
  readonly plan: ClassLimits | null;
  /** At most `MAX_CLASSES_PER_GROUP`; what ended first is forgotten first. */
  readonly classes: ReadonlyMap<ModelClass, ClassLimits>;
};

export type Groups = ShardedMap<LimitGroup, GroupLimits>;

/** A group's model classes come from model names, and those from clients. */
export const MAX_CLASSES_PER_GROUP = 16;

const noClasses: ReadonlyMap<ModelClass, ClassLimits> = new Map();
export const noGroupLimits: GroupLimits = { plan: null, classes: noClasses };

/** The same map when nothing changes. A step that gives undefined, or null for the plan, keeps what is there. */
export function withGroup(
  groups: Groups,
  on: { readonly limitGroup: LimitGroup; readonly modelClass: ModelClass },
  steps: {
    readonly limits?: (before: ClassLimits | undefined) => ClassLimits | undefined;
    readonly plan?: (before: ClassLimits | null) => ClassLimits | null;
  },
): Groups {
  const before = getEntry(groups, on.limitGroup) ?? noGroupLimits;
  const known = before.classes.get(on.modelClass);
  const limits = steps.limits?.(known) ?? known;
  const plan = steps.plan?.(before.plan) ?? before.plan;
  if (limits === known && plan === before.plan) {
    return groups;
  }
  const classes =
    limits === known || limits === undefined ? before.classes : withClass(before.classes, on.modelClass, limits);
  return withEntry(groups, [on.limitGroup, { plan, classes }], groupWorth);
}

export function withClass(
  before: GroupLimits["classes"],
  modelClass: ModelClass,
  limits: ClassLimits,
): GroupLimits["classes"] {
  const classes = new Map(before);
  if (classes.size >= MAX_CLASSES_PER_GROUP && !classes.has(modelClass)) {
    classes.delete(leastWorthClass(classes));
  }
  return classes.set(modelClass, limits);
}

/** Two names turned out to be one owner: what is known of `from` is known of `to`, and of `from` nothing more. */
export function withMergedGroup(groups: Groups, from: LimitGroup, to: LimitGroup): Groups {
  const moved = getEntry(groups, from);
  if (moved === undefined || from === to) {
    return groups;
  }
  const kept = getEntry(groups, to) ?? noGroupLimits;
  const plan =
    kept.plan === null || moved.plan === null ? (kept.plan ?? moved.plan) : mergedLimits(kept.plan, moved.plan);
  let { classes } = kept;
  for (const [modelClass, limits] of moved.classes) {
    const known = classes.get(modelClass);
    classes = withClass(classes, modelClass, known === undefined ? limits : mergedLimits(known, limits));
  }
  return withEntry(withEntry(groups, [from, undefined], groupWorth), [to, { plan, classes }], groupWorth);
}

/** Until when this state matters: what ends first is forgotten first. */
export function groupWorth({ plan, classes }: GroupLimits): number {
  let worth = plan === null ? 0 : classWorth(plan);
  for (const limits of classes.values()) {
    worth = Math.max(worth, classWorth(limits));
  }
  return worth;
}

function leastWorthClass(classes: GroupLimits["classes"]): ModelClass {
  const entries = [...classes].map(([modelClass, limits]) => ({ modelClass, worth: classWorth(limits) }));
  return entries.reduce((least, entry) => (entry.worth < least.worth ? entry : least)).modelClass;
}
