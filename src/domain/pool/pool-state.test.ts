import { describe, expect, test } from "bun:test";
import { type EpochMs, epochMs } from "../../kernel/time.ts";
import { type Account, accountId } from "../account/account.ts";
import { modelClassOf } from "../account/model-class.ts";
import { noLimitFacts } from "../ratelimit/limit-facts.ts";
import { readLimitFacts } from "../ratelimit/limit-headers.ts";
import { type PoolEvent, resetAccount, subjectOf } from "./pool-event.ts";
import {
  accountCondition,
  accountState,
  applyPoolEvents,
  availability,
  emptyPool,
  isProbe,
  MAX_CLASSES_PER_GROUP,
  type PoolState,
  windowsOf,
} from "./pool-state.ts";

const T0 = Date.parse("2026-11-23T20:00:00Z");
const at = (seconds: number): EpochMs => epochMs(T0 + seconds * 1000);
const MODEL = "claude-opus-4-5";
const opus = modelClassOf(MODEL);
const haiku = modelClassOf("claude-haiku-4-5");

function account(id: string, changes: Partial<Account> = {}): Account {
  return {
    id: accountId(id),
    name: id,
    provider: "anthropic",
    baseUrl: "https://api.anthropic.com",
    credentialKind: "api_key",
    priority: 100,
    weight: 1,
    organization: null,
    workspace: null,
    isPaused: false,
    createdAtMs: epochMs(0),
    models: [],
    ...changes,
  };
}

const a = account("a");
const on = subjectOf(a, MODEL, opus);

function learned(...events: PoolEvent[]): PoolState {
  return applyPoolEvents(emptyPool, events);
}

function look(pool: PoolState, nowMs: EpochMs, who: Account = a, modelClass = opus) {
  return availability(pool, who, MODEL, modelClass, nowMs);
}

function planLimits(used: string, nowMs: EpochMs) {
  return readLimitFacts(
    [
      ["anthropic-ratelimit-unified-5h-utilization", used],
      ["anthropic-ratelimit-requests-limit", "50"],
    ],
    nowMs,
  );
}

const READY = { usable: true, rank: "ready" } as const;
const benched = (seconds: number): PoolEvent => ({
  type: "benched",
  on,
  untilMs: at(seconds),
  reason: "rate_limited",
  atMs: at(0),
});
const originFailed: PoolEvent = { type: "origin_failed", on, atMs: at(0) };
const openCircuit: readonly PoolEvent[] = Array.from({ length: 5 }, () => originFailed);

test("knows nothing against an account at first", () => {
  expect(look(emptyPool, at(0))).toEqual(READY);
  expect(accountState(emptyPool, a, at(0))).toBe("ready");
  expect(windowsOf(emptyPool, a)).toEqual([]);
  expect(isProbe(emptyPool, a, opus, at(0))).toBe(false);
});

describe("an account is unavailable", () => {
  test.each<{ why: string; events: readonly PoolEvent[]; expected: ReturnType<typeof look> }>([
    { why: "benched", events: [benched(60)], expected: { usable: false, reason: "rate_limited", untilMs: at(60) } },
    {
      why: "throttled without a stated time",
      events: [{ type: "throttled", on, random: 0.5, atMs: at(0) }],
      expected: { usable: false, reason: "throttled", untilMs: at(2) },
    },
    {
      why: "parked",
      events: [{ type: "parked", on, untilMs: at(99), reason: "spend_limit", atMs: at(0) }],
      expected: { usable: false, reason: "spend_limit", untilMs: at(99) },
    },
    {
      why: "dead",
      events: [{ type: "credential_refused", on, reason: "credential_dead", atMs: at(0) }, benched(60)],
      expected: { usable: false, reason: "credential_dead", untilMs: null },
    },
    {
      why: "forbidden",
      events: [{ type: "forbidden", on, atMs: at(0) }],
      expected: { usable: false, reason: "forbidden", untilMs: at(600) },
    },
    {
      why: "without the model",
      events: [{ type: "model_missing", on, model: MODEL, atMs: at(0) }],
      expected: { usable: false, reason: "model_missing", untilMs: at(3600) },
    },
    {
      why: "behind an open circuit",
      events: openCircuit,
      expected: { usable: false, reason: "origin_circuit_open", untilMs: at(30) },
    },
    {
      why: "benched behind an open circuit: the bench counts",
      events: [...openCircuit, benched(10)],
      expected: { usable: false, reason: "rate_limited", untilMs: at(10) },
    },
    {
      why: "parked beyond its bench: the last end counts",
      events: [benched(10), { type: "parked", on, untilMs: at(99), reason: "spend_limit", atMs: at(0) }],
      expected: { usable: false, reason: "spend_limit", untilMs: at(99) },
    },
  ])("when $why", ({ events, expected }) => {
    expect(look(applyPoolEvents(emptyPool, events), at(1))).toEqual(expected);
  });

  test("when an operator paused it, whatever else is known", () => {
    const paused = account("a", { isPaused: true });
    expect(look(learned(benched(60)), at(1), paused)).toEqual({ usable: false, reason: "paused", untilMs: null });
  });
});

test("comes back by itself", () => {
  expect(look(learned(benched(60)), at(60))).toEqual(READY);
});

test("a bench is of the limit group and the model class, and of nothing else", () => {
  const shared = account("b", { organization: "org" });
  const twin = account("c", { organization: "org" });
  const pool = learned({ ...benched(60), on: subjectOf(shared, MODEL, opus) } as PoolEvent);
  expect(look(pool, at(1), twin).usable).toBe(false);
  expect(look(pool, at(1), twin, haiku)).toEqual(READY);
  expect(look(pool, at(1), a)).toEqual(READY);
});

test("a circuit is of the upstream, and any answer closes it", () => {
  const elsewhere = account("b", { baseUrl: "https://elsewhere.example" });
  const neighbour = account("c");
  const pool = learned(...openCircuit);
  expect(look(pool, at(1), neighbour).usable).toBe(false);
  expect(look(pool, at(1), elsewhere)).toEqual(READY);
  expect(look(applyPoolEvents(pool, [{ type: "refused", on, limits: noLimitFacts, atMs: at(1) }]), at(1))).toEqual(
    READY,
  );
  expect(look(applyPoolEvents(pool, [{ type: "served", on, limits: noLimitFacts, atMs: at(1) }]), at(1))).toEqual(
    READY,
  );
});

test("a warning ranks an account behind until its reset", () => {
  const limits = readLimitFacts([["anthropic-ratelimit-unified-status", "allowed_warning"]], at(0));
  const pool = learned({ type: "served", on, limits, atMs: at(0) });
  expect(look(pool, at(59))).toEqual({ usable: true, rank: "soft" });
  expect(look(pool, at(60))).toEqual(READY);
});

describe("half open", () => {
  test("one request tests a limit", () => {
    const pool = learned({ type: "throttled", on, random: 0.5, atMs: at(0) });
    expect(isProbe(pool, a, opus, at(1))).toBe(false);
    expect(isProbe(pool, a, opus, at(2))).toBe(true);
    expect(look(pool, at(2))).toEqual(READY);
    const testing = applyPoolEvents(pool, [{ type: "probe_started", on, atMs: at(2) }]);
    expect(look(testing, at(3))).toEqual({ usable: false, reason: "probing", untilMs: at(62) });
    const lost = applyPoolEvents(testing, [{ type: "probe_lost", on, atMs: at(4) }]);
    expect(look(lost, at(4))).toEqual(READY);
  });

  test("one request tests an upstream", () => {
    const pool = learned(...openCircuit);
    expect(isProbe(pool, a, opus, at(30))).toBe(true);
    const testing = applyPoolEvents(pool, [{ type: "probe_started", on, atMs: at(30) }]);
    expect(look(testing, at(31))).toEqual({ usable: false, reason: "origin_circuit_open", untilMs: at(90) });
  });
});

describe("nothing changes, so the state is the same object", () => {
  test.each<[string, PoolEvent]>([
    ["a success that says nothing", { type: "served", on, limits: noLimitFacts, atMs: at(0) }],
    ["a refusal that says nothing", { type: "refused", on, limits: noLimitFacts, atMs: at(0) }],
    ["a probe that is none", { type: "probe_started", on, atMs: at(0) }],
  ])("after %s", (_name, event) => {
    expect(applyPoolEvents(emptyPool, [event])).toBe(emptyPool);
  });

  test("after the same windows within a second, and after no events", () => {
    const pool = learned({ type: "served", on, limits: planLimits("0.1", at(0)), atMs: at(0) });
    expect(applyPoolEvents(pool, [{ type: "served", on, limits: planLimits("0.1", at(0)), atMs: at(0.5) }])).toBe(pool);
    expect(applyPoolEvents(pool, [])).toBe(pool);
  });
});

test("an event that no version of this code makes is a bug and says so", () => {
  const unknown = { type: "bribed", on } as unknown as PoolEvent;
  expect(() => applyPoolEvents(emptyPool, [unknown])).toThrow("no branch knows it");
});

describe("a person sees", () => {
  test.each<{ state: string; events: readonly PoolEvent[]; reason: string; untilMs: EpochMs | null }>([
    { state: "limited", events: [benched(60)], reason: "rate_limited", untilMs: at(60) },
    {
      state: "limited",
      events: [{ type: "parked", on, untilMs: at(99), reason: "payment_required", atMs: at(0) }],
      reason: "payment_required",
      untilMs: at(99),
    },
    {
      state: "dead",
      events: [{ type: "credential_refused", on, reason: "credential_dead", atMs: at(0) }],
      reason: "credential_dead",
      untilMs: null,
    },
    {
      state: "needs_reauth",
      events: [{ type: "credential_refused", on, reason: "needs_reauth", atMs: at(0) }],
      reason: "needs_reauth",
      untilMs: null,
    },
  ])("$state ($reason)", ({ state, events, reason, untilMs }) => {
    const pool = applyPoolEvents(emptyPool, events);
    expect(accountCondition(pool, a, at(1))).toEqual({ state, reason, untilMs } as ReturnType<typeof accountCondition>);
  });

  test("paused before all else, and ready in spite of one forbidden class or a resting upstream", () => {
    expect(accountState(learned(benched(60)), account("a", { isPaused: true }), at(1))).toBe("paused");
    expect(accountState(learned({ type: "forbidden", on, atMs: at(0) }, ...openCircuit), a, at(1))).toBe("ready");
  });
});

test("forgets all that is held against an account when an operator says so", () => {
  const pool = learned(
    benched(60),
    { type: "credential_refused", on, reason: "credential_dead", atMs: at(0) },
    { type: "parked", on, untilMs: at(99), reason: "spend_limit", atMs: at(0) },
    resetAccount(a),
  );
  expect(look(pool, at(1))).toEqual(READY);
  expect(accountState(pool, a, at(1))).toBe("ready");
});

test("shows a plan's window once, as last seen, and the others per model class", () => {
  const pool = learned(
    { type: "served", on: subjectOf(a, null, haiku), limits: planLimits("0.3", at(5)), atMs: at(5) },
    { type: "served", on, limits: planLimits("0.2", at(1)), atMs: at(1) },
  );
  const unsaid = { status: null, limit: null, remaining: null, usedRatio: null, resetAtMs: null };
  expect(windowsOf(pool, a)).toEqual([
    { ...unsaid, name: "5h", modelClass: null, usedRatio: 0.3, seenAtMs: at(5) },
    { ...unsaid, name: "requests", modelClass: haiku, limit: 50, seenAtMs: at(5) },
    { ...unsaid, name: "requests", modelClass: opus, limit: 50, seenAtMs: at(1) },
  ]);
});

describe("bounds", () => {
  test("16 model classes per limit group; what ended first is forgotten first", () => {
    const events = Array.from({ length: 100 }, (_, index): PoolEvent => {
      const modelClass = modelClassOf(`claude-x${index}`);
      return { ...benched(index + 1), on: subjectOf(a, null, modelClass) } as PoolEvent;
    });
    const pool = applyPoolEvents(emptyPool, events);
    const classes = pool.groups.shards.flatMap((shard) => [...shard.values()]);
    expect(classes.map((group) => group.size)).toEqual([MAX_CLASSES_PER_GROUP]);
    expect(look(pool, at(0), a, modelClassOf("claude-x99")).usable).toBe(false);
    expect(look(pool, at(0), a, modelClassOf("claude-x0"))).toEqual(READY);
  });

  test("4,096 limit groups, accounts and upstreams", () => {
    let pool = emptyPool;
    for (let index = 0; index < 6000; index += 1) {
      const subject = subjectOf(account(`id-${index}`, { baseUrl: `https://${index}.example` }), MODEL, opus);
      pool = applyPoolEvents(pool, [
        { type: "throttled", on: subject, random: 0, atMs: at(index) },
        { type: "parked", on: subject, untilMs: at(index), reason: "spend_limit", atMs: at(0) },
        { type: "origin_failed", on: subject, atMs: at(index) },
      ]);
    }
    for (const map of [pool.groups, pool.holds, pool.origins]) {
      const sizes = map.shards.map((shard) => shard.size);
      expect(Math.max(...sizes)).toBeLessThanOrEqual(64);
      expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(4096);
    }
  });
});
