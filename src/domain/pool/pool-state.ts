import { assertNever } from "../../kernel/result.ts";
import type { EpochMs } from "../../kernel/time.ts";
import { type Account, type AccountId, type LimitGroup, limitGroupOf, type ModelClass } from "../account/account.ts";
import type { ReasonCode } from "../failover/reason.ts";
import {
  type AccountHold,
  afterHoldServed,
  holdBlock,
  holdWorth,
  parkedBlock,
  withCredentialRefused,
  withForbidden,
  withModelMissing,
  withParked,
} from "./account-hold.ts";
import { type Block, laterBlock } from "./block.ts";
import {
  afterBenched,
  afterProbeLost,
  afterProbeStarted,
  afterRefused,
  afterServed,
  afterThrottled,
  type ClassLimits,
  classBlock,
  classWorth,
  isProbeDue,
} from "./class-limits.ts";
import {
  afterOriginFailed,
  afterOriginProbeLost,
  afterOriginProbeStarted,
  circuitWorth,
  isOriginProbeDue,
  type OriginCircuit,
  originBlock,
} from "./origin-circuit.ts";
import type { PoolEvent, PoolSubject } from "./pool-event.ts";
import { emptyShardedMap, getEntry, type ShardedMap, withEntry } from "./sharded-map.ts";

type GroupLimits = ReadonlyMap<ModelClass, ClassLimits>;

/**
 * What this process knows about limits and health. Absent means that nothing speaks against it. At most 4,096 limit
 * groups of 16 model classes, 4,096 accounts and 4,096 upstreams; beyond that what ended first is forgotten first.
 */
export type PoolState = {
  readonly groups: ShardedMap<LimitGroup, GroupLimits>;
  readonly holds: ShardedMap<AccountId, AccountHold>;
  readonly origins: ShardedMap<string, OriginCircuit>;
};

export const emptyPool: PoolState = {
  groups: emptyShardedMap(),
  holds: emptyShardedMap(),
  origins: emptyShardedMap(),
};

/** A group's model classes come from model names, and those from clients. */
export const MAX_CLASSES_PER_GROUP = 16;

/** The same object when nothing changes. Never throws, whatever the order of events. */
export function applyPoolEvents(pool: PoolState, events: readonly PoolEvent[]): PoolState {
  return events.reduce(applyPoolEvent, pool);
}

function applyPoolEvent(pool: PoolState, event: PoolEvent): PoolState {
  switch (event.type) {
    case "probe_started":
      return change(pool, event.on, {
        limits: (before) => afterProbeStarted(before, event.atMs),
        origin: (before) => afterOriginProbeStarted(before, event.atMs),
      });
    case "probe_lost":
      return change(pool, event.on, { limits: afterProbeLost, origin: afterOriginProbeLost });
    case "served":
      return change(pool, event.on, {
        limits: (before) => afterServed(before, event.limits, event.atMs),
        hold: (before) => afterHoldServed(before, event.on.model, event.on.modelClass),
        origin: () => undefined,
      });
    case "refused":
      return change(pool, event.on, {
        limits: (before) => afterRefused(before, event.limits, event.atMs),
        origin: () => undefined,
      });
    case "benched":
      return change(pool, event.on, { limits: (before) => afterBenched(before, event) });
    case "throttled":
      return change(pool, event.on, { limits: (before) => afterThrottled(before, event.random, event.atMs) });
    case "parked":
      return change(pool, event.on, {
        hold: (before) => withParked(before, { untilMs: event.untilMs, reason: event.reason }),
      });
    case "credential_refused":
      return change(pool, event.on, { hold: (before) => withCredentialRefused(before, event.reason) });
    case "forbidden":
      return change(pool, event.on, { hold: (before) => withForbidden(before, event.on.modelClass, event.atMs) });
    case "model_missing":
      return change(pool, event.on, { hold: (before) => withModelMissing(before, event.model, event.atMs) });
    case "origin_failed":
      return change(pool, event.on, {
        limits: afterProbeLost,
        origin: (before) => afterOriginFailed(before, event.atMs),
      });
    case "reset_account":
      return {
        ...pool,
        groups: withEntry(pool.groups, [event.limitGroup, undefined], groupWorth),
        holds: withEntry(pool.holds, [event.accountId, undefined], holdWorth),
      };
    default:
      return assertNever(event);
  }
}

type Step<Value> = (before: Value | undefined) => Value | undefined;
type Changes = {
  readonly limits?: Step<ClassLimits>;
  readonly hold?: Step<AccountHold>;
  readonly origin?: Step<OriginCircuit>;
};

function change(pool: PoolState, on: PoolSubject, changes: Changes): PoolState {
  const { limits, hold, origin } = changes;
  const groups = limits === undefined ? pool.groups : changeClass(pool.groups, on, limits);
  const holds = hold === undefined ? pool.holds : changeEntry(pool.holds, [on.accountId, hold], holdWorth);
  const origins = origin === undefined ? pool.origins : changeEntry(pool.origins, [on.origin, origin], circuitWorth);
  const isSame = groups === pool.groups && holds === pool.holds && origins === pool.origins;
  return isSame ? pool : { groups, holds, origins };
}

function changeEntry<Key extends string, Value>(
  map: ShardedMap<Key, Value>,
  entry: readonly [key: Key, step: Step<Value>],
  worth: (value: Value) => number,
): ShardedMap<Key, Value> {
  const [key, step] = entry;
  return withEntry(map, [key, step(getEntry(map, key))], worth);
}

function changeClass(groups: PoolState["groups"], on: PoolSubject, step: Step<ClassLimits>): PoolState["groups"] {
  const before = getEntry(groups, on.limitGroup);
  const limits = step(before?.get(on.modelClass));
  if (limits === undefined || limits === before?.get(on.modelClass)) {
    return groups;
  }
  const classes = new Map(before ?? []);
  if (classes.size >= MAX_CLASSES_PER_GROUP && !classes.has(on.modelClass)) {
    classes.delete(leastWorthClass(classes));
  }
  classes.set(on.modelClass, limits);
  return withEntry(groups, [on.limitGroup, classes], groupWorth);
}

function leastWorthClass(classes: GroupLimits): ModelClass {
  const entries = [...classes].map(([modelClass, limits]) => ({ modelClass, worth: classWorth(limits) }));
  return entries.reduce((least, entry) => (entry.worth < least.worth ? entry : least)).modelClass;
}

function groupWorth(classes: GroupLimits): number {
  return Math.max(...[...classes.values()].map(classWorth));
}

/** soft: the provider warns, so that others go first. */
export type Availability =
  | { readonly usable: true; readonly rank: "ready" | "soft" }
  | {
      readonly usable: false;
      readonly reason: ReasonCode;
      /** When the last thing that speaks against it ends; null when that takes an operator. */
      readonly untilMs: EpochMs | null;
    };

const READY: Availability = { usable: true, rank: "ready" };
const SOFT: Availability = { usable: true, rank: "soft" };

/**
 * May this account serve this model now? Computed from instants each time, so that an account comes back by itself.
 * `origin_circuit_open` is the reason only when nothing else speaks against the account: a plan may overrule it.
 */
// hot path: five parameters, so that a walk over 1,000 accounts builds no objects
export function availability(
  pool: PoolState,
  account: Account,
  model: string | null,
  modelClass: ModelClass,
  nowMs: EpochMs,
): Availability {
  if (account.isPaused) {
    return { usable: false, reason: "paused", untilMs: null };
  }
  const hold = getEntry(pool.holds, account.id);
  if (hold !== undefined && hold.credential !== null) {
    return { usable: false, reason: hold.credential, untilMs: null };
  }
  const limits = getEntry(pool.groups, limitGroupOf(account))?.get(modelClass);
  const held = hold === undefined ? null : holdBlock(hold, { model, modelClass }, nowMs);
  const limited = limits === undefined ? null : classBlock(limits, nowMs);
  const circuit = getEntry(pool.origins, account.baseUrl);
  const block = laterBlock(held, limited) ?? (circuit === undefined ? null : originBlock(circuit, nowMs));
  if (block !== null) {
    return { usable: false, reason: block.reason, untilMs: block.untilMs };
  }
  const softUntilMs = limits?.softUntilMs ?? null;
  return softUntilMs !== null && nowMs < softUntilMs ? SOFT : READY;
}

/** Would a request that leaves now test a limit or a circuit? Then the pool must be told that it left. */
export function isProbe(pool: PoolState, account: Account, modelClass: ModelClass, nowMs: EpochMs): boolean {
  const limits = getEntry(pool.groups, limitGroupOf(account))?.get(modelClass);
  const circuit = getEntry(pool.origins, account.baseUrl);
  return (
    (limits !== undefined && isProbeDue(limits, nowMs)) || (circuit !== undefined && isOriginProbeDue(circuit, nowMs))
  );
}

export type AccountState = "ready" | "limited" | "paused" | "needs_reauth" | "dead";

export type AccountCondition = {
  readonly state: AccountState;
  /** Null when ready. */
  readonly reason: ReasonCode | null;
  /** When the last limit ends; null when ready, or when it takes an operator. */
  readonly untilMs: EpochMs | null;
};

/** The account as a person sees it: limited as soon as one model class is. */
export function accountCondition(pool: PoolState, account: Account, nowMs: EpochMs): AccountCondition {
  if (account.isPaused) {
    return { state: "paused", reason: "paused", untilMs: null };
  }
  const hold = getEntry(pool.holds, account.id);
  if (hold !== undefined && hold.credential !== null) {
    const state = hold.credential === "needs_reauth" ? "needs_reauth" : "dead";
    return { state, reason: hold.credential, untilMs: null };
  }
  let block: Block | null = hold === undefined ? null : parkedBlock(hold, nowMs);
  for (const limits of getEntry(pool.groups, limitGroupOf(account))?.values() ?? []) {
    block = laterBlock(block, classBlock(limits, nowMs));
  }
  return block === null
    ? { state: "ready", reason: null, untilMs: null }
    : { state: "limited", reason: block.reason, untilMs: block.untilMs };
}

export function accountState(pool: PoolState, account: Account, nowMs: EpochMs): AccountState {
  return accountCondition(pool, account, nowMs).state;
}

/** One rate limit as the provider last described it. Null: it did not say. */
export type LimitWindow = {
  /** "5h", "7d", "requests", "input-tokens" ... */
  readonly name: string;
  /** Null when the window covers every model. */
  readonly modelClass: ModelClass | null;
  readonly status: string | null;
  readonly limit: number | null;
  readonly remaining: number | null;
  /** 0..1; above 1 when overage was allowed. */
  readonly usedRatio: number | null;
  readonly resetAtMs: EpochMs | null;
  readonly seenAtMs: EpochMs;
};

/** The windows of the account's limit group, by name; a plan's window appears once, as it was last seen. */
export function windowsOf(pool: PoolState, account: Account): readonly LimitWindow[] {
  const windows = new Map<string, LimitWindow>();
  for (const [modelClass, limits] of getEntry(pool.groups, limitGroupOf(account)) ?? []) {
    for (const { isPlan, ...window } of limits.windows) {
      const key = isPlan ? window.name : `${window.name} ${modelClass}`;
      const known = windows.get(key);
      if (known === undefined || known.seenAtMs < limits.seenAtMs) {
        windows.set(key, { ...window, modelClass: isPlan ? null : modelClass, seenAtMs: limits.seenAtMs });
      }
    }
  }
  return [...windows].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, window]) => window);
}
