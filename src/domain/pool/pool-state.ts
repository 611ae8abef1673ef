import { assertNever } from "../../kernel/result.ts";
import { after, durationMs, type EpochMs, epochMs } from "../../kernel/time.ts";
import { type Account, type AccountId, limitGroupOf, type ModelClass } from "../account/account.ts";
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
  wouldForbidAll,
} from "./account-hold.ts";
import { type Block, laterBlock } from "./block.ts";
import {
  afterBenched,
  afterPlanSeen,
  afterProbeLost,
  afterProbeStarted,
  afterRefused,
  afterServed,
  afterThrottled,
  type ClassLimits,
  classBlock,
  probeDueSince,
} from "./class-limits.ts";
import { type Groups, groupWorth, noGroupLimits, withGroup, withMergedGroup } from "./group-limits.ts";
import {
  afterOriginFailed,
  afterOriginProbeLost,
  afterOriginProbeStarted,
  circuitWorth,
  type OriginCircuit,
  originBlock,
  originProbeDueSince,
} from "./origin-circuit.ts";
import type { PoolEvent, PoolSubject } from "./pool-event.ts";
import { emptyShardedMap, getEntry, type ShardedMap, withEntry } from "./sharded-map.ts";

/**
 * What this process knows about limits and health. Absent means that nothing speaks against it. At most 4,096 limit
 * groups of 16 model classes, 4,096 accounts and 4,096 upstreams; beyond that what ended first is forgotten first.
 */
export type PoolState = {
  readonly groups: Groups;
  readonly holds: ShardedMap<AccountId, AccountHold>;
  readonly origins: ShardedMap<string, OriginCircuit>;
};

export const emptyPool: PoolState = {
  groups: emptyShardedMap(),
  holds: emptyShardedMap(),
  origins: emptyShardedMap(),
};

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
        plan: (before) => afterPlanSeen(before, event.limits, event.atMs),
        hold: (before) => afterHoldServed(before, event.on.model, event.on.modelClass),
        origin: () => undefined,
      });
    case "refused":
      return change(pool, event.on, {
        limits: (before) => afterRefused(before, event.limits, event.atMs),
        plan: (before) => afterPlanSeen(before, event.limits, event.atMs),
        origin: () => undefined,
      });
    case "benched":
      return event.scope === "group"
        ? change(pool, event.on, { limits: afterProbeLost, plan: (before) => afterBenched(before, event) })
        : change(pool, event.on, { limits: (before) => afterBenched(before, event) });
    case "throttled":
      return change(pool, event.on, { limits: (before) => afterThrottled(before, event, event.atMs) });
    case "parked":
      return change(pool, event.on, { hold: (before) => withParked(before, event) });
    case "credential_refused":
      return change(pool, event.on, { hold: (before) => withCredentialRefused(before, event) });
    case "forbidden": {
      const { modelClass } = event.on;
      return change(pool, event.on, {
        hold: (before) => withForbidden(before, { modelClass, cause: event.cause }, event.atMs),
      });
    }
    case "model_missing":
      return change(pool, event.on, { hold: (before) => withModelMissing(before, event, event.atMs) });
    case "origin_failed":
      return change(pool, event.on, {
        limits: afterProbeLost,
        origin: (before) => afterOriginFailed(before, event.cause, event.atMs),
      });
    case "organization_learned": {
      const groups = withMergedGroup(pool.groups, event.from, event.to);
      return groups === pool.groups ? pool : { ...pool, groups };
    }
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
  readonly plan?: (before: ClassLimits | null) => ClassLimits | null;
  readonly hold?: Step<AccountHold>;
  readonly origin?: Step<OriginCircuit>;
};

function change(pool: PoolState, on: PoolSubject, changes: Changes): PoolState {
  const { hold, origin } = changes;
  const groups = withGroup(pool.groups, on, changes);
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

/**
 * ready: nothing speaks against it. soft: the provider warns, so that others go first. probe: one request should test
 * whether a limit or an upstream is back; when nobody made that test for a minute it counts as soft, so that the account
 * comes back by itself.
 */
export type Availability =
  | { readonly usable: true; readonly rank: "ready" | "soft" | "probe" }
  | {
      readonly usable: false;
      readonly reason: ReasonCode;
      /** When the last thing that speaks against it ends; null when that takes an operator. */
      readonly untilMs: EpochMs | null;
      /** As in `Block`. */
      readonly cause: string;
    };

const READY: Availability = { usable: true, rank: "ready" };
const SOFT: Availability = { usable: true, rank: "soft" };
const PROBE: Availability = { usable: true, rank: "probe" };
const PAUSED = { usable: false, reason: "paused", untilMs: null, cause: "an operator" } as const;
/** So long a test waits for a request that has no better place to go. */
const PROBE_RANK_MS = durationMs(60_000);

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
    return PAUSED;
  }
  const hold = getEntry(pool.holds, account.id);
  if (hold !== undefined && hold.credential !== null) {
    return { usable: false, untilMs: null, ...hold.credential };
  }
  const { plan, classes } = getEntry(pool.groups, limitGroupOf(account)) ?? noGroupLimits;
  const limits = classes.get(modelClass);
  const held = hold === undefined ? null : holdBlock(hold, { model, modelClass }, nowMs);
  const ofClass = limits === undefined ? null : classBlock(limits, nowMs);
  const ofPlan = plan === null ? null : classBlock(plan, nowMs);
  const circuit = getEntry(pool.origins, account.baseUrl);
  const ofOrigin = circuit === undefined ? null : originBlock(circuit, nowMs);
  const block = laterBlock(laterBlock(held, ofPlan), ofClass) ?? ofOrigin;
  if (block !== null) {
    return { usable: false, reason: block.reason, untilMs: block.untilMs, cause: block.cause };
  }
  const dueSinceMs = testDueSince(limits, circuit, nowMs);
  if (dueSinceMs === null) {
    return isSoft(limits, nowMs) || isSoft(plan, nowMs) ? SOFT : READY;
  }
  return nowMs < after(dueSinceMs, PROBE_RANK_MS) ? PROBE : SOFT;
}

function isSoft(limits: ClassLimits | null | undefined, nowMs: EpochMs): boolean {
  const softUntilMs = limits?.softUntilMs ?? null;
  return softUntilMs !== null && nowMs < softUntilMs;
}

/** Since when a request would test a limit or an upstream: of two tests the younger. Null when there is none to make. */
function testDueSince(
  limits: ClassLimits | undefined,
  circuit: OriginCircuit | undefined,
  nowMs: EpochMs,
): EpochMs | null {
  const ofLimit = limits === undefined ? null : probeDueSince(limits, nowMs);
  const ofOrigin = circuit === undefined ? null : originProbeDueSince(circuit, nowMs);
  if (ofLimit === null || ofOrigin === null) {
    return ofLimit ?? ofOrigin;
  }
  return epochMs(Math.max(ofLimit, ofOrigin));
}

/** Would a request that leaves now test a limit or a circuit? Then the pool must be told that it left. */
export function isProbe(pool: PoolState, account: Account, modelClass: ModelClass, nowMs: EpochMs): boolean {
  const limits = getEntry(pool.groups, limitGroupOf(account))?.classes.get(modelClass);
  return testDueSince(limits, getEntry(pool.origins, account.baseUrl), nowMs) !== null;
}

/** Would a 403 for this class now be about the credential, because another class is forbidden already? */
export function isForbiddenElsewhere(pool: PoolState, on: PoolSubject, nowMs: EpochMs): boolean {
  const hold = getEntry(pool.holds, on.accountId);
  return hold !== undefined && wouldForbidAll(hold, on.modelClass, nowMs);
}

export type AccountState = "ready" | "limited" | "paused" | "needs_reauth" | "dead";

export type AccountCondition = {
  readonly state: AccountState;
  /** Null when ready. */
  readonly reason: ReasonCode | null;
  /** When the last limit ends; null when ready, or when it takes an operator. */
  readonly untilMs: EpochMs | null;
  /** As in `Block`; null when ready. */
  readonly cause: string | null;
};

/** The account as a person sees it: limited as soon as one model class is. */
export function accountCondition(pool: PoolState, account: Account, nowMs: EpochMs): AccountCondition {
  if (account.isPaused) {
    return { state: "paused", reason: PAUSED.reason, untilMs: null, cause: PAUSED.cause };
  }
  const hold = getEntry(pool.holds, account.id);
  if (hold !== undefined && hold.credential !== null) {
    const state = hold.credential.reason === "needs_reauth" ? "needs_reauth" : "dead";
    return { state, untilMs: null, ...hold.credential };
  }
  let block: Block | null = hold === undefined ? null : parkedBlock(hold, nowMs);
  const group = getEntry(pool.groups, limitGroupOf(account));
  if (group !== undefined && group.plan !== null) {
    block = laterBlock(block, classBlock(group.plan, nowMs));
  }
  for (const limits of group?.classes.values() ?? []) {
    block = laterBlock(block, classBlock(limits, nowMs));
  }
  return block === null
    ? { state: "ready", reason: null, untilMs: null, cause: null }
    : { state: "limited", reason: block.reason, untilMs: block.untilMs, cause: block.cause };
}

export function accountState(pool: PoolState, account: Account, nowMs: EpochMs): AccountState {
  return accountCondition(pool, account, nowMs).state;
}
