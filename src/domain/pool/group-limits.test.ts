import { describe, expect, test } from "bun:test";
import { epochMs } from "../../kernel/time.ts";
import { accountId, limitGroupOf } from "../account/account.ts";
import { modelClassOf } from "../account/model-class.ts";
import { type ClassLimits, noLimits } from "./class-limits.ts";
import {
  type Groups,
  groupWorth,
  MAX_CLASSES_PER_GROUP,
  noGroupLimits,
  withClass,
  withGroup,
  withMergedGroup,
} from "./group-limits.ts";
import { emptyShardedMap, getEntry } from "./sharded-map.ts";

const alone = limitGroupOf({ id: accountId("a"), organization: null });
const shared = limitGroupOf({ id: accountId("a"), organization: "org" });
const opus = modelClassOf("claude-opus-4-5");
const haiku = modelClassOf("claude-haiku-4-5");
const none: Groups = emptyShardedMap();

function benched(until: number): ClassLimits {
  return { ...noLimits, bench: { untilMs: epochMs(until), reason: "rate_limited", cause: "status 429, retry-after" } };
}

test("is the same map when a step changes nothing", () => {
  const on = { limitGroup: alone, modelClass: opus };
  expect(withGroup(none, on, {})).toBe(none);
  expect(withGroup(none, on, { limits: () => undefined, plan: () => null })).toBe(none);
  const known = withGroup(none, on, { limits: () => benched(1), plan: () => benched(2) });
  expect(withGroup(known, on, { limits: (before) => before, plan: (before) => before })).toBe(known);
  expect(getEntry(known, alone)).toEqual({ plan: benched(2), classes: new Map([[opus, benched(1)]]) });
});

test("keeps the classes that end last when there are too many", () => {
  let { classes } = noGroupLimits;
  for (let index = 1; index <= 40; index += 1) {
    classes = withClass(classes, modelClassOf(`claude-x${index}`), benched(index));
  }
  expect(classes.size).toBe(MAX_CLASSES_PER_GROUP);
  expect(Math.min(...[...classes.values()].map((limits) => Number(limits.bench?.untilMs)))).toBe(25);
});

test("is worth what ends last in it", () => {
  expect(groupWorth(noGroupLimits)).toBe(0);
  expect(groupWorth({ plan: benched(9), classes: new Map([[opus, benched(5)]]) })).toBe(9);
});

describe("a group that turned out to be another", () => {
  const on = (limitGroup: typeof alone, modelClass: typeof opus) => ({ limitGroup, modelClass });
  const from = withGroup(none, on(alone, opus), { limits: () => benched(9), plan: () => benched(3) });

  test("moves there, the later of two ends counting", () => {
    const both = withGroup(withGroup(from, on(shared, opus), { limits: () => benched(5) }), on(shared, haiku), {
      limits: () => benched(2),
      plan: () => benched(7),
    });
    const merged = withMergedGroup(both, alone, shared);
    expect(getEntry(merged, alone)).toBeUndefined();
    expect(getEntry(merged, shared)?.plan?.bench).toEqual(benched(7).bench);
    expect(getEntry(merged, shared)?.classes.get(opus)?.bench).toEqual(benched(9).bench);
    expect(getEntry(merged, shared)?.classes.get(haiku)?.bench).toEqual(benched(2).bench);
  });

  test("moves whole where nothing is known yet, and once", () => {
    const merged = withMergedGroup(from, alone, shared);
    expect(getEntry(merged, shared)).toEqual({ plan: benched(3), classes: new Map([[opus, benched(9)]]) });
    expect(withMergedGroup(merged, alone, shared)).toBe(merged);
    expect(withMergedGroup(merged, shared, shared)).toBe(merged);
  });
});
