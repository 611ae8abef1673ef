import { describe, expect, test } from "bun:test";
import { durationMs } from "../../kernel/time.ts";
import type { Account } from "../account/account.ts";
import type { Home } from "../affinity/home-book.ts";
import type { PoolEvent } from "../pool/pool-event.ts";
import type { SelectionRule } from "./choice.ts";
import {
  account,
  at,
  benched,
  conversation,
  createScene,
  ended,
  HOUR,
  home,
  MINUTE,
  originDown,
  planUsed,
  requestsLeft,
  type Scene,
  said,
  throttled,
  told,
  usage,
  warned,
} from "./scene-for-tests.ts";

const a = account("a");
const b = account("b");
const c = account("c");
const talk = conversation("talk");
const oneHour = durationMs(HOUR * 1_000);

function sceneWith(accounts: readonly Account[], lives: Home): Scene {
  const scene = createScene(accounts);
  scene.books.homes.set(talk, lives);
  return scene;
}

describe("a conversation with a home", () => {
  const paused = { ...a, isPaused: true };

  test.each<{
    what: string;
    accounts?: readonly Account[];
    lives?: Home;
    events?: readonly PoolEvent[];
    seconds?: number;
    tried?: readonly Account[];
    waitedMs?: number;
    rule?: Partial<SelectionRule>;
    expected: string;
  }>([
    { what: "goes home", lives: home(b), expected: "home b" },
    { what: "goes home though others are used less", lives: home(b), events: [planUsed(b, 0.8)], expected: "home b" },
    { what: "goes home though the provider warns", lives: home(b), events: [warned(b)], expected: "home b" },
    { what: "waits 10 s for a prefix of 60,000 tokens", events: [benched(a, 10)], expected: "wait home_returns 10" },
    { what: "moves when the home rests for 3 h", events: [benched(a, 3 * HOUR)], expected: "home_moved b" },
    {
      what: "is away for one request when the cache outlives 10 min",
      lives: home(a, { cacheMs: oneHour }),
      events: [benched(a, 10 * MINUTE)],
      expected: "spill b",
    },
    {
      what: "moves when a cache of 5 min does not outlive 10 min",
      events: [benched(a, 10 * MINUTE)],
      expected: "home_moved b",
    },
    {
      what: "does not wait for a short prefix",
      lives: home(a, { prefixTokens: 2_000 }),
      events: [benched(a, 10)],
      expected: "spill b",
    },
    {
      what: "does not wait for a home that never answered",
      lives: home(a, { prefixTokens: 0 }),
      events: [benched(a, 10)],
      expected: "home_moved b",
    },
    { what: "waits 21 s no longer", events: [benched(a, 21)], expected: "spill b" },
    {
      what: "waits for 21 s when an hour is worth less",
      events: [benched(a, 21)],
      rule: { waitPriceUsdPerHour: 30 },
      expected: "wait home_returns 21",
    },
    {
      what: "never waits beyond the maximum",
      events: [benched(a, 10)],
      rule: { maxWaitMs: durationMs(9_000) },
      expected: "spill b",
    },
    { what: "counts what it has waited", events: [benched(a, 10)], waitedMs: 55_000, expected: "spill b" },
    {
      what: "waits for its home after the home's own refusal",
      events: [benched(a, 10)],
      tried: [a],
      expected: "wait home_returns 10",
    },
    { what: "is away for one request when the home failed it", tried: [a], expected: "spill b" },
    { what: "moves away from a paused home", accounts: [paused, b, c], expected: "home_moved b" },
    { what: "has no home when the account is gone", accounts: [b, c], expected: "new_home b" },
    {
      what: "keeps a home with a dead cache when that is its whole organization",
      lives: home(b),
      seconds: HOUR,
      expected: "home b",
    },
    {
      what: "leaves a home with a dead cache at once",
      events: [benched(a, HOUR + 5)],
      seconds: HOUR,
      expected: "home_moved b",
    },
    {
      what: "tests the limit of its own home rather than pay for a move",
      events: [throttled(a)],
      seconds: 3,
      expected: "probe a",
    },
    {
      what: "leaves the test to others when a move is free",
      lives: home(a, { prefixTokens: 0 }),
      events: [throttled(a)],
      seconds: 3,
      expected: "home_moved b",
    },
    {
      what: "waits when all rest and the home is the first",
      events: [benched(a, 30), benched(b, 40), benched(c, 50)],
      expected: "wait home_returns 30",
    },
    {
      what: "waits when all rest and another is the first",
      events: [benched(a, 50), benched(b, 40), benched(c, 45)],
      expected: "wait all_rest 40",
    },
    {
      what: "is refused when all rest for too long",
      events: [benched(a, HOUR), benched(b, 2 * HOUR), benched(c, 3 * HOUR)],
      expected: "none 3600",
    },
    {
      what: "prefers its own resting upstream when all rest",
      lives: home(c),
      events: [...originDown(a)],
      expected: "last_origin c",
    },
  ])(
    "$what",
    ({ accounts = [a, b, c], lives = home(a), events = [], seconds = 0, tried = [], waitedMs = 0, rule, expected }) => {
      const scene = sceneWith(accounts, lives);
      scene.learn(events);
      scene.seconds = seconds;
      const changes = { conversation: talk, tried: new Set(tried.map(({ id }) => id)), waitedMs: durationMs(waitedMs) };
      expect(told(scene.choose(changes, rule))).toBe(expected);
    },
  );
});

describe("leaves home", () => {
  const in1 = account("in1", { organization: "one" });
  const cache1 = account("cache1", { organization: "one", isPaused: false });
  const other1 = account("other1", { organization: "one", workspace: "w" });
  const other2 = account("other2", { organization: "two", priority: 1 });
  const cloud = account("cloud", { organization: "three", priority: 0, baseUrl: "https://elsewhere.example" });
  const paused = { ...in1, isPaused: true };
  const all = [cloud, other2, cache1, paused, other1];

  function where(accounts: readonly Account[], rule: Partial<SelectionRule> = {}): string {
    const scene = sceneWith(accounts, home(paused));
    return told(scene.choose({ conversation: talk }, rule));
  }

  test("for the same cache first, then the same organization, then another one, then another platform", () => {
    expect(where(all)).toBe("home_moved cache1");
    expect(where(all.filter((one) => one !== cache1))).toBe("home_moved other1");
    expect(where([cloud, other2, paused])).toBe("home_moved other2");
    expect(where([cloud, paused])).toBe("home_moved cloud");
  });

  test("never for another organization when that is forbidden", () => {
    expect(where([cloud, other2, paused], { crossOrganization: "never" })).toBe("none null");
    expect(where([cloud, other2, paused, other1], { crossOrganization: "never" })).toBe("home_moved other1");
  });

  test("and waits out even a dear rest when another organization is forbidden", () => {
    const scene = sceneWith([other2, in1], home(in1));
    scene.learn(benched(in1, 50));
    expect(told(scene.choose({ conversation: talk }, { crossOrganization: "never" }))).toBe("wait home_returns 50");
    scene.learn(benched(in1, HOUR));
    expect(told(scene.choose({ conversation: talk }, { crossOrganization: "never" }))).toBe("none 3600");
  });

  test("with a dead cache only inside its organization, by the strategy", () => {
    const scene = sceneWith([other2, cache1, other1], home(other1));
    scene.seconds = HOUR;
    scene.learn(planUsed(cache1, 0.3));
    const choice = scene.choose({ conversation: talk });
    expect(told(choice)).toBe("home_moved cache1");
    expect(choice).toMatchObject({
      move: { from: other1.id, kind: "same_organization", priceMicroUsd: 0, setsHome: true },
    });
    scene.start({ conversation: talk });
    expect(scene.books.homes.find(talk, at(HOUR))?.accountId).toBe(cache1.id);
  });

  test("with a dead cache not at all when the home is the best of its organization", () => {
    const scene = sceneWith([other2, cache1, other1], home(other1));
    scene.seconds = HOUR;
    scene.learn(benched({ ...cache1, organization: null }, 2 * HOUR));
    const others = new Set([cache1.id]);
    expect(told(scene.choose({ conversation: talk, tried: others }))).toBe("home other1");
  });

  describe("whose upstream has just failed it", () => {
    const sibling = account("sibling");
    const far = account("zz-far", { baseUrl: "https://other.example.com" });
    const down = originDown(a).slice(0, 1);
    const tried = new Set([a.id]);

    test("for another upstream before the next account behind the same one", () => {
      const scene = sceneWith([a, sibling, far], home(a));
      scene.learn(down);
      expect(told(scene.choose({ conversation: talk, tried }))).toBe("spill zz-far");
    });

    test("for its sibling when the failure is old, or nobody is elsewhere", () => {
      const scene = sceneWith([a, sibling, far], home(a));
      scene.learn(down);
      scene.seconds = 11;
      expect(told(scene.choose({ conversation: talk, tried }))).toBe("spill sibling");
      const alone = sceneWith([a, sibling], home(a));
      alone.learn(down);
      expect(told(alone.choose({ conversation: talk, tried }))).toBe("spill sibling");
    });
  });

  test("keeps its home when a subagent's short prompt was served, and does not take that for its own", () => {
    const scene = sceneWith([a, b], home(a));
    const { ticket } = scene.start({ conversation: talk, isSubagent: true });
    scene.selector.settle(ticket, ended("served", usage({ cacheWrite5mTokens: 3_000 })), at(1));
    expect(scene.books.homes.find(talk, at(1))?.prefixTokens).toBe(60_000);
  });

  describe("for a better tier that has room again", () => {
    const spare = account("spare", { priority: 200 });

    test.each<[what: string, lives: Home, seconds: number, expected: string]>([
      ["when nothing was ever cached there", home(spare, { prefixTokens: 0 }), 1, "home_moved a"],
      ["not while its cache lives", home(spare), 1, "home spare"],
      ["not to another organization when its cache is dead: its thinking is bound", home(spare), HOUR, "home spare"],
    ])("%s", (_what, lives, seconds, expected) => {
      const scene = sceneWith([a, spare], lives);
      scene.seconds = seconds;
      expect(told(scene.choose({ conversation: talk }))).toBe(expected);
    });

    test("inside its organization when its cache is dead", () => {
      const mine = account("mine", { organization: "org" });
      const ours = account("ours", { organization: "org", workspace: "w", priority: 200 });
      const scene = sceneWith([mine, ours], home(ours));
      scene.seconds = HOUR;
      expect(told(scene.choose({ conversation: talk }))).toBe("home_moved mine");
    });

    test("not against the rule that keeps conversations in their organization", () => {
      const scene = sceneWith([a, spare], home(spare, { prefixTokens: 0 }));
      expect(told(scene.choose({ conversation: talk }, { crossOrganization: "never" }))).toBe("home spare");
    });
  });

  test("for a test of somebody's limit when nobody else is left", () => {
    const scene = sceneWith([a, b], home(a));
    scene.learn(benched(a, 3 * HOUR), throttled(b));
    scene.seconds = 3;
    const choice = scene.choose({ conversation: talk });
    expect(told(choice)).toBe("probe b");
    expect(choice).toMatchObject({ move: { from: a.id, setsHome: true } });
  });

  test("for the least full of the others when nobody has room", () => {
    const scene = sceneWith([a, b, c], home(a));
    scene.learn(benched(a, 3 * HOUR), requestsLeft(b, 0), requestsLeft(c, 0));
    expect(told(scene.choose({ conversation: talk }))).toBe("wait all_full 0.6");
    expect(told(scene.choose({ conversation: talk }, { maxWaitMs: durationMs(0) }))).toBe("home_moved b");
  });

  test("and says what the move costs, and what was too dear", () => {
    const scene = sceneWith([a, b], home(a));
    scene.learn(benched(a, 3 * HOUR));
    expect(scene.choose({ conversation: talk })).toMatchObject({
      move: {
        from: a.id,
        kind: "other_organization",
        priceMicroUsd: 345_000,
        homeReturnsAtMs: at(3 * HOUR),
        setsHome: true,
      },
    });
    const near = sceneWith([a, b], home(a));
    near.learn(benched(a, 10));
    expect(near.choose({ conversation: talk })).toMatchObject({
      kind: "wait",
      move: { priceMicroUsd: 345_000, setsHome: false },
    });
  });
});

describe("a spill", () => {
  function spilled(): Scene {
    const scene = sceneWith([a, b, c], home(a, { cacheMs: oneHour }));
    scene.learn(benched(a, 10 * MINUTE), planUsed(b, 0.1), planUsed(c, 0.2));
    return scene;
  }

  test("returns home when the home is back, and never moves it", () => {
    const scene = spilled();
    const { name, ticket } = scene.start({ conversation: talk });
    expect(name).toBe("b");
    scene.selector.settle(ticket, ended("served", usage({ cacheWrite5mTokens: 60_000 })), at(5));
    expect(scene.books.homes.find(talk, at(5))).toEqual(home(a, { cacheMs: oneHour }));
    scene.seconds = 10 * MINUTE;
    expect(told(scene.choose({ conversation: talk }))).toBe("home a");
  });

  test("goes where the last one went, for nothing, though another is used less by now", () => {
    const scene = spilled();
    const { ticket } = scene.start({ conversation: talk });
    scene.selector.settle(ticket, ended("served", usage({ cacheWrite5mTokens: 60_000 })), at(5));
    scene.learn(planUsed(b, 0.5, { atSeconds: 20 }));
    scene.seconds = 30;
    const again = scene.choose({ conversation: talk });
    expect(told(again)).toBe("spill b");
    expect(again).toMatchObject({ move: { priceMicroUsd: 0, setsHome: false } });
    scene.seconds = 7 * MINUTE;
    expect(told(scene.choose({ conversation: talk }))).toBe("spill c");
  });
});

test("an account with the same cache is better than the host of the last spill", () => {
  const [in1, twin] = ["in1", "twin"].map((name) => account(name, { organization: "one" }));
  if (in1 === undefined || twin === undefined) throw new Error("Cannot test without accounts");
  const pausedTwin = { ...twin, isPaused: true };
  const scene = sceneWith([b, in1, pausedTwin], home(in1, { cacheMs: oneHour }));
  scene.learn({ ...benched(in1, 10 * MINUTE), type: "parked" } as PoolEvent);
  const { name, ticket } = scene.start({ conversation: talk });
  expect(name).toBe("b");
  scene.selector.settle(ticket, ended("served", usage({ cacheWrite5mTokens: 60_000 })), at(1));
  expect(told(scene.choose({ conversation: talk }))).toBe("spill b");
  scene.accounts = [b, in1, twin];
  expect(told(scene.choose({ conversation: talk }))).toBe("spill twin");
});

describe("full limits", () => {
  test("let a conversation wait for its home when moving costs more", () => {
    const scene = sceneWith([a, b], home(a));
    scene.learn(requestsLeft(a, 0));
    const choice = scene.choose({ conversation: talk });
    expect(choice).toMatchObject({ kind: "wait", why: "home_returns" });
  });

  test("are tried at home when everybody is full for too long", () => {
    const scene = sceneWith([a, b], home(b));
    scene.learn(requestsLeft(a, 0), requestsLeft(b, 0));
    expect(told(scene.choose({ conversation: talk }, { maxWaitMs: durationMs(0) }))).toBe("home b");
  });

  test("do not count what the home has in its cache", () => {
    const scene = sceneWith([a, b], home(a));
    const headers = { "input-tokens-limit": "100000", "input-tokens-remaining": "5000" };
    scene.learn(said(a, headers));
    const demand = { inputTokens: 61_000, outputTokens: 0 };
    expect(told(scene.choose({ conversation: talk, demand }))).toBe("home a");
    scene.books.homes.set(talk, home(a, { prefixTokens: 1_000 }));
    expect(told(scene.choose({ conversation: talk, demand }))).not.toBe("home a");
  });

  test("count all of it when the cache is dead", () => {
    const scene = sceneWith([a, b], home(a));
    scene.seconds = 10 * MINUTE;
    scene.learn(said(a, { "input-tokens-limit": "100000", "input-tokens-remaining": "5000" }, 10 * MINUTE));
    const choice = scene.choose({ conversation: talk, demand: { inputTokens: 61_000, outputTokens: 0 } });
    expect(told(choice)).toBe("home_moved b");
  });
});
