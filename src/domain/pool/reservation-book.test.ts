import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { epochMs } from "../../kernel/time.ts";
import { accountId, type LimitGroup, limitGroupOf } from "../account/account.ts";
import { modelClassOf } from "../account/model-class.ts";
import type { LimitWindowFact } from "../ratelimit/limit-facts.ts";
import type { SeenLimits } from "./limit-windows.ts";
import { createReservationBook, type Reservation, type ReservationBook } from "./reservation-book.ts";

const NOW_MS = 1_000_000_000;
const opus = modelClassOf("claude-opus-4-5");
const sonnet = modelClassOf("claude-sonnet-4-5");
const nothing = { inputTokens: 0, outputTokens: 0 };

function group(name: string): LimitGroup {
  return limitGroupOf({ id: accountId(name), organization: name });
}

function at(ms: number) {
  return epochMs(NOW_MS + ms);
}

function windowOf(known: Partial<LimitWindowFact>): LimitWindowFact {
  return {
    name: "requests",
    isPlan: false,
    limit: 100,
    remaining: 50,
    usedRatio: null,
    status: null,
    resetAtMs: at(30_000),
    ...known,
  };
}

function seen(windows: readonly LimitWindowFact[], ms = 0): SeenLimits {
  return { windows, seenAtMs: at(ms) };
}

const acme = { limitGroup: group("acme"), accountId: accountId("a1"), modelClass: opus };

type Start = { readonly demand?: { inputTokens: number; outputTokens: number }; readonly times?: number };

function start(book: ReservationBook, ms: number, { demand = nothing, times = 1 }: Start = {}): Reservation[] {
  return Array.from({ length: times }, () => book.start(acme, demand, at(ms)));
}

function headroom(book: ReservationBook, limits: SeenLimits | null, ms: number, demand = nothing) {
  return book.headroom(acme, limits, { demand, nowMs: at(ms) });
}

describe("in flight", () => {
  test("is counted per group and class, and per account", () => {
    const book = createReservationBook();
    const otherKey = { ...acme, accountId: accountId("a2") };
    const first = book.start(acme, nothing, at(0));
    book.start(otherKey, nothing, at(0));
    book.start({ ...acme, modelClass: sonnet }, nothing, at(0));
    expect(book.inFlight(acme.limitGroup, opus)).toBe(2);
    expect(book.inFlight(acme.limitGroup, sonnet)).toBe(1);
    expect(book.inFlight(group("other"), opus)).toBe(0);
    expect(book.inFlightOf(acme.accountId)).toBe(2);
    expect(book.inFlightOf(otherKey.accountId)).toBe(1);
    expect(book.inFlightOf(accountId("unknown"))).toBe(0);
    book.end(first, null);
    expect(book.inFlight(acme.limitGroup, opus)).toBe(1);
    expect(book.inFlightOf(acme.accountId)).toBe(1);
  });

  test("is exactly what was started and not ended, however often an end is told", () => {
    const begin = fc.record({ account: fc.constantFrom("a", "b"), modelClass: fc.constantFrom(opus, sonnet) });
    fc.assert(
      fc.property(fc.array(begin, { maxLength: 40 }), fc.array(fc.nat(), { maxLength: 80 }), (begins, ends) => {
        const book = createReservationBook();
        const open = new Map(
          begins.map(({ account, modelClass }) => {
            const on = { ...acme, accountId: accountId(account), modelClass };
            return [book.start(on, nothing, at(0)), on] as const;
          }),
        );
        const all = [...open.keys()];
        for (const end of all.length === 0 ? [] : ends) {
          const reservation = all[end % all.length];
          if (reservation !== undefined) book.end(reservation, null);
          if (reservation !== undefined) open.delete(reservation);
          const left = [...open.values()];
          const ofClass = (modelClass: typeof opus) => left.filter((on) => on.modelClass === modelClass).length;
          const ofAccount = (id: string) => left.filter((on) => on.accountId === accountId(id)).length;
          expect([opus, sonnet].map((name) => book.inFlight(acme.limitGroup, name))).toEqual(
            [opus, sonnet].map(ofClass),
          );
          expect(["a", "b"].map((id) => book.inFlightOf(accountId(id)))).toEqual(["a", "b"].map(ofAccount));
        }
      }),
    );
  });
});

describe("headroom of token buckets", () => {
  test("what started since the windows were seen is gone from them, whether it ended or not", () => {
    const book = createReservationBook();
    const limits = seen([windowOf({ resetAtMs: at(60_000) })]);
    expect(headroom(book, limits, 0)).toEqual({ usedRatio: 0.5, fullUntilMs: null, cause: "requests" });
    for (const reservation of start(book, 0, { times: 50 })) book.end(reservation, null);
    // 50 more come back in 60 s: the next one in 1.2 s.
    expect(headroom(book, limits, 0)).toEqual({ usedRatio: 1, fullUntilMs: at(1_200), cause: "requests" });
    expect(headroom(book, limits, 1_200).fullUntilMs).toBeNull();
  });

  describe("an end that says what the request came to", () => {
    const tokens = windowOf({ name: "output-tokens", limit: 10_000, remaining: 8_000, resetAtMs: at(60_000) });
    const expected = { inputTokens: 0, outputTokens: 4_000 };

    test("gives back what was not taken, once", () => {
      const book = createReservationBook();
      const limits = seen([tokens]);
      const [reservation] = start(book, 0, { demand: expected });
      expect(headroom(book, limits, 0).usedRatio).toBeCloseTo(0.6);
      if (reservation !== undefined) book.end(reservation, { inputTokens: 0, outputTokens: 1_000 });
      expect(headroom(book, limits, 0).usedRatio).toBeCloseTo(0.3);
      if (reservation !== undefined) book.end(reservation, nothing);
      expect(headroom(book, limits, 0).usedRatio).toBeCloseTo(0.3);
    });

    test("takes more when it was more", () => {
      const book = createReservationBook();
      const [reservation] = start(book, 0, { demand: expected });
      headroom(book, seen([tokens]), 0);
      if (reservation !== undefined) book.end(reservation, { inputTokens: 0, outputTokens: 6_000 });
      expect(headroom(book, seen([tokens]), 0).usedRatio).toBeCloseTo(0.8);
    });

    test("changes nothing once the provider has counted it", () => {
      const book = createReservationBook();
      const [reservation] = start(book, 0, { demand: expected });
      const newer = seen([{ ...tokens, remaining: 4_000 }], 1_000);
      expect(headroom(book, newer, 1_000).usedRatio).toBeCloseTo(0.6);
      if (reservation !== undefined) book.end(reservation, nothing);
      expect(headroom(book, newer, 1_000).usedRatio).toBeCloseTo(0.6);
    });
  });

  test("newer windows have counted what was started before them", () => {
    const book = createReservationBook();
    start(book, 0, { times: 40 });
    start(book, 2_000, { times: 5 });
    expect(headroom(book, seen([windowOf({ resetAtMs: at(60_000) })], -10), 2_000).usedRatio).toBeCloseTo(0.933, 3);
    const newer = seen([windowOf({ remaining: 10, resetAtMs: at(61_000) })], 1_000);
    // 10 remained at 1 s, 1.5 came back in a second, 5 were started since.
    expect(headroom(book, newer, 2_000).usedRatio).toBeCloseTo(0.935, 3);
    // And they are not counted again when it is asked again.
    expect(headroom(book, newer, 2_000).usedRatio).toBeCloseTo(0.935, 3);
  });

  test("a burst does not run past a limit before any answer comes", () => {
    const book = createReservationBook();
    const limits = seen([windowOf({ limit: 50, remaining: 50, resetAtMs: at(0) })]);
    let started = 0;
    while (headroom(book, limits, 5).fullUntilMs === null && started < 1_000) {
      start(book, 5);
      started++;
    }
    expect(started).toBe(50);
  });

  test("tokens are counted against their own windows, both kinds against both together", () => {
    const book = createReservationBook();
    const limits = seen([
      windowOf({}),
      windowOf({ name: "input-tokens", limit: 100_000, remaining: 100_000 }),
      windowOf({ name: "output-tokens", limit: 10_000, remaining: 10_000 }),
      windowOf({ name: "tokens", limit: 100_000, remaining: 100_000 }),
    ]);
    headroom(book, limits, 0);
    start(book, 0, { demand: { inputTokens: 20_000, outputTokens: 9_000 } });
    const demand = { inputTokens: 1_000, outputTokens: 2_000 };
    // 1,000 are left of 10,000, which a minute refills.
    expect(headroom(book, limits, 0, demand)).toEqual({
      usedRatio: 0.9,
      fullUntilMs: at(6_000),
      cause: "output-tokens",
    });
    expect(headroom(book, limits, 0, { inputTokens: 70_000, outputTokens: 1_000 }).fullUntilMs).toBeNull();
    expect(headroom(book, limits, 0, { inputTokens: 70_001, outputTokens: 1_000 }).cause).toBe("tokens");
  });

  test("the window that lasts longest says until when, and the tightest how full", () => {
    const book = createReservationBook();
    const limits = seen([
      windowOf({ name: "input-tokens", limit: 1_000, remaining: 100, resetAtMs: at(9_000) }),
      windowOf({ name: "output-tokens", limit: 1_000, remaining: 0, resetAtMs: at(10_000) }),
    ]);
    const found = headroom(book, limits, 0, { inputTokens: 1_000, outputTokens: 100 });
    expect(found).toEqual({ usedRatio: 1, fullUntilMs: at(9_000), cause: "input-tokens" });
  });

  test("a demand that no bucket can hold waits only until it is full", () => {
    const book = createReservationBook();
    const limits = seen([windowOf({ name: "output-tokens", limit: 8_000, remaining: 4_000, resetAtMs: at(30_000) })]);
    const demand = { inputTokens: 0, outputTokens: 64_000 };
    expect(headroom(book, limits, 0, demand).fullUntilMs).toBe(at(30_000));
    expect(headroom(book, limits, 30_000, demand).fullUntilMs).toBeNull();
  });

  test("other groups and classes have their own", () => {
    const book = createReservationBook();
    const limits = seen([windowOf({})]);
    start(book, 0, { times: 60 });
    const need = { demand: nothing, nowMs: at(0) };
    expect(book.headroom({ ...acme, modelClass: sonnet }, limits, need).usedRatio).toBe(0.5);
    expect(book.headroom({ ...acme, limitGroup: group("other") }, limits, need).usedRatio).toBe(0.5);
    expect(headroom(book, limits, 0).usedRatio).toBe(1);
  });
});

describe("headroom of plans", () => {
  const fiveHours = windowOf({
    name: "5h",
    isPlan: true,
    limit: null,
    remaining: null,
    usedRatio: 0.4,
    status: "allowed",
    resetAtMs: at(3_600_000),
  });

  test.each([
    ["what is said", [fiveHours], 0, 0.4, "5h"],
    ["the tightest one", [fiveHours, { ...fiveHours, name: "7d", usedRatio: 0.7 }], 0, 0.7, "7d"],
    ["at most all of it", [{ ...fiveHours, usedRatio: 1.4 }], 0, 1, "5h"],
    ["all of it when it is rejected", [{ ...fiveHours, usedRatio: null, status: "rejected" }], 0, 1, "5h"],
    ["nothing when it is over", [{ ...fiveHours, status: "rejected" }], 3_600_000, 0, "5h"],
    ["nothing known when it says nothing", [{ ...fiveHours, usedRatio: null, status: null }], 0, 0, null],
    ["a bucket that is tighter", [fiveHours, windowOf({})], 0, 0.5, "requests"],
  ] as const)("is %s", (_name, windows, ms, usedRatio, cause) => {
    expect(headroom(createReservationBook(), seen(windows), ms)).toEqual({ usedRatio, fullUntilMs: null, cause });
  });

  test("each request that it has not counted takes a thousandth, so that a burst spreads", () => {
    const book = createReservationBook();
    start(book, 0, { times: 100 });
    expect(headroom(book, seen([fiveHours]), 0).usedRatio).toBeCloseTo(0.5, 9);
    expect(headroom(book, seen([fiveHours], 1), 0).usedRatio).toBeCloseTo(0.4, 9);
  });

  test("of an account of which nothing is known, each request in flight does", () => {
    const book = createReservationBook();
    expect(headroom(book, null, 0)).toEqual({ usedRatio: 0, fullUntilMs: null, cause: null });
    const [first] = start(book, 0, { times: 3 });
    expect(headroom(book, null, 0)).toEqual({ usedRatio: 0.003, fullUntilMs: null, cause: null });
    if (first !== undefined) book.end(first, null);
    expect(headroom(book, null, 0).usedRatio).toBe(0.002);
  });
});

describe("ramp", () => {
  /** Asks and starts as often as it may within one second. */
  function startAll(book: ReservationBook, ms: number): number {
    let started = 0;
    while (headroom(book, null, ms).fullUntilMs === null && started < 5_000) {
      start(book, ms);
      started++;
    }
    return started;
  }

  test("a fresh gateway takes full load at once", () => {
    expect(startAll(createReservationBook(), 0)).toBe(5_000);
  });

  test("after a switch the start rate at most doubles every 5 s, for a minute", () => {
    const book = createReservationBook();
    book.noteSwitch(opus, at(0));
    expect(startAll(book, 0)).toBe(20);
    expect(headroom(book, null, 1_000)).toEqual({ usedRatio: 0.02, fullUntilMs: at(5_000), cause: "ramp" });
    expect(startAll(book, 5_000)).toBe(40);
    expect(startAll(book, 10_000)).toBe(80);
    expect(startAll(book, 60_000)).toBe(5_000);
  });

  test("who was busy before the switch goes on from there", () => {
    const book = createReservationBook();
    start(book, 0, { times: 300 });
    book.noteSwitch(opus, at(4_000));
    expect(startAll(book, 5_000)).toBe(600);
  });

  test("concerns the groups of that class only", () => {
    const book = createReservationBook();
    book.noteSwitch(sonnet, at(0));
    expect(startAll(book, 0)).toBe(5_000);
  });

  test("a window that is full for longer is the cause", () => {
    const book = createReservationBook();
    book.noteSwitch(opus, at(0));
    start(book, 0, { times: 20 });
    const limits = seen([windowOf({ remaining: 0, limit: 4, resetAtMs: at(60_000) })], 1);
    expect(headroom(book, limits, 1)).toEqual({ usedRatio: 1, fullUntilMs: at(15_001), cause: "requests" });
  });
});

describe("shares", () => {
  test("recent starts lose half of their weight in ten minutes", () => {
    const book = createReservationBook();
    expect(book.startedShare(acme.accountId, at(0))).toBe(0);
    start(book, 0, { times: 8 });
    expect(book.startedShare(acme.accountId, at(0))).toBe(8);
    expect(book.startedShare(acme.accountId, at(600_000))).toBeCloseTo(4, 9);
    start(book, 600_000);
    expect(book.startedShare(acme.accountId, at(1_200_000))).toBeCloseTo(2.5, 9);
    // A clock that goes back takes nothing away.
    expect(book.startedShare(acme.accountId, at(0))).toBeCloseTo(5, 9);
  });

  test("the last start of an account is a number that grows from start to start", () => {
    const book = createReservationBook();
    const other = { ...acme, accountId: accountId("a2") };
    expect(book.lastStart(acme.accountId)).toBe(0);
    start(book, 0);
    book.start(other, nothing, at(0));
    expect(book.lastStart(acme.accountId)).toBe(1);
    expect(book.lastStart(other.accountId)).toBe(2);
    start(book, 0);
    expect(book.lastStart(acme.accountId)).toBe(3);
  });
});

describe("bounds", () => {
  test("model names of clients do not fill it: idle groups go first, and what is under way still ends", () => {
    const book = createReservationBook();
    const busy = book.start(acme, nothing, at(0));
    for (let index = 0; index < 10_000; index++) {
      const on = { ...acme, accountId: accountId(`a${index + 10}`), modelClass: modelClassOf(`model-${index}`) };
      const reservation = book.start(on, nothing, at(index + 1));
      book.end(reservation, null);
    }
    expect(book.inFlight(acme.limitGroup, opus)).toBe(1);
    expect(book.inFlightOf(acme.accountId)).toBe(1);
    expect(book.lastStart(accountId("a10"))).toBe(0);
    expect(book.lastStart(accountId("a10009"))).toBe(10_001);
    book.end(busy, null);
    expect(book.inFlight(acme.limitGroup, opus)).toBe(0);
  });

  test("also when none is idle", () => {
    const book = createReservationBook();
    const reservations = Array.from({ length: 5_000 }, (_, index) =>
      book.start({ ...acme, limitGroup: group(`g${index}`), accountId: accountId(`a${index}`) }, nothing, at(index)),
    );
    const counted = reservations.filter((_, index) => book.inFlight(group(`g${index}`), opus) === 1);
    expect(counted.length).toBeLessThanOrEqual(4_096);
    expect(counted.length).toBeGreaterThan(3_000);
    for (const reservation of reservations) book.end(reservation, null);
    expect(book.inFlight(group("g0"), opus)).toBe(0);
    expect(book.inFlight(group("g4999"), opus)).toBe(0);
  });

  test("switches of many classes", () => {
    const book = createReservationBook();
    for (let index = 0; index < 20_000; index++) book.noteSwitch(modelClassOf(`model-${index}`), at(0));
    book.noteSwitch(opus, at(0));
    start(book, 0, { times: 20 });
    expect(headroom(book, null, 0).cause).toBe("ramp");
  });
});

test("the same calls give the same state", () => {
  const call = fc.record({
    group: fc.nat({ max: 2 }),
    ms: fc.nat({ max: 500 }),
    tokens: fc.nat({ max: 5_000 }),
    seenAgo: fc.nat({ max: 3_000 }),
  });
  fc.assert(
    fc.property(fc.array(call, { maxLength: 60 }), (calls) => {
      const run = () => {
        const book = createReservationBook();
        let ms = 0;
        return calls.map(({ group: index, ms: stepMs, tokens, seenAgo }) => {
          ms += stepMs;
          const on = { ...acme, limitGroup: group(`g${index}`) };
          const demand = { inputTokens: tokens, outputTokens: tokens };
          const limits = seen([windowOf({ name: "tokens", limit: 20_000, remaining: 15_000 })], ms - seenAgo);
          const found = book.headroom(on, limits, { demand, nowMs: at(ms) });
          book.start(on, demand, at(ms));
          expect(found.usedRatio).toBeWithin(0, 1.0000001);
          if (found.fullUntilMs !== null) expect(found.fullUntilMs).toBeGreaterThan(at(ms));
          return found;
        });
      };
      expect(run()).toEqual(run());
    }),
  );
});
