import { describe, expect, test } from "bun:test";
import { type EpochMs, epochMs } from "../../kernel/time.ts";
import { type Account, accountId } from "../account/account.ts";
import { modelClassOf } from "../account/model-class.ts";
import { noLimitFacts } from "../ratelimit/limit-facts.ts";
import { readLimitFacts } from "../ratelimit/limit-headers.ts";
import { MAX_CLASSES_PER_GROUP } from "./group-limits.ts";
import { type PoolEvent, resetAccount, subjectOf } from "./pool-event.ts";
import {
  accountCondition,
  accountState,
  applyPoolEvents,
  availability,
  emptyPool,
  isForbiddenElsewhere,
  isProbe,
  type PoolState,
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

const RETRY_AFTER = "status 429, retry-after";
const BARE = "status 429 without a limit header";
const RESTING = "5 faults in a row, last: status 529";
const READY = { usable: true, rank: "ready" } as const;
const benched = (seconds: number): PoolEvent => ({
  type: "benched",
  on,
  untilMs: at(seconds),
  reason: "rate_limited",
  cause: RETRY_AFTER,
  scope: "class",
  atMs: at(0),
});
const originFailed: PoolEvent = { type: "origin_failed", on, cause: "status 529", atMs: at(0) };
const openCircuit: readonly PoolEvent[] = Array.from({ length: 5 }, () => originFailed);

test("knows nothing against an account at first", () => {
  expect(look(emptyPool, at(0))).toEqual(READY);
  expect(accountState(emptyPool, a, at(0))).toBe("ready");
  expect(isProbe(emptyPool, a, opus, at(0))).toBe(false);
});

describe("an account is unavailable", () => {
  test.each<{ why: string; events: readonly PoolEvent[]; expected: ReturnType<typeof look> }>([
    {
      why: "benched",
      events: [benched(60)],
      expected: { usable: false, reason: "rate_limited", untilMs: at(60), cause: RETRY_AFTER },
    },
    {
      why: "throttled without a stated time",
      events: [{ type: "throttled", on, random: 0.5, cause: BARE, atMs: at(0) }],
      expected: { usable: false, reason: "throttled", untilMs: at(2), cause: BARE },
    },
    {
      why: "parked",
      events: [{ type: "parked", on, untilMs: at(99), reason: "spend_limit", cause: "status 402", atMs: at(0) }],
      expected: { usable: false, reason: "spend_limit", untilMs: at(99), cause: "status 402" },
    },
    {
      why: "dead",
      events: [
        { type: "credential_refused", on, reason: "credential_dead", cause: "status 401", atMs: at(0) },
        benched(60),
      ],
      expected: { usable: false, reason: "credential_dead", untilMs: null, cause: "status 401" },
    },
    {
      why: "forbidden",
      events: [{ type: "forbidden", on, cause: "status 403", atMs: at(0) }],
      expected: { usable: false, reason: "forbidden", untilMs: at(600), cause: "status 403" },
    },
    {
      why: "without the model",
      events: [{ type: "model_missing", on, model: MODEL, cause: "status 404", atMs: at(0) }],
      expected: { usable: false, reason: "model_missing", untilMs: at(3600), cause: "status 404" },
    },
    {
      why: "behind an open circuit",
      events: openCircuit,
      expected: { usable: false, reason: "origin_circuit_open", untilMs: at(30), cause: RESTING },
    },
    {
      why: "benched behind an open circuit: the bench counts",
      events: [...openCircuit, benched(10)],
      expected: { usable: false, reason: "rate_limited", untilMs: at(10), cause: RETRY_AFTER },
    },
    {
      why: "parked beyond its bench: the last end counts",
      events: [
        benched(10),
        { type: "parked", on, untilMs: at(99), reason: "spend_limit", cause: "status 402", atMs: at(0) },
      ],
      expected: { usable: false, reason: "spend_limit", untilMs: at(99), cause: "status 402" },
    },
  ])("when $why", ({ events, expected }) => {
    expect(look(applyPoolEvents(emptyPool, events), at(1))).toEqual(expected);
  });

  test("when an operator paused it, whatever else is known", () => {
    const paused = account("a", { isPaused: true });
    expect(look(learned(benched(60)), at(1), paused)).toEqual({
      usable: false,
      reason: "paused",
      untilMs: null,
      cause: "an operator",
    });
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

describe("a plan's limit is of the limit group", () => {
  const shared = account("b", { organization: "org" });
  const twin = account("c", { organization: "org" });
  const used = { ...benched(60), on: subjectOf(shared, MODEL, opus), scope: "group" } as PoolEvent;

  test("and of every model class of it, and of nothing else", () => {
    const pool = learned(used);
    for (const modelClass of [opus, haiku]) {
      expect(look(pool, at(1), twin, modelClass)).toMatchObject({
        usable: false,
        reason: "rate_limited",
        untilMs: at(60),
      });
      expect(look(pool, at(60), twin, modelClass)).toEqual(READY);
      expect(look(pool, at(1), a, modelClass)).toEqual(READY);
    }
    expect(accountState(pool, twin, at(1))).toBe("limited");
  });

  test("a class that rests longer rests on when the plan is back", () => {
    const pool = learned(used, { ...benched(90), on: subjectOf(twin, MODEL, opus) } as PoolEvent);
    expect(look(pool, at(60), twin)).toMatchObject({ usable: false, untilMs: at(90) });
    expect(look(pool, at(60), twin, haiku)).toEqual(READY);
  });

  test("a success that was under way does not lift it", () => {
    const pool = learned(used, { type: "served", on: subjectOf(twin, MODEL, opus), limits: noLimitFacts, atMs: at(1) });
    expect(look(pool, at(2), twin).usable).toBe(false);
  });

  test("its warning ranks every class behind", () => {
    const limits = readLimitFacts(
      [
        ["anthropic-ratelimit-unified-status", "allowed_warning"],
        ["anthropic-ratelimit-unified-representative-claim", "seven_day"],
      ],
      at(0),
    );
    const pool = learned({ type: "served", on: subjectOf(shared, MODEL, opus), limits, atMs: at(0) });
    expect(look(pool, at(1), twin, haiku)).toEqual({ usable: true, rank: "soft" });
    expect(look(pool, at(60), twin, haiku)).toEqual(READY);
  });
});

test("an account whose organization becomes known shares what the organization knows", () => {
  const named = account("a", { organization: "org" });
  const to = subjectOf(named, MODEL, opus).limitGroup;
  const learnedOf = {
    type: "organization_learned",
    accountId: a.id,
    from: on.limitGroup,
    to,
    organization: "org",
  } as const;
  const pool = learned(benched(60), { ...benched(30), on: subjectOf(named, null, haiku) } as PoolEvent, learnedOf);
  expect(look(pool, at(1), named)).toMatchObject({ untilMs: at(60) });
  expect(look(pool, at(1), named, haiku)).toMatchObject({ untilMs: at(30) });
  expect(look(pool, at(1), a)).toEqual(READY);
  expect(applyPoolEvents(pool, [learnedOf])).toBe(pool);
});

test("knows whether a 403 would be the second", () => {
  const pool = learned({ type: "forbidden", on, cause: "status 403", atMs: at(0) });
  expect(isForbiddenElsewhere(pool, subjectOf(a, null, haiku), at(1))).toBe(true);
  expect(isForbiddenElsewhere(pool, on, at(1))).toBe(false);
  expect(isForbiddenElsewhere(emptyPool, on, at(1))).toBe(false);
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
    const pool = learned({ type: "throttled", on, random: 0.5, cause: BARE, atMs: at(0) });
    expect(isProbe(pool, a, opus, at(1))).toBe(false);
    expect(isProbe(pool, a, opus, at(2))).toBe(true);
    expect(look(pool, at(2))).toEqual({ usable: true, rank: "probe" });
    const testing = applyPoolEvents(pool, [{ type: "probe_started", on, atMs: at(2) }]);
    expect(look(testing, at(3))).toEqual({ usable: false, reason: "probing", untilMs: at(62), cause: BARE });
    const lost = applyPoolEvents(testing, [{ type: "probe_lost", on, atMs: at(4) }]);
    expect(look(lost, at(4))).toEqual({ usable: true, rank: "probe" });
  });

  test("a test that nobody made for a minute is one for anybody, and history after ten", () => {
    const pool = learned({ type: "throttled", on, random: 0.5, cause: BARE, atMs: at(0) });
    expect(look(pool, epochMs(at(62) - 1))).toEqual({ usable: true, rank: "probe" });
    expect(look(pool, at(62))).toEqual({ usable: true, rank: "soft" });
    expect(isProbe(pool, a, opus, at(62))).toBe(true);
    expect(look(pool, at(603))).toEqual(READY);
    expect(isProbe(pool, a, opus, at(603))).toBe(false);
  });

  test("the younger of two tests counts", () => {
    const pool = learned({ type: "throttled", on, random: 0.5, cause: BARE, atMs: at(0) }, ...openCircuit);
    expect(look(pool, at(70))).toEqual({ usable: true, rank: "probe" });
    expect(look(pool, at(90))).toEqual({ usable: true, rank: "soft" });
  });

  test("one request tests an upstream", () => {
    const pool = learned(...openCircuit);
    expect(isProbe(pool, a, opus, at(30))).toBe(true);
    const testing = applyPoolEvents(pool, [{ type: "probe_started", on, atMs: at(30) }]);
    expect(look(testing, at(31))).toEqual({
      usable: false,
      reason: "origin_circuit_open",
      untilMs: at(90),
      cause: RESTING,
    });
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
      events: [{ type: "parked", on, untilMs: at(99), reason: "payment_required", cause: "status 402", atMs: at(0) }],
      reason: "payment_required",
      untilMs: at(99),
    },
    {
      state: "dead",
      events: [{ type: "credential_refused", on, reason: "credential_dead", cause: "status 401", atMs: at(0) }],
      reason: "credential_dead",
      untilMs: null,
    },
    {
      state: "needs_reauth",
      events: [{ type: "credential_refused", on, reason: "needs_reauth", cause: "status 401", atMs: at(0) }],
      reason: "needs_reauth",
      untilMs: null,
    },
  ])("$state ($reason)", ({ state, events, reason, untilMs }) => {
    const pool = applyPoolEvents(emptyPool, events);
    const { cause, ...condition } = accountCondition(pool, a, at(1));
    expect(condition).toEqual({ state, reason, untilMs } as typeof condition);
    expect(cause).toMatch(/^status 4\d\d/);
  });

  test("paused before all else, and ready in spite of one forbidden class or a resting upstream", () => {
    expect(accountState(learned(benched(60)), account("a", { isPaused: true }), at(1))).toBe("paused");
    expect(
      accountState(learned({ type: "forbidden", on, cause: "status 403", atMs: at(0) }, ...openCircuit), a, at(1)),
    ).toBe("ready");
  });
});

test("forgets all that is held against an account when an operator says so", () => {
  const pool = learned(
    benched(60),
    { type: "credential_refused", on, reason: "credential_dead", cause: "status 401", atMs: at(0) },
    { type: "parked", on, untilMs: at(99), reason: "spend_limit", cause: "status 402", atMs: at(0) },
    resetAccount(a),
  );
  expect(look(pool, at(1))).toEqual(READY);
  expect(accountState(pool, a, at(1))).toBe("ready");
});

describe("bounds", () => {
  test("16 model classes per limit group; what ended first is forgotten first", () => {
    const events = Array.from({ length: 100 }, (_, index): PoolEvent => {
      const modelClass = modelClassOf(`claude-x${index}`);
      return { ...benched(index + 1), on: subjectOf(a, null, modelClass) } as PoolEvent;
    });
    const pool = applyPoolEvents(emptyPool, events);
    const classes = pool.groups.shards.flatMap((shard) => [...shard.values()]);
    expect(classes.map((group) => group.classes.size)).toEqual([MAX_CLASSES_PER_GROUP]);
    expect(look(pool, at(0), a, modelClassOf("claude-x99")).usable).toBe(false);
    expect(look(pool, at(0), a, modelClassOf("claude-x0"))).toEqual(READY);
  });

  test("4,096 limit groups, accounts and upstreams", () => {
    let pool = emptyPool;
    for (let index = 0; index < 6000; index += 1) {
      const subject = subjectOf(account(`id-${index}`, { baseUrl: `https://${index}.example` }), MODEL, opus);
      pool = applyPoolEvents(pool, [
        { type: "throttled", on: subject, random: 0, cause: BARE, atMs: at(index) },
        { type: "parked", on: subject, untilMs: at(index), reason: "spend_limit", cause: "status 402", atMs: at(0) },
        { type: "origin_failed", on: subject, cause: "status 529", atMs: at(index) },
      ]);
    }
    for (const map of [pool.groups, pool.holds, pool.origins]) {
      const sizes = map.shards.map((shard) => shard.size);
      expect(Math.max(...sizes)).toBeLessThanOrEqual(64);
      expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(4096);
    }
  });
});
