import { describe, expect, test } from "bun:test";
import { durationMs } from "../../kernel/time.ts";
import type { Account } from "../account/account.ts";
import type { PoolEvent } from "../pool/pool-event.ts";
import { resetAccount, subjectOf } from "../pool/pool-event.ts";
import type { Question, SelectionRule } from "./choice.ts";
import {
  account,
  at,
  benched,
  conversation,
  createScene,
  ended,
  HOUR,
  home,
  MODEL,
  opus,
  originDown,
  planUsed,
  requestsLeft,
  said,
  throttled,
  told,
  usage,
  warned,
} from "./scene-for-tests.ts";

const a = account("a");
const b = account("b");
const c = account("c");
const elsewhere = account("elsewhere", { baseUrl: "https://elsewhere.example" });
const backup = account("backup", { priority: 200 });
const talk = conversation("talk");
const noWait = { maxWaitMs: durationMs(0) };

describe("a request without a home", () => {
  test.each<{
    what: string;
    accounts?: readonly Account[];
    events?: readonly (PoolEvent | readonly PoolEvent[])[];
    seconds?: number;
    changes?: Partial<Question>;
    rule?: Partial<SelectionRule>;
    expected: string;
  }>([
    { what: "goes by the strategy", expected: "strategy a" },
    { what: "gets a home when it belongs to a conversation", changes: { conversation: talk }, expected: "new_home a" },
    {
      what: "goes where the least is used",
      events: [planUsed(a, 0.4), planUsed(b, 0.2), planUsed(c, 0.3)],
      expected: "strategy b",
    },
    {
      what: "prefers an account without a warning",
      events: [warned(a), planUsed(b, 0.4)],
      accounts: [a, b],
      expected: "strategy b",
    },
    {
      what: "uses a warned one before it leaves the tier",
      events: [warned(a)],
      accounts: [a, backup],
      expected: "strategy a",
    },
    {
      what: "leaves the tier when all of it rests",
      events: [benched(a, 60)],
      accounts: [a, backup],
      expected: "strategy backup",
    },
    {
      what: "leaves the tier when all of it is full",
      events: [requestsLeft(a, 0)],
      accounts: [a, backup],
      expected: "strategy backup",
    },
    {
      what: "comes back to the tier the instant it can",
      events: [benched(a, 60)],
      seconds: 60,
      accounts: [a, backup],
      expected: "strategy a",
    },
    {
      what: "tests no limit while another tier is there",
      events: [throttled(a)],
      seconds: 3,
      accounts: [a, backup],
      expected: "strategy backup",
    },
    {
      what: "tests a limit when nothing else is left",
      events: [throttled(a), benched(b, 60)],
      seconds: 3,
      accounts: [a, b],
      expected: "probe a",
    },
    {
      what: "tests a limit before it asks a full account",
      events: [throttled(a), requestsLeft(b, 0, 3)],
      seconds: 3,
      accounts: [a, b],
      expected: "probe a",
    },
    {
      what: "trusts a limit again that nobody tested for a minute",
      events: [throttled(a)],
      seconds: 70,
      accounts: [a, backup],
      expected: "strategy a",
    },
    {
      what: "waits until there is room",
      events: [requestsLeft(a, 0), requestsLeft(b, 0)],
      accounts: [a, b],
      expected: "wait all_full 0.6",
    },
    {
      what: "takes the least full when it may not wait",
      events: [requestsLeft(b, 0), requestsLeft(a, 0)],
      accounts: [a, b],
      rule: noWait,
      expected: "strategy a",
    },
    {
      what: "waits for the first that comes back",
      events: [benched(a, 20), benched(b, 10)],
      accounts: [a, b],
      expected: "wait all_rest 10",
    },
    {
      what: "counts what it has waited already",
      events: [benched(a, 20)],
      accounts: [a],
      changes: { waitedMs: durationMs(40_001) },
      expected: "none 20",
    },
    {
      what: "waits for one that it tried and that rests",
      events: [benched(a, 20)],
      accounts: [a],
      changes: { tried: new Set([a.id]) },
      expected: "wait all_rest 20",
    },
    {
      what: "has nobody when all were tried",
      accounts: [a],
      changes: { tried: new Set([a.id]) },
      expected: "none null",
    },
    { what: "has nobody in an empty pool", accounts: [], expected: "none null" },
    { what: "has nobody who comes back by himself", accounts: [{ ...a, isPaused: true }], expected: "none null" },
    {
      what: "avoids a resting upstream",
      events: [originDown(a)],
      accounts: [a, elsewhere],
      expected: "strategy elsewhere",
    },
    {
      what: "does not let the last upstream rest",
      events: [originDown(a), benched(elsewhere, 60)],
      accounts: [a, elsewhere],
      expected: "last_origin a",
    },
    {
      what: "lets an upstream rest while another lives, even tried",
      events: [originDown(a)],
      accounts: [a, elsewhere],
      changes: { tried: new Set([elsewhere.id]) },
      expected: "wait all_rest 30",
    },
  ])("$what", ({ accounts = [a, b, c], events = [], seconds = 0, changes, rule, expected }) => {
    const scene = createScene(accounts);
    scene.learn(...events);
    scene.seconds = seconds;
    expect(told(scene.choose(changes, rule))).toBe(expected);
  });

  test("is told to the pool when it is a probe", () => {
    const scene = createScene([a]);
    scene.learn(throttled(a));
    scene.seconds = 3;
    expect(scene.choose()).toMatchObject({
      onStart: [{ type: "probe_started", on: subjectOf(a, MODEL, opus), atMs: at(3) }],
    });
    expect(createScene([a]).choose()).toMatchObject({ onStart: [] });
  });

  test("goes to a slow account only when the tier has no other", () => {
    const scene = createScene([a, b, backup]);
    for (let index = 0; index < 5; index += 1) {
      scene.books.latency.note({ accountId: a.id, modelClass: opus }, durationMs(30_000), at(0));
      scene.books.latency.note({ accountId: b.id, modelClass: opus }, durationMs(1_000), at(0));
    }
    expect(told(scene.choose())).toBe("strategy b");
    scene.learn(benched(b, 60));
    expect(told(scene.choose())).toBe("strategy a");
  });
});

describe("a new conversation", () => {
  test("has its home at once, so that parallel first requests meet", () => {
    const scene = createScene([a, b, c]);
    const first = scene.start({ conversation: talk });
    expect(told(scene.choose({ conversation: talk }))).toBe(`home ${first.name}`);
    expect(scene.start({ conversation: conversation("other") }).name).not.toBe(first.name);
  });

  test("takes turns among accounts of which no limit is known", () => {
    const scene = createScene([a, b, c]);
    const homes = ["1", "2", "3", "4"].map((name) => {
      const { name: server, ticket } = scene.start({ conversation: conversation(name) });
      scene.selector.settle(ticket, ended("served"), at(1));
      return server;
    });
    expect(homes).toEqual(["a", "b", "c", "a"]);
  });

  test("learns from the answer what its home has in the cache", () => {
    const scene = createScene([a]);
    const { ticket } = scene.start({ conversation: talk });
    scene.selector.settle(
      ticket,
      ended("served", usage({ cacheWrite1hTokens: 50_000, cacheReadTokens: 10_000 })),
      at(9),
    );
    expect(scene.books.homes.find(talk, at(9))).toEqual(home(a, { cacheMs: durationMs(HOUR * 1_000) }));
  });

  test("is remembered by the other strategies too, so that `session` can be switched on", () => {
    const scene = createScene([a, b]);
    scene.learn(planUsed(a, 0.5));
    const { name, ticket } = scene.start({ conversation: talk }, { strategy: "priority" });
    scene.selector.settle(ticket, ended("served", usage({ cacheWrite5mTokens: 9_000 })), at(1));
    expect(name).toBe("a");
    expect(told(scene.choose({ conversation: talk }))).toBe("home a");
    scene.seconds = 2;
    scene.learn(benched(a, 60));
    scene.start({ conversation: talk }, { strategy: "priority" });
    scene.seconds = 61;
    expect(told(scene.choose({ conversation: talk }))).toBe("home b");
  });
});

describe("a moved home", () => {
  test("comes back when the new one refuses, unless somebody was served there", () => {
    const scene = createScene([a, b, c]);
    scene.books.homes.set(talk, home(a));
    scene.learn(benched(a, 3 * HOUR));
    const refused = scene.start({ conversation: talk });
    expect(scene.books.homes.find(talk, at(0))?.accountId).toBe(b.id);
    scene.selector.settle(refused.ticket, ended("limited"), at(1));
    expect(scene.books.homes.find(talk, at(1))).toEqual(home(a));
    const first = scene.start({ conversation: talk });
    const second = scene.start({ conversation: talk });
    scene.selector.settle(second.ticket, ended("served", usage({ cacheWrite5mTokens: 60_000 })), at(2));
    scene.selector.settle(first.ticket, ended("failed"), at(3));
    // c, since b had its turn.
    expect(scene.books.homes.find(talk, at(3))).toEqual(home(c));
  });
});

describe("that nobody can serve", () => {
  test("is forgotten as soon as the pool learns something", () => {
    const scene = createScene([a]);
    scene.learn(benched(a, 60));
    expect(told(scene.choose())).toBe("wait all_rest 60");
    scene.learn(resetAccount(a));
    expect(told(scene.choose())).toBe("strategy a");
  });

  test("holds for nobody else when it was so because of what one request had tried", () => {
    const scene = createScene([a]);
    scene.learn(originDown(a));
    expect(told(scene.choose({ tried: new Set([a.id]) }))).toBe("wait all_rest 30");
    expect(told(scene.choose())).toBe("last_origin a");
  });
});

describe("a ticket", () => {
  test("reserves what its home does not have in the cache", () => {
    const scene = createScene([a]);
    scene.books.homes.set(talk, home(a));
    scene.learn(said(a, { "input-tokens-limit": "100000", "input-tokens-remaining": "100000" }));
    scene.start({ conversation: talk, demand: { inputTokens: 61_000, outputTokens: 0 } });
    expect(told(scene.choose({ demand: { inputTokens: 99_000, outputTokens: 0 } }))).toBe("strategy a");
    expect(told(scene.choose({ demand: { inputTokens: 99_500, outputTokens: 0 } }))).toContain("wait all_full");
  });

  test("holds a reservation until it is settled, once", () => {
    const scene = createScene([a, b]);
    const { ticket } = scene.start();
    expect(scene.books.reservations.inFlightOf(a.id)).toBe(1);
    scene.selector.settle(ticket, ended("gone"), at(1));
    scene.selector.settle(ticket, ended("gone"), at(1));
    expect(scene.books.reservations.inFlightOf(a.id)).toBe(0);
  });

  test("settled once does not move a home a second time", () => {
    const scene = createScene([a]);
    const { ticket } = scene.start({ conversation: talk });
    scene.selector.settle(ticket, ended("served", usage({ cacheWrite5mTokens: 10 })), at(1));
    scene.selector.settle(ticket, ended("served", usage({ cacheWrite5mTokens: 90_000 })), at(2));
    expect(scene.books.homes.find(talk, at(2))?.prefixTokens).toBe(10);
  });

  test("notes how long the first token took", () => {
    const scene = createScene([a, b]);
    for (let index = 0; index < 5; index += 1) {
      for (const [one, ms] of [
        [a, 30_000],
        [b, 500],
      ] as const) {
        const { ticket } = scene.start({ tried: new Set([one === a ? b.id : a.id]) });
        scene.selector.settle(ticket, { kind: "served", usage: null, firstTokenMs: durationMs(ms) }, at(0));
      }
    }
    expect(scene.books.latency.isSlow({ accountId: a.id, modelClass: opus }, at(2))).toBe(true);
    expect(scene.books.latency.isSlow({ accountId: b.id, modelClass: opus }, at(2))).toBe(false);
  });

  test("that ends at a limit lets the others ramp up slowly", () => {
    const scene = createScene([a]);
    scene.selector.settle(scene.start().ticket, ended("limited"), at(0));
    const rush = Array.from({ length: 40 }, () => {
      const choice = scene.choose();
      if (choice.kind === "use") scene.selector.start(scene.question(), choice);
      return choice.kind;
    });
    expect(rush).toContain("wait");
  });
});

test("a request may start at an account that is gone by now", () => {
  const scene = createScene([a]);
  const choice = scene.choose();
  scene.accounts = [b];
  if (choice.kind !== "use") throw new Error("Cannot test without a choice");
  const ticket = scene.selector.start(scene.question(), choice);
  expect(scene.books.reservations.inFlightOf(a.id)).toBe(1);
  scene.selector.settle(ticket, ended("served"), at(1));
  expect(scene.books.reservations.inFlightOf(a.id)).toBe(0);
});
