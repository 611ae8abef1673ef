import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { durationMs } from "../../kernel/time.ts";
import type { Account, AccountId } from "../account/account.ts";
import type { PoolEvent } from "../pool/pool-event.ts";
import { availability } from "../pool/pool-state.ts";
import {
  account,
  at,
  benched,
  conversation,
  createScene,
  ended,
  HOUR,
  MODEL,
  opus,
  originDown,
  planUsed,
  requestsLeft,
  type Scene,
  throttled,
} from "./scene-for-tests.ts";
import { STRATEGIES, type StrategyName } from "./strategy-name.ts";

/** Whom the strategy names one after the other, when the winner fails each time. */
function orderOf(scene: Scene, strategy: StrategyName): readonly string[] {
  const tried = new Set<AccountId>();
  const names: string[] = [];
  for (;;) {
    const choice = scene.choose({ tried: new Set(tried) }, { strategy });
    if (choice.kind !== "use" || tried.has(choice.account.id)) {
      return names;
    }
    tried.add(choice.account.id);
    names.push(choice.account.name);
  }
}

/** Who serves so many requests that are answered at once. */
function servedBy(scene: Scene, strategy: StrategyName, requests: number): readonly string[] {
  return Array.from({ length: requests }, (_, index) => {
    const { name, ticket } = scene.start({}, { strategy });
    scene.selector.settle(ticket, ended("served"), at(index));
    return name;
  });
}

describe("each strategy has its order", () => {
  const a = account("a", { weight: 1 });
  const b = account("b", { weight: 3 });
  const c = account("c");
  const events = [
    planUsed(a, 0.5, { resetSeconds: 3 * HOUR }),
    planUsed(b, 0.1, { resetSeconds: 2 * HOUR }),
    planUsed(c, 0.3, { resetSeconds: HOUR }),
  ];

  test.each<{ strategy: StrategyName; expected: string }>([
    { strategy: "session", expected: "cba" },
    { strategy: "least-used", expected: "bca" },
    { strategy: "weighted", expected: "bca" },
    { strategy: "drain-soonest", expected: "cba" },
    { strategy: "round-robin", expected: "bca" },
    { strategy: "priority", expected: "abc" },
  ])("$strategy", ({ strategy, expected }) => {
    const scene = createScene([a, b, c]);
    scene.learn(events);
    expect(orderOf(scene, strategy).join("")).toBe(expected);
  });

  test("drain-soonest puts a used up window and an unknown one last", () => {
    const scene = createScene([a, b, c]);
    scene.learn(planUsed(b, 1, { resetSeconds: HOUR }), planUsed(c, 0.6, { resetSeconds: 4 * HOUR }));
    expect(orderOf(scene, "drain-soonest")).toEqual(["c", "a", "b"]);
  });

  test("weighted gives three times the weight three times the requests", () => {
    const served = servedBy(createScene([a, b]), "weighted", 400);
    expect(served.filter((name) => name === "b").length).toBeCloseTo(300, -1);
  });

  test("round-robin takes turns, from the one that waited longest", () => {
    expect(servedBy(createScene([a, b, c]), "round-robin", 7).join("")).toBe("abcabca");
  });

  test("requests under way decide when the shares are equal", () => {
    const scene = createScene([a, b]);
    scene.learn(planUsed(a, 1), planUsed(b, 1));
    const [first, second] = [scene.start(), scene.start()];
    expect(first.name + second.name).toBe("ab");
    scene.selector.settle(first.ticket, ended("served"), at(0));
    expect(scene.start().name).toBe("a");
  });

  test("requests under way put a new conversation elsewhere before any answer comes", () => {
    const scene = createScene([a, b, c]);
    const started = ["one", "two", "three"].map((name) => scene.start({ conversation: conversation(name) }).name);
    expect(started.toSorted()).toEqual(["a", "b", "c"]);
  });
});

describe.each([...STRATEGIES])("the strategy %s", (strategy) => {
  const roster = Array.from({ length: 12 }, (_, index) =>
    account(`r${String(index).padStart(2, "0")}`, {
      priority: index < 6 ? 1 : 2,
      weight: 1 + (index % 4),
      organization: index % 5 === 0 ? "shared" : null,
      workspace: index % 2 === 0 ? null : "w",
      baseUrl: `https://${index % 3 === 0 ? "x" : "y"}.example`,
    }),
  );
  const who = fc.constantFrom(...roster);
  const second = fc.integer({ min: 0, max: 90 });
  const ratio = fc.double({ min: 0, max: 1, noNaN: true });
  const event: fc.Arbitrary<PoolEvent | readonly PoolEvent[]> = fc.oneof(
    fc.tuple(who, second).map(([one, seconds]) => benched(one, seconds)),
    fc.tuple(who, second).map(([one, seconds]) => throttled(one, seconds)),
    fc.tuple(who, ratio, second).map(([one, used, seconds]) => planUsed(one, used, { resetSeconds: 100 + seconds })),
    fc.tuple(who, fc.integer({ min: 0, max: 100 })).map(([one, left]) => requestsLeft(one, left)),
    fc.tuple(who, second).map(([one, seconds]) => originDown(one, seconds)),
  );
  const plot = fc.record({
    events: fc.array(event, { maxLength: 30 }),
    paused: fc.subarray(roster),
    starts: fc.integer({ min: 0, max: 40 }),
    seconds: second,
  });
  type Plot = typeof plot extends fc.Arbitrary<infer Value> ? Value : never;

  function play({ events, paused, starts, seconds }: Plot, extra: readonly Account[] = []): Scene {
    const accounts = roster.map((one) => (paused.includes(one) ? { ...one, isPaused: true } : one));
    const scene = createScene([...accounts, ...extra]);
    scene.learn(...events);
    scene.seconds = seconds;
    for (let index = 0; index < starts; index += 1) {
      const choice = scene.choose({ conversation: conversation(`${index % 7}`) }, { strategy });
      if (choice.kind === "use") {
        scene.selector.start(scene.question({ conversation: conversation(`${index % 7}`) }), choice);
      }
    }
    return scene;
  }

  function isUsable(scene: Scene, one: Account): boolean {
    return availability(scene.pool, one, MODEL, opus, at(scene.seconds)).usable;
  }

  test("names every usable account once, and no other while one is usable", () => {
    fc.assert(
      fc.property(plot, (parts) => {
        const scene = play(parts);
        const usable = scene.accounts.filter((one) => isUsable(scene, one)).map(({ name }) => name);
        // Nobody waits here: full accounts are asked, too.
        const tried = new Set<AccountId>();
        const names: string[] = [];
        for (let turn = 0; turn <= roster.length; turn += 1) {
          const choice = scene.choose({ tried: new Set(tried) }, { strategy, maxWaitMs: durationMs(0) });
          if (choice.kind !== "use") break;
          tried.add(choice.account.id);
          names.push(choice.account.name);
        }
        if (usable.length > 0) {
          expect(names.toSorted()).toEqual(usable.toSorted());
        } else {
          expect(new Set(names).size).toBe(names.length);
        }
      }),
    );
  });

  test("chooses the same again: two runs are equal", () => {
    fc.assert(
      fc.property(plot, (parts) => {
        const scene = play(parts);
        expect(orderOf(play(parts), strategy)).toEqual(orderOf(scene, strategy));
      }),
      { seed: 7 },
    );
  });

  test("keeps its order whatever unusable accounts are beside", () => {
    const ghosts = ["0ghost", "zghost"].map((name) => account(name, { isPaused: true, priority: 3 }));
    fc.assert(
      fc.property(plot, (parts) => {
        expect(orderOf(play(parts, ghosts), strategy)).toEqual(orderOf(play(parts), strategy));
      }),
    );
  });

  test("leaves a tier only when nobody in it has room", () => {
    fc.assert(
      fc.property(plot, (parts) => {
        const scene = play(parts);
        const choice = scene.choose({}, { strategy });
        if (choice.kind !== "use" || choice.why === "probe" || choice.why === "last_origin") return;
        const reasons = new Map(scene.selector.explain(scene.question()).map((skip) => [skip.accountId, skip.reason]));
        const better = scene.accounts.filter((one) => one.priority < choice.account.priority);
        const blocked = better.filter((one) => !["near_limit", "slow", undefined].includes(reasons.get(one.id)));
        expect(blocked.length).toBe(reasons.get(choice.account.id) === "no_room" ? blocked.length : better.length);
      }),
    );
  });
});
