import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type EpochMs, epochMs } from "../../kernel/time.ts";
import { type Account, type AccountId, accountId } from "../account/account.ts";
import { modelClassOf } from "../account/model-class.ts";
import { type PoolEvent, subjectOf } from "../pool/pool-event.ts";
import { applyPoolEvents, availability, emptyPool } from "../pool/pool-state.ts";
import { readLimitFacts } from "../ratelimit/limit-headers.ts";
import { earliestReturn, explainSkips, nextCandidate, type PlanInput } from "./plan.ts";

const at = (seconds: number): EpochMs => epochMs(Date.parse("2026-11-23T20:00:00Z") + seconds * 1000);
const MODEL = "claude-opus-4-5";
const opus = modelClassOf(MODEL);

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

const a = account("a", { priority: 1 });
const b = account("b", { priority: 2 });
const c = account("c", { priority: 3, baseUrl: "https://elsewhere.example" });
const accounts = [a, b, c];

function input(events: readonly PoolEvent[], changes: Partial<PlanInput> = {}): PlanInput {
  const pool = applyPoolEvents(emptyPool, events);
  return { accounts, pool, model: MODEL, modelClass: opus, nowMs: at(1), tried: new Set(), ...changes };
}

function bench(who: Account, seconds: number): PoolEvent {
  return {
    type: "benched",
    on: subjectOf(who, MODEL, opus),
    untilMs: at(seconds),
    reason: "rate_limited",
    atMs: at(0),
  };
}

function warn(who: Account): PoolEvent {
  const limits = readLimitFacts([["anthropic-ratelimit-unified-status", "allowed_warning"]], at(0));
  return { type: "served", on: subjectOf(who, MODEL, opus), limits, atMs: at(0) };
}

function fail(who: Account): readonly PoolEvent[] {
  return Array.from({ length: 5 }, () => ({ type: "origin_failed", on: subjectOf(who, MODEL, opus), atMs: at(0) }));
}

function tried(...who: Account[]): Pick<PlanInput, "tried"> {
  return { tried: new Set(who.map(({ id }) => id)) };
}

describe("picks", () => {
  test.each<{ what: string; events: readonly PoolEvent[]; changes?: Partial<PlanInput>; expected: Account | null }>([
    { what: "the first account in order", events: [], expected: a },
    { what: "none from an empty pool", events: [], changes: { accounts: [] }, expected: null },
    { what: "the next one when the first was tried", events: [], changes: tried(a), expected: b },
    { what: "the next one when the first is benched", events: [bench(a, 60)], expected: b },
    { what: "the first one again the instant its bench ends", events: [bench(a, 1)], expected: a },
    { what: "a ready one before a soft one", events: [warn(a)], expected: b },
    { what: "the first soft one when none is ready", events: [warn(a), warn(b), bench(c, 60)], expected: a },
    { what: "none when all were tried", events: [], changes: tried(a, b, c), expected: null },
    { what: "none when all are benched", events: [bench(a, 60), bench(b, 60), bench(c, 60)], expected: null },
    { what: "another upstream while one rests", events: fail(a), expected: c },
    {
      what: "none at a resting upstream while another lives, even tried",
      events: fail(a),
      changes: tried(c),
      expected: null,
    },
    { what: "the resting upstream when it is the last", events: [...fail(a), bench(c, 60)], expected: a },
    { what: "the resting upstream when all rest", events: [...fail(a), ...fail(c)], expected: a },
    {
      what: "the resting upstream when it is the only one",
      events: fail(a),
      changes: { accounts: [a, b] },
      expected: a,
    },
    { what: "a soft one before a resting upstream", events: [...fail(a), warn(c)], expected: c },
  ])("$what", ({ events, changes, expected }) => {
    expect(nextCandidate(input(events, changes))?.account ?? null).toBe(expected);
  });
});

test("tells the pool when the request is a probe, and then no second one is sent", () => {
  const throttled: PoolEvent = { type: "throttled", on: subjectOf(a, MODEL, opus), random: 0.5, atMs: at(0) };
  const due = input([throttled], { nowMs: at(2) });
  const probe = nextCandidate(due);
  expect(probe).toEqual({
    account: a,
    onStart: [{ type: "probe_started", on: subjectOf(a, MODEL, opus), atMs: at(2) }],
  });
  const pool = applyPoolEvents(due.pool, probe?.onStart ?? []);
  expect(nextCandidate({ ...due, pool })?.account).toBe(b);
  expect(nextCandidate(input([]))?.onStart).toEqual([]);
});

test("explains every account that is passed over", () => {
  const paused = account("p", { isPaused: true });
  const skips = explainSkips(input([bench(b, 60)], { accounts: [a, b, c, paused], ...tried(a) }));
  expect(skips).toEqual([
    { accountId: a.id, reason: "already_tried", untilMs: null },
    { accountId: b.id, reason: "rate_limited", untilMs: at(60) },
    { accountId: paused.id, reason: "paused", untilMs: null },
  ]);
});

describe("the earliest return", () => {
  test("is the first end of a bench, tried or not", () => {
    expect(earliestReturn(input([bench(a, 60), bench(b, 20), bench(c, 90)], tried(b)))).toBe(at(20));
  });

  test("is null when none comes back by itself", () => {
    const paused = account("p", { isPaused: true });
    expect(earliestReturn(input([], { accounts: [paused] }))).toBeNull();
    expect(earliestReturn(input([]))).toBeNull();
  });
});

test("the cost does not grow with the accounts behind a ready one", () => {
  let looked = 0;
  const many = Array.from({ length: 1000 }, (_, index) => account(`n${index}`));
  const counting = new Proxy(many, {
    get(target, key, receiver) {
      looked += typeof key === "string" && /^\d+$/.test(key) ? 1 : 0;
      return Reflect.get(target, key, receiver) as unknown;
    },
  });
  expect(nextCandidate(input([], { accounts: counting }))?.account).toBe(many[0]);
  expect(looked).toBe(1);
});

describe("whatever is known", () => {
  const roster = Array.from({ length: 6 }, (_, index) =>
    account(`r${index}`, { baseUrl: `https://${index % 2}.example`, organization: index < 2 ? "shared" : null }),
  );
  const who = fc.constantFrom(...roster);
  const second = fc.integer({ min: 0, max: 120 });
  const event: fc.Arbitrary<PoolEvent> = fc.oneof(
    fc.tuple(who, second).map(([one, seconds]) => bench(one, seconds)),
    who.map(warn),
    fc.tuple(who, second).map(
      ([one, seconds]): PoolEvent => ({
        type: "origin_failed",
        on: subjectOf(one, MODEL, opus),
        atMs: at(seconds),
      }),
    ),
    fc.tuple(who, second).map(
      ([one, seconds]): PoolEvent => ({
        type: "throttled",
        on: subjectOf(one, MODEL, opus),
        random: 0.5,
        atMs: at(seconds),
      }),
    ),
    who.map((one): PoolEvent => ({ type: "forbidden", on: subjectOf(one, MODEL, opus), atMs: at(0) })),
  );
  const scene = fc
    .record({
      events: fc.array(event, { maxLength: 40 }),
      paused: fc.subarray(roster),
      tried: fc.subarray(roster),
      nowMs: second.map(at),
    })
    .map((parts) =>
      input(parts.events, {
        accounts: roster.map((one) => (parts.paused.includes(one) ? { ...one, isPaused: true } : one)),
        tried: new Set<AccountId>(parts.tried.map(({ id }) => id)),
        nowMs: parts.nowMs,
      }),
    );

  function look(plan: PlanInput, one: Account) {
    return availability(plan.pool, one, plan.model, plan.modelClass, plan.nowMs);
  }

  test("never picks a benched, paused or tried account, and picks the same again", () => {
    fc.assert(
      fc.property(scene, (plan) => {
        const picked = nextCandidate(plan);
        expect(nextCandidate(plan)).toEqual(picked);
        if (picked === null) {
          return;
        }
        const found = look(plan, picked.account);
        expect(plan.tried.has(picked.account.id)).toBe(false);
        expect(picked.account.isPaused).toBe(false);
        expect(found.usable || found.reason === "origin_circuit_open").toBe(true);
      }),
    );
  });

  test("picks one whenever one that was not tried is usable", () => {
    fc.assert(
      fc.property(scene, (plan) => {
        const isAnyUsable = plan.accounts.some((one) => !plan.tried.has(one.id) && look(plan, one).usable);
        expect(nextCandidate(plan) !== null || !isAnyUsable).toBe(true);
      }),
    );
  });

  test("walking on tries each account at most once and ends", () => {
    fc.assert(
      fc.property(scene, (plan) => {
        const seen = new Set(plan.tried);
        let steps = 0;
        for (
          let next = nextCandidate({ ...plan, tried: seen });
          next !== null;
          next = nextCandidate({ ...plan, tried: seen })
        ) {
          expect(seen.has(next.account.id)).toBe(false);
          seen.add(next.account.id);
          steps += 1;
        }
        expect(steps).toBeLessThanOrEqual(roster.length);
      }),
    );
  });

  test("every account is either usable or explained", () => {
    fc.assert(
      fc.property(scene, (plan) => {
        const skipped = new Set(explainSkips(plan).map((skip) => skip.accountId));
        for (const one of plan.accounts) {
          expect(skipped.has(one.id)).toBe(plan.tried.has(one.id) || !look(plan, one).usable);
        }
      }),
    );
  });
});
