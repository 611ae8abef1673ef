import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type EpochMs, epochMs } from "../../kernel/time.ts";
import { type Account, accountId } from "../account/account.ts";
import { modelClassOf, NO_MODEL_CLASS } from "../account/model-class.ts";
import { noLimitFacts } from "../ratelimit/limit-facts.ts";
import { readLimitFacts } from "../ratelimit/limit-headers.ts";
import { type PoolEvent, resetAccount, subjectOf } from "./pool-event.ts";
import { applyPoolEvents, availability, emptyPool } from "./pool-state.ts";

const at = (seconds: number): EpochMs => epochMs(Date.parse("2026-11-23T20:00:00Z") + seconds * 1000);
const MODEL = "claude-opus-4-5";

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

describe("whatever the pool learned", () => {
  const accounts = [
    account("a", {}),
    account("b", { organization: "o" }),
    account("c", { organization: "o", baseUrl: "https://x.example" }),
  ];
  const models = [MODEL, "claude-haiku-4-5", null];
  const instant = fc.integer({ min: 0, max: 7200 }).map(at);
  const subject = fc
    .tuple(fc.constantFrom(...accounts), fc.constantFrom(...models))
    .map(([who, model]) => subjectOf(who, model, modelClassOf(model)));
  const limits = fc.constantFrom(
    noLimitFacts,
    readLimitFacts([["anthropic-ratelimit-unified-5h-utilization", "0.5"]], at(0)),
    readLimitFacts([["anthropic-ratelimit-unified-status", "allowed_warning"]], at(0)),
  );
  const event: fc.Arbitrary<PoolEvent> = fc.oneof(
    fc.record({
      type: fc.constantFrom("probe_started", "probe_lost", "forbidden", "origin_failed"),
      on: subject,
      atMs: instant,
    }),
    fc.record({ type: fc.constantFrom("served", "refused"), on: subject, limits, atMs: instant }),
    fc.record({
      type: fc.constant("benched"),
      on: subject,
      untilMs: instant,
      reason: fc.constant("plan_limit"),
      atMs: instant,
    }),
    fc.record({
      type: fc.constant("parked"),
      on: subject,
      untilMs: instant,
      reason: fc.constant("spend_limit"),
      atMs: instant,
    }),
    fc.record({
      type: fc.constant("throttled"),
      on: subject,
      random: fc.double({ min: 0, max: 1, noNaN: true }),
      atMs: instant,
    }),
    fc.record({
      type: fc.constant("credential_refused"),
      on: subject,
      reason: fc.constant("needs_reauth"),
      atMs: instant,
    }),
    fc.record({ type: fc.constant("model_missing"), on: subject, model: fc.string(), atMs: instant }),
    fc.constantFrom(...accounts).map(resetAccount),
  ) as fc.Arbitrary<PoolEvent>;
  const events = fc.array(event, { maxLength: 80 });

  test("applying them never throws, one by one is as good as all at once, and the same again gives the same", () => {
    fc.assert(
      fc.property(events, (list) => {
        const atOnce = applyPoolEvents(emptyPool, list);
        expect(list.reduce((pool, each) => applyPoolEvents(pool, [each]), emptyPool)).toEqual(atOnce);
        expect(applyPoolEvents(emptyPool, list)).toEqual(atOnce);
      }),
    );
  });

  test("every block ends when it says, or waits for an operator", () => {
    fc.assert(
      fc.property(
        events,
        instant,
        fc.constantFrom(...accounts),
        fc.constantFrom(...models),
        (list, nowMs, who, model) => {
          const pool = applyPoolEvents(emptyPool, list);
          const found = availability(pool, who, model, modelClassOf(model), nowMs);
          if (found.usable || found.untilMs === null) {
            return;
          }
          expect(found.untilMs).toBeGreaterThan(nowMs);
          const then = availability(pool, who, model, modelClassOf(model), found.untilMs);
          expect(then.usable || then.reason === "origin_circuit_open" || then.reason === "probing").toBe(true);
          expect(availability(pool, who, model, modelClassOf(model), at(100_000)).usable).toBe(true);
        },
      ),
    );
  });

  test("a 429 with a reset benches until exactly that instant", () => {
    fc.assert(
      fc.property(events, fc.integer({ min: 1, max: 86_400_000 }), (list, waitMs) => {
        const fresh = account("fresh", {});
        const untilMs = epochMs(at(7200) + waitMs);
        const pool = applyPoolEvents(emptyPool, [
          ...list,
          {
            type: "benched",
            on: subjectOf(fresh, null, NO_MODEL_CLASS),
            untilMs,
            reason: "rate_limited",
            atMs: at(7200),
          },
        ]);
        const groups = { ...pool, origins: emptyPool.origins };
        expect(availability(groups, fresh, null, NO_MODEL_CLASS, epochMs(untilMs - 1)).usable).toBe(false);
        expect(availability(groups, fresh, null, NO_MODEL_CLASS, untilMs).usable).toBe(true);
      }),
    );
  });
});
