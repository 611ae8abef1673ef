import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type EpochMs, epochMs } from "../../kernel/time.ts";
import { type Account, accountId } from "../account/account.ts";
import { modelClassOf } from "../account/model-class.ts";
import { readLimitFacts } from "../ratelimit/limit-headers.ts";
import { windowsOf } from "./limit-windows.ts";
import { type PoolEvent, subjectOf } from "./pool-event.ts";
import { loadPool, savePool } from "./pool-snapshot.ts";
import { accountCondition, applyPoolEvents, availability, emptyPool, type PoolState } from "./pool-state.ts";

const T0 = Date.parse("2026-11-23T20:00:00Z");
const at = (seconds: number): EpochMs => epochMs(T0 + seconds * 1000);
const MODEL = "claude-opus-4-5";
const opus = modelClassOf(MODEL);
const haiku = modelClassOf("claude-haiku-4-5");

const a: Account = {
  id: accountId("a"),
  name: "a",
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
};
const on = subjectOf(a, MODEL, opus);
const atMs = at(0);

function restarted(pool: PoolState, seconds: number): PoolState {
  return loadPool(savePool(pool, at(seconds)), at(seconds));
}

const RESTS: readonly { why: string; events: readonly PoolEvent[]; modelClass?: typeof opus; endsAt: number | null }[] =
  [
    {
      why: "a bench of a class",
      events: [
        {
          type: "benched",
          on,
          untilMs: at(60),
          reason: "rate_limited",
          cause: "status 429, retry-after",
          scope: "class",
          atMs,
        },
      ],
      endsAt: 60,
    },
    {
      why: "a bench of the plan",
      events: [{ type: "benched", on, untilMs: at(90), reason: "plan_limit", cause: "x", scope: "group", atMs }],
      modelClass: haiku,
      endsAt: 90,
    },
    { why: "a back-off", events: [{ type: "throttled", on, random: 0.5, cause: "x", atMs }], endsAt: 2 },
    {
      why: "a parked account",
      events: [{ type: "parked", on, untilMs: at(99), reason: "spend_limit", cause: "status 402", atMs }],
      endsAt: 99,
    },
    {
      why: "a dead credential",
      events: [{ type: "credential_refused", on, reason: "credential_dead", cause: "status 401", atMs }],
      endsAt: null,
    },
    { why: "a forbidden class", events: [{ type: "forbidden", on, cause: "status 403", atMs }], endsAt: 600 },
    {
      why: "a missing model",
      events: [{ type: "model_missing", on, model: MODEL, cause: "status 404", atMs }],
      endsAt: 3600,
    },
    {
      why: "an open circuit",
      events: Array.from({ length: 5 }, () => ({ type: "origin_failed", on, cause: "status 529", atMs }) as const),
      endsAt: 30,
    },
  ];

describe("survives a restart, neither shortened nor lengthened:", () => {
  test.each([...RESTS])("$why", ({ events, modelClass = opus, endsAt }) => {
    const pool = applyPoolEvents(emptyPool, events);
    const seconds = endsAt === null ? 1_000_000 : endsAt - 1;
    const look = (state: PoolState, nowMs: EpochMs) => availability(state, a, MODEL, modelClass, nowMs);
    const after = restarted(pool, seconds);
    expect(look(after, at(seconds))).toEqual(look(pool, at(seconds)));
    expect(look(after, at(seconds)).usable).toBe(false);
    expect(look(after, at(endsAt ?? seconds)).usable).toBe(endsAt !== null);
    expect(accountCondition(after, a, at(seconds))).toEqual(accountCondition(pool, a, at(seconds)));
  });

  test("the windows that still run, so that nobody starts blind", () => {
    const headers = [
      ["anthropic-ratelimit-unified-5h-utilization", "0.8"],
      ["anthropic-ratelimit-unified-5h-reset", String(at(3600) / 1000)],
      ["anthropic-ratelimit-requests-limit", "50"],
      ["anthropic-ratelimit-requests-reset", "2026-11-23T20:00:30Z"],
    ] as const;
    const pool = applyPoolEvents(emptyPool, [{ type: "served", on, limits: readLimitFacts(headers, atMs), atMs }]);
    expect(windowsOf(restarted(pool, 10), a)).toEqual(windowsOf(pool, a));
    expect(windowsOf(restarted(pool, 60), a).map(({ name }) => name)).toEqual(["5h"]);
    expect(savePool(pool, at(3600))).toBe(savePool(emptyPool, at(3600)));
  });
});

test("a test that was under way ends with the process: the next request may make it", () => {
  const pool = applyPoolEvents(emptyPool, [
    { type: "throttled", on, random: 0.5, cause: "x", atMs },
    { type: "probe_started", on, atMs: at(2) },
  ]);
  expect(availability(pool, a, MODEL, opus, at(3))).toMatchObject({ reason: "probing" });
  expect(availability(restarted(pool, 3), a, MODEL, opus, at(3))).toEqual({ usable: true, rank: "probe" });
});

describe("what cannot be read is not there", () => {
  test.each([
    "",
    "null",
    "[]",
    "{}",
    "nonsense",
    '{"version":2,"groups":[]}',
    '{"version":1}',
    '{"version":1,"groups":7}',
  ])("%p gives a pool that knows nothing", (text) => {
    expect(loadPool(text, at(0))).toEqual(emptyPool);
  });

  test("entries of the wrong shape are left out, the others stay", () => {
    const good = applyPoolEvents(emptyPool, RESTS[3]?.events ?? []);
    const { holds, ...rest } = JSON.parse(savePool(good, at(0)));
    const bad = [
      ["b", 7],
      ["c", { parked: { untilMs: "soon", reason: "spend_limit", cause: "x" } }],
      [8, {}],
      "x",
      null,
    ];
    const broken = [
      "d",
      { parked: { untilMs: at(9), reason: "bribed", cause: "x" }, credential: { reason: "x", cause: "y" } },
    ];
    const groups = [
      {},
      { limitGroup: "g" },
      { limitGroup: "h", plan: { bench: 1 }, classes: [["opus", { probe: {} }]] },
    ];
    const text = JSON.stringify({
      ...rest,
      groups,
      origins: [["o", { failures: -1 }]],
      holds: [...bad, broken, ...holds],
    });
    expect(loadPool(text, at(0))).toEqual(good);
  });

  test("a file that somebody filled is read up to its bounds", () => {
    const one = { untilMs: at(9), cause: "c".repeat(500) };
    const forbidden = Array.from({ length: 90 }, (_, index) => ({ ...one, modelClass: `m${index}` }));
    const missing = [
      ...forbidden.map(({ modelClass, ...entry }) => ({ ...entry, model: modelClass })),
      { ...one, model: "m".repeat(300) },
    ];
    const classes = forbidden.map(({ modelClass }) => [modelClass, { bench: { ...one, reason: "plan_limit" } }]);
    const text = JSON.stringify({
      version: 1,
      groups: [{ limitGroup: "g", plan: null, classes }],
      holds: [["a", { forbidden, missing }]],
      origins: [],
    });
    const pool = loadPool(text, at(0));
    const holds = pool.holds.shards.flatMap((shard) => [...shard.values()]);
    expect(holds).toHaveLength(1);
    expect(holds[0]?.forbidden).toHaveLength(16);
    expect(holds[0]?.missing).toHaveLength(32);
    expect(holds[0]?.missing[0]?.cause).toHaveLength(80);
    expect(pool.groups.shards.flatMap((shard) => [...shard.values()])[0]?.classes.size).toBe(16);
  });

  test("it never throws, whatever the text", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), fc.json(), (text, inner) => {
        loadPool(text, at(0));
        const pool = loadPool(
          `{"version":1,"groups":[${inner}],"holds":[["a",${inner}]],"origins":[["o",${inner}]]}`,
          at(0),
        );
        availability(pool, a, MODEL, opus, at(0));
      }),
    );
  });
});
