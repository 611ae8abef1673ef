import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type EpochMs, epochMs } from "../../kernel/time.ts";
import { type Account, accountId, limitGroupOf } from "../account/account.ts";
import { modelClassOf, NO_MODEL_CLASS } from "../account/model-class.ts";
import { noLimitFacts } from "../ratelimit/limit-facts.ts";
import { readLimitFacts } from "../ratelimit/limit-headers.ts";
import { windowsOf } from "./limit-windows.ts";
import { type PoolEvent, resetAccount, subjectOf } from "./pool-event.ts";
import { loadPool, savePool } from "./pool-snapshot.ts";
import { type Availability, applyPoolEvents, availability, emptyPool, isProbe, type PoolState } from "./pool-state.ts";

const at = (seconds: number): EpochMs => epochMs(Date.parse("2026-11-23T20:00:00Z") + seconds * 1000);
const MODEL = "claude-opus-4-5";
const MODELS = [MODEL, "claude-haiku-4-5", null];
const HORIZON_SECONDS = 7200;

function account(id: string, changes: Partial<Account>): Account {
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

const accounts = [
  account("a", {}),
  account("b", { organization: "o" }),
  account("c", { organization: "o", baseUrl: "https://x.example" }),
];
/** The first account once its organization is known. */
const named = account("a", { organization: "o" });

const instant = fc.integer({ min: 0, max: HORIZON_SECONDS }).map(at);
const whom = fc.constantFrom(...accounts);
const subject = fc
  .tuple(whom, fc.constantFrom(...MODELS))
  .map(([who, model]) => subjectOf(who, model, modelClassOf(model)));
const limits = fc.constantFrom(
  noLimitFacts,
  readLimitFacts([["anthropic-ratelimit-unified-5h-utilization", "0.5"]], at(0)),
  readLimitFacts([["anthropic-ratelimit-unified-status", "allowed_warning"]], at(0)),
  readLimitFacts(
    [
      ["anthropic-ratelimit-unified-status", "allowed_warning"],
      ["anthropic-ratelimit-unified-representative-claim", "five_hour"],
      ["anthropic-ratelimit-unified-5h-reset", String(at(3600) / 1000)],
    ],
    at(0),
  ),
);
const cause = fc.constantFrom("status 429, retry-after", "status 529");
const scope = fc.constantFrom("class", "group");
const random = fc.double({ min: 0, max: 1, noNaN: true });
const organizationLearned: PoolEvent = {
  type: "organization_learned",
  accountId: named.id,
  from: limitGroupOf({ id: named.id, organization: null }),
  to: limitGroupOf(named),
  organization: "o",
};

type Type = PoolEvent["type"];
const of = (type: Type, rest: Record<string, fc.Arbitrary<unknown>> = {}) =>
  fc.record({ type: fc.constant(type), on: subject, atMs: instant, ...rest });
const event = fc.oneof(
  of("probe_started"),
  of("probe_lost"),
  of("forbidden", { cause }),
  of("origin_failed", { cause }),
  of("served", { limits }),
  of("refused", { limits }),
  of("benched", { untilMs: instant, reason: fc.constant("plan_limit"), cause, scope }),
  of("parked", { untilMs: instant, reason: fc.constant("spend_limit"), cause }),
  of("throttled", { random, cause }),
  of("credential_refused", { reason: fc.constant("needs_reauth"), cause }),
  of("model_missing", { model: fc.string({ minLength: 1 }), cause }),
  fc.constant(organizationLearned),
  whom.map(resetAccount),
) as fc.Arbitrary<PoolEvent>;
const events = fc.array(event, { maxLength: 80 });

type Look = { readonly who: Account; readonly model: string | null; readonly nowMs: EpochMs };
const looks = fc.record({ who: whom, model: fc.constantFrom(...MODELS), nowMs: instant });

function look(pool: PoolState, { who, model, nowMs }: Look): Availability {
  return availability(pool, who, model, modelClassOf(model), nowMs);
}

/** 0 when usable, infinite when it takes an operator. */
function untilOf(found: Availability): number {
  return found.usable ? 0 : (found.untilMs ?? Number.POSITIVE_INFINITY);
}

describe("whatever the pool learned", () => {
  test("applying never throws, one by one is as good as all at once, and two runs are equal", () => {
    fc.assert(
      fc.property(events, (list) => {
        const atOnce = applyPoolEvents(emptyPool, list);
        expect(list.reduce((pool, each) => applyPoolEvents(pool, [each]), emptyPool)).toEqual(atOnce);
        expect(applyPoolEvents(emptyPool, list)).toEqual(atOnce);
        expect(savePool(applyPoolEvents(emptyPool, list), at(0))).toBe(savePool(atOnce, at(0)));
      }),
    );
  });

  test("every block ends when it says, or waits for an operator", () => {
    fc.assert(
      fc.property(events, looks, (list, asked) => {
        const pool = applyPoolEvents(emptyPool, list);
        const found = look(pool, asked);
        if (found.usable || found.untilMs === null) {
          return;
        }
        expect(found.untilMs).toBeGreaterThan(asked.nowMs);
        const then = look(pool, { ...asked, nowMs: found.untilMs });
        expect(then.usable || then.reason === "origin_circuit_open" || then.reason === "probing").toBe(true);
        expect(look(pool, { ...asked, nowMs: at(100_000) })).toEqual({ usable: true, rank: "ready" });
      }),
    );
  });

  test("nobody is usable before the end of a bench, whatever else is learned but an operator's word", () => {
    const withoutReset = events.map((list) => list.filter(({ type }) => type !== "reset_account"));
    fc.assert(
      fc.property(withoutReset, withoutReset, looks, scope, (before, later, asked, benchScope) => {
        const on = subjectOf(asked.who, asked.model, modelClassOf(asked.model));
        const untilMs = epochMs(asked.nowMs + 1);
        const reason = "rate_limited";
        const bench = { type: "benched", on, untilMs, reason, cause: "x", scope: benchScope, atMs: at(0) } as PoolEvent;
        const pool = applyPoolEvents(emptyPool, [...before, bench, ...later]);
        // What is learned of the group under its old name moves with it.
        const who = asked.who.id === named.id && later.includes(organizationLearned) ? named : asked.who;
        expect(look(pool, { ...asked, who }).usable).toBe(false);
      }),
    );
  });

  test("a block says its cause, and the same again changes nothing that counts", () => {
    const idempotent = new Set<Type>([
      "probe_started",
      "probe_lost",
      "benched",
      "parked",
      "credential_refused",
      "forbidden",
      "model_missing",
      "organization_learned",
      "reset_account",
    ]);
    fc.assert(
      fc.property(events, event, looks, (list, one, asked) => {
        fc.pre(idempotent.has(one.type));
        const once = applyPoolEvents(emptyPool, [...list, one]);
        const twice = applyPoolEvents(once, [one]);
        expect(look(twice, asked)).toEqual(look(once, asked));
        const found = look(once, asked);
        if (!found.usable) {
          expect(found.cause.length).toBeGreaterThan(0);
          expect(found.cause.length).toBeLessThanOrEqual(80);
        }
      }),
    );
  });

  test("one test at a time: who is told that it left finds the place taken", () => {
    fc.assert(
      fc.property(events, looks, fc.integer({ min: 3, max: 300 }), (list, asked, waited) => {
        const { who, model } = asked;
        const modelClass = modelClassOf(model);
        const on = subjectOf(who, model, modelClass);
        // Beyond all that the events know: only the back-off and perhaps a circuit are left.
        const throttled = { type: "throttled", on, random: 0.5, cause: "x", atMs: at(100_000) } as const;
        const pool = applyPoolEvents(emptyPool, [...list, resetAccount(who), throttled]);
        const later = { ...asked, nowMs: at(100_000 + waited) };
        expect(look(pool, later)).toEqual({ usable: true, rank: waited < 62 ? "probe" : "soft" });
        expect(isProbe(pool, who, modelClass, later.nowMs)).toBe(true);
        const testing = applyPoolEvents(pool, [{ type: "probe_started", on, atMs: later.nowMs }]);
        expect(look(testing, later)).toMatchObject({ usable: false, reason: "probing" });
        expect(isProbe(testing, who, modelClass, later.nowMs)).toBe(false);
        const next = applyPoolEvents(testing, [{ type: "probe_lost", on, atMs: later.nowMs }]);
        expect(isProbe(next, who, modelClass, later.nowMs)).toBe(true);
      }),
    );
  });

  test("a 429 with a reset benches until exactly that instant", () => {
    fc.assert(
      fc.property(events, fc.integer({ min: 1, max: 86_400_000 }), scope, (list, waitMs, benchScope) => {
        const fresh = account("fresh", {});
        const untilMs = epochMs(at(HORIZON_SECONDS) + waitMs);
        const on = subjectOf(fresh, null, NO_MODEL_CLASS);
        const said = { reason: "rate_limited", cause: "x", scope: benchScope, atMs: at(HORIZON_SECONDS) };
        const pool = applyPoolEvents(emptyPool, [...list, { type: "benched", on, untilMs, ...said } as PoolEvent]);
        const groups = { ...pool, origins: emptyPool.origins };
        expect(availability(groups, fresh, null, NO_MODEL_CLASS, epochMs(untilMs - 1)).usable).toBe(false);
        expect(availability(groups, fresh, null, NO_MODEL_CLASS, untilMs).usable).toBe(true);
      }),
    );
  });
});

test("learning an organization never shortens what either of the two knew", () => {
  fc.assert(
    fc.property(events, fc.constantFrom(...MODELS), instant, (list, model, nowMs) => {
      const before = applyPoolEvents(emptyPool, list);
      const after = applyPoolEvents(before, [organizationLearned]);
      const now = untilOf(look(after, { who: named, model, nowMs }));
      for (const who of [accounts[0] ?? named, named]) {
        expect(now).toBeGreaterThanOrEqual(untilOf(look(before, { who, model, nowMs })));
      }
    }),
  );
});

describe("a restart", () => {
  /** A test that is under way ends with the process: nothing of it is kept. */
  const withoutTests = events.map((list) => list.filter(({ type }) => type !== "probe_started"));

  test("changes nothing: who rests, until when and why, and what is known of windows that still run", () => {
    fc.assert(
      fc.property(withoutTests, instant, looks, (list, savedAtMs, asked) => {
        const pool = applyPoolEvents(emptyPool, list);
        const text = savePool(pool, savedAtMs);
        const loaded = loadPool(text, savedAtMs);
        const nowMs = epochMs(Math.max(asked.nowMs, savedAtMs));
        expect(look(loaded, { ...asked, nowMs })).toEqual(look(pool, { ...asked, nowMs }));
        const running = windowsOf(pool, asked.who).filter(
          ({ resetAtMs, seenAtMs }) => savedAtMs < (resetAtMs ?? seenAtMs + 3_600_000),
        );
        expect(windowsOf(loaded, asked.who)).toEqual(running);
        expect(savePool(loaded, savedAtMs)).toBe(text);
      }),
    );
  });

  test("some time later leaves out what is over, and nothing else", () => {
    fc.assert(
      fc.property(withoutTests, instant, looks, (list, savedAtMs, asked) => {
        const pool = applyPoolEvents(emptyPool, list);
        const loadedAtMs = epochMs(Math.max(asked.nowMs, savedAtMs));
        const loaded = loadPool(savePool(pool, savedAtMs), loadedAtMs);
        expect(look(loaded, { ...asked, nowMs: loadedAtMs })).toEqual(look(pool, { ...asked, nowMs: loadedAtMs }));
        expect(loadPool(savePool(pool, at(100_000)), at(100_000)).origins).toEqual(emptyPool.origins);
      }),
    );
  });
});
