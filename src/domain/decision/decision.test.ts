import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type DurationMs, durationMs, type EpochMs, epochMs } from "../../kernel/time.ts";
import { accountId } from "../account/account.ts";
import { REASONS, type ReasonCode } from "../failover/reason.ts";
import type { Move } from "../selection/choice.ts";
import type { Skip } from "../selection/plan.ts";
import { STRATEGIES } from "../selection/strategy-name.ts";
import { type Decision, type DecisionStep, encodeDecision } from "./decision.ts";
import { MAX_WORD_CHARACTERS } from "./decision-code.ts";
import { decodeDecision } from "./decode-decision.ts";
import { explainDecision } from "./explain-decision.ts";

const NOW = Date.parse("2026-11-23T20:00:00Z");
const at = (seconds: number): EpochMs => epochMs(NOW + seconds * 1_000);

const word = fc.string({ maxLength: 80 });
const id = fc.uuid().map(accountId);
const instant = fc.integer({ min: -1_000_000_000, max: 1_000_000_000 }).map((ms) => epochMs(NOW + ms));
const reason = fc.constantFrom(...(Object.keys(REASONS) as ReasonCode[]));
const orNull = <Value>(some: fc.Arbitrary<Value>) => fc.option(some, { nil: null });
const move: fc.Arbitrary<Move> = fc.record({
  from: id,
  kind: fc.constantFrom("same_cache", "same_organization", "other_organization", "other_platform"),
  priceMicroUsd: fc.nat(),
  homeReturnsAtMs: orNull(instant),
  setsHome: fc.boolean(),
});
const skip: fc.Arbitrary<Skip> = fc.record({ accountId: id, reason, untilMs: orNull(instant), cause: orNull(word) });

function step(maxSkips: number): fc.Arbitrary<DecisionStep> {
  const skips = fc.array(skip, { maxLength: maxSkips });
  return fc.oneof(
    fc.record({
      kind: fc.constant("tried"),
      accountId: id,
      why: fc.constantFrom("home", "new_home", "home_moved", "spill", "strategy", "probe", "last_origin", "retry"),
      move: orNull(move),
      skips,
      skipCount: fc.nat({ max: 1_000 }),
      reason,
      status: orNull(fc.integer({ min: 100, max: 599 })),
      cause: orNull(word),
    }),
    fc.record({
      kind: fc.constant("waited"),
      why: word,
      untilMs: instant,
      ms: fc.nat().map((ms): DurationMs => durationMs(ms)),
      move: orNull(move),
    }),
    fc.record({
      kind: fc.constant("refused"),
      code: word,
      skips,
      skipCount: fc.nat({ max: 1_000 }),
      untilMs: orNull(instant),
    }),
  ) as fc.Arbitrary<DecisionStep>;
}

function decision(size: { steps: number; skips: number }): fc.Arbitrary<Decision> {
  return fc.record({
    strategy: fc.constantFrom(...STRATEGIES),
    conversation: orNull(fc.constantFrom("session_id", "user_id", "prefix")),
    steps: fc.array(step(size.skips), { maxLength: size.steps }),
  });
}

describe("a decision", () => {
  test("is read back as it was written when it is small", () => {
    fc.assert(
      fc.property(decision({ steps: 2, skips: 3 }), (one) => {
        expect(decodeDecision(encodeDecision(one))).toEqual(one);
      }),
    );
  });

  test("has at most 2,000 characters and can always be read back, in the order of its steps", () => {
    fc.assert(
      fc.property(decision({ steps: 30, skips: 20 }), (one) => {
        const text = encodeDecision(one);
        const read = decodeDecision(text);
        expect(text.length).toBeLessThanOrEqual(2_000);
        expect(read?.steps.at(-1)?.kind).toBe(one.steps.at(-1)?.kind);
        expect((read?.steps.length ?? 0) + (read?.droppedSteps ?? 0)).toBe(one.steps.length);
        // What is stored once more keeps its counts.
        expect(read === null ? "" : encodeDecision(read)).toBe(text);
      }),
    );
  });

  test("keeps 8 skips of a step and 12 steps, and the count of all", () => {
    const skips = Array.from({ length: 20 }, (_, index): Skip => {
      return {
        accountId: accountId(`a${index}`),
        reason: "rate_limited",
        untilMs: at(60),
        cause: "status 429, retry-after",
      };
    });
    const refused: DecisionStep = { kind: "refused", code: "GW_ALL_LIMITED", skips, skipCount: 20, untilMs: at(60) };
    const read = decodeDecision(encodeDecision({ strategy: "session", conversation: null, steps: [refused] }));
    expect(read?.steps).toEqual([{ ...refused, skips: skips.slice(0, 8) }]);
    const waits = Array.from({ length: 20 }, (_, index): DecisionStep => {
      return { kind: "waited", why: "all_rest", untilMs: at(index), ms: durationMs(1), move: null };
    });
    const long = decodeDecision(encodeDecision({ strategy: "session", conversation: null, steps: waits }));
    expect(long?.steps).toEqual([...waits.slice(0, 11), ...waits.slice(-1)]);
    expect(long?.droppedSteps).toBe(8);
    expect(long === null ? null : decodeDecision(encodeDecision(long))).toEqual(long);
  });

  test("stays bounded and readable whatever the words are", () => {
    for (const nasty of ["\u0000", '"', "\\", "\ud83d", "\u{1f600}"]) {
      const text = nasty.repeat(200);
      const tried: DecisionStep = {
        kind: "tried",
        accountId: accountId(text),
        why: "home",
        move: {
          from: accountId(`1${text}`),
          kind: "same_cache",
          priceMicroUsd: 1,
          homeReturnsAtMs: null,
          setsHome: true,
        },
        skips: [],
        skipCount: 0,
        reason: "served",
        status: 200,
        cause: `2${text}`,
      };
      const encoded = encodeDecision({ strategy: "session", conversation: null, steps: Array(12).fill(tried) });
      expect(encoded.length).toBeLessThanOrEqual(2_000);
      expect(decodeDecision(encoded)?.steps.at(-1)?.kind).toBe("tried");
    }
  });

  test("takes little room when nothing happened", () => {
    const steps: DecisionStep[] = [
      {
        kind: "tried",
        accountId: accountId("0198c0de-0000-7000-8000-000000000001"),
        why: "home",
        move: null,
        skips: [],
        skipCount: 0,
        reason: "served",
        status: 200,
        cause: null,
      },
    ];
    expect(encodeDecision({ strategy: "session", conversation: "session_id", steps }).length).toBeLessThan(160);
  });
});

describe("a text that is no decision", () => {
  const good = encodeDecision({
    strategy: "session",
    conversation: null,
    steps: [{ kind: "waited", why: "all_rest", untilMs: at(1), ms: durationMs(1), move: null }],
  });

  test.each([
    "",
    "null",
    "[]",
    "{}",
    "7",
    good.replace('"v":1', '"v":2'),
    good.replace("session", "sessions"),
    good.replace('"w":["all_rest"]', '"w":[]'),
    good.replace('"w":["all_rest"]', '"w":[7]'),
    good.replace('"c":null', '"c":"cookie"'),
    good.replace("[1,0,0,1,null]", "[9,0,0,1,null]"),
    good.replace("[1,0,0,1,null]", "[1,0,0,-1,null]"),
    good.replace("[1,0,0,1,null]", '[1,0,"0",1,null]'),
    good.replace("[1,0,0,1,null]", "[1,0,1e300,1,null]"),
    `${good}${" ".repeat(2_000)}`,
  ])("%p is null", (text) => {
    expect(text).not.toBe(good);
    expect(decodeDecision(text)).toBeNull();
  });

  test("is null whatever it is, or can be told", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.json(), fc.tuple(fc.nat({ max: 200 }), fc.string({ maxLength: 3 }))),
        (text) => {
          const broken =
            typeof text === "string" ? text : `${good.slice(0, text[0])}${text[1]}${good.slice(text[0] + 1)}`;
          const read = decodeDecision(broken);
          if (read !== null) explainDecision(read, String);
        },
      ),
    );
  });
});

describe("the record of one plain attempt", () => {
  const id = "0199b7a2-6c3e-7e10-9d1f-2f4b8c6d5e4f";
  const plain = (account: string): Decision => ({
    strategy: "session",
    conversation: "session_id",
    steps: [
      {
        kind: "tried",
        accountId: accountId(account),
        why: "home",
        move: null,
        skips: [],
        skipCount: 0,
        reason: "served",
        status: 200,
        cause: null,
      },
    ],
  });

  test("is written as every other", () => {
    const words = `"w":["${id}","home","served"]`;
    const expected = `{"v":1,"s":"session","c":"session_id","b":0,${words},"t":[[0,0,1,2,200,null,null,[],0]]}`;
    expect(encodeDecision(plain(id))).toBe(expected);
    expect(JSON.stringify(JSON.parse(expected))).toBe(expected);
  });

  test.each([id, "home", "served", 'a"-b', "a\\-b", "A-b", "", "a-\u{1f600}", `${"a".repeat(16)}-${"b".repeat(90)}`])(
    "comes back whatever the id is: %j",
    (name) => {
      const kept = name.slice(0, MAX_WORD_CHARACTERS);
      expect(decodeDecision(encodeDecision(plain(name)))).toEqual(plain(kept));
    },
  );
});
