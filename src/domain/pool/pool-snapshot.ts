import type { EpochMs } from "../../kernel/time.ts";
import { type AccountId, accountId, type LimitGroup, type ModelClass } from "../account/account.ts";
import { memberOf } from "../request/json-member.ts";
import { type AccountHold, holdWorth, lastingHold } from "./account-hold.ts";
import { type ClassLimits, lastingLimits } from "./class-limits.ts";
import { type GroupLimits, groupWorth, MAX_CLASSES_PER_GROUP, noGroupLimits, withClass } from "./group-limits.ts";
import { circuitWorth, lastingCircuit, type OriginCircuit } from "./origin-circuit.ts";
import { emptyPool, type PoolState } from "./pool-state.ts";
import { type ShardedMap, withEntry } from "./sharded-map.ts";
import { readCircuit, readHold, readLimits, readList, readText } from "./snapshot-values.ts";

/** Raised when an older release could misread what a newer one writes; another version is not read at all. */
const VERSION = 1;
const MAX_ENTRIES = 4096;

type SavedPool = {
  readonly version: typeof VERSION;
  readonly groups: readonly SavedGroup[];
  readonly holds: readonly (readonly [AccountId, AccountHold])[];
  readonly origins: readonly (readonly [string, OriginCircuit])[];
};
type SavedGroup = {
  readonly limitGroup: LimitGroup;
  readonly plan: ClassLimits | null;
  readonly classes: readonly (readonly [ModelClass, ClassLimits])[];
};

/** JSON of what still matters at this instant: cooldowns, windows, holds and circuits survive a restart. */
export function savePool(pool: PoolState, nowMs: EpochMs): string {
  const saved: SavedPool = {
    version: VERSION,
    groups: entriesOf(pool.groups).flatMap(([limitGroup, group]) => savedGroup(limitGroup, group, nowMs)),
    holds: lastingEntries(pool.holds, (hold) => lastingHold(hold, nowMs)),
    origins: lastingEntries(pool.origins, (circuit) => lastingCircuit(circuit, nowMs)),
  };
  return JSON.stringify(saved);
}

/** Never throws. What is over at this instant, or cannot be read, is left out; garbage gives `emptyPool`. */
export function loadPool(text: string, nowMs: EpochMs): PoolState {
  const saved = parsed(text);
  if (memberOf(saved, "version") !== VERSION) {
    return emptyPool;
  }
  let { groups, holds, origins } = emptyPool;
  for (const [limitGroup, group] of readList(memberOf(saved, "groups"), MAX_ENTRIES, (item) =>
    readGroup(item, nowMs),
  )) {
    groups = withEntry(groups, [limitGroup, group], groupWorth);
  }
  for (const [id, value] of readList(memberOf(saved, "holds"), MAX_ENTRIES, readPair)) {
    holds = withEntry(holds, [accountId(id), lastingHold(readHold(value), nowMs) ?? undefined], holdWorth);
  }
  for (const [origin, value] of readList(memberOf(saved, "origins"), MAX_ENTRIES, readPair)) {
    const circuit = readCircuit(value);
    const lasting = circuit === null ? null : lastingCircuit(circuit, nowMs);
    origins = withEntry(origins, [origin, lasting ?? undefined], circuitWorth);
  }
  return { groups, holds, origins };
}

function savedGroup(limitGroup: LimitGroup, group: GroupLimits, nowMs: EpochMs): readonly SavedGroup[] {
  const plan = group.plan === null ? null : lastingLimits(group.plan, nowMs);
  const classes = [...group.classes].flatMap(([modelClass, limits]): SavedGroup["classes"] => {
    const lasting = lastingLimits(limits, nowMs);
    return lasting === null ? [] : [[modelClass, lasting]];
  });
  return plan === null && classes.length === 0 ? [] : [{ limitGroup, plan, classes }];
}

function readGroup(value: unknown, nowMs: EpochMs): readonly [LimitGroup, GroupLimits] | null {
  const limitGroup = readText(memberOf(value, "limitGroup"));
  if (limitGroup === null) {
    return null;
  }
  const plan = lastingOf(memberOf(value, "plan"), nowMs);
  let { classes } = noGroupLimits;
  for (const [modelClass, limits] of readList(memberOf(value, "classes"), MAX_CLASSES_PER_GROUP, readPair)) {
    const lasting = lastingOf(limits, nowMs);
    classes = lasting === null ? classes : withClass(classes, modelClass as ModelClass, lasting);
  }
  return plan === null && classes.size === 0 ? null : [limitGroup as LimitGroup, { plan, classes }];
}

function lastingOf(value: unknown, nowMs: EpochMs): ClassLimits | null {
  const limits = readLimits(value);
  return limits === null ? null : lastingLimits(limits, nowMs);
}

function readPair(value: unknown): readonly [string, unknown] | null {
  const key = Array.isArray(value) ? readText(value[0]) : null;
  return key === null || !Array.isArray(value) ? null : [key, value[1]];
}

function lastingEntries<Key extends string, Value>(
  map: ShardedMap<Key, Value>,
  lastingValue: (value: Value) => Value | null,
): readonly (readonly [Key, Value])[] {
  return entriesOf(map).flatMap(([key, value]): readonly (readonly [Key, Value])[] => {
    const lasting = lastingValue(value);
    return lasting === null ? [] : [[key, lasting]];
  });
}

function entriesOf<Key extends string, Value>(map: ShardedMap<Key, Value>): readonly (readonly [Key, Value])[] {
  return map.shards.flatMap((shard) => [...shard]);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not JSON: as good as nothing saved.
    return null;
  }
}
