import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { durationMs, epochMs } from "../../kernel/time.ts";
import { type AccountId, accountId } from "../account/account.ts";
import type { ConversationKey } from "./conversation.ts";
import { createHomeBook, type Home, type HomeBook, type SavedHome } from "./home-book.ts";

const HOUR_MS = 3_600_000;
const NAMES = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
const first = accountId("first");
const second = accountId("second");

function key(name: string | number): ConversationKey {
  return `client/opus/s:${name}` as ConversationKey;
}

function home(lastUsedMs: number, id: AccountId = first): Home {
  return { accountId: id, lastUsedMs: epochMs(lastUsedMs), cacheMs: durationMs(300_000), prefixTokens: 1_000 };
}

function saved(name: string | number, lastUsedMs: number, id: AccountId = first): SavedHome {
  return { ...home(lastUsedMs, id), key: key(name) };
}

function bookOf(maxHomes: number, homeMs = 5 * HOUR_MS): HomeBook {
  return createHomeBook({ maxHomes, homeMs: durationMs(homeMs) });
}

describe("bounds", () => {
  test("keeps the 100,000 conversations that were used last, whatever came before", () => {
    const book = bookOf(100_000);
    for (let index = 0; index < 250_000; index++) {
      book.set(key(index), home(index));
      // One old conversation goes on all the time.
      if (index % 1_000 === 0) book.set(key("steady"), home(index));
    }
    const nowMs = epochMs(250_000);
    expect(book.size).toBe(100_000);
    expect(book.find(key(249_999), nowMs)).toEqual(home(249_999));
    expect(book.find(key(150_001), nowMs)).toEqual(home(150_001));
    expect(book.find(key(150_000), nowMs)).toBeNull();
    expect(book.find(key(0), nowMs)).toBeNull();
    expect(book.find(key("steady"), nowMs)).toEqual(home(249_000));
    // What waits to be saved is bounded too.
    expect(book.takeChanged(Number.POSITIVE_INFINITY)).toHaveLength(100_000);
  });

  test("costs the same with 100,000 homes as with 100", () => {
    const costOf = (maxHomes: number) => {
      const book = bookOf(maxHomes);
      for (let index = 0; index < maxHomes; index++) book.set(key(index), home(index));
      const keys = Array.from({ length: 50_000 }, (_, index) => key(maxHomes + index));
      const start = performance.now();
      for (const name of keys) {
        book.set(name, home(maxHomes));
        book.find(name, epochMs(maxHomes));
      }
      return performance.now() - start;
    };
    costOf(100);
    // Caches of the processor differ by less than this; a walk over all homes would differ a thousandfold.
    expect(costOf(100_000)).toBeLessThan(50 * costOf(100) + 500);
  });

  test("is a list in the order of use, whatever is called", () => {
    const call = fc.record({ name: fc.constantFrom(...NAMES), load: fc.boolean() });
    fc.assert(
      fc.property(fc.array(call, { maxLength: 80 }), fc.integer({ min: 1, max: 6 }), (calls, maxHomes) => {
        const book = bookOf(maxHomes);
        let model: number[] = [];
        for (const [nowMs, { name, load }] of calls.entries()) {
          if (load) {
            book.load([saved(name, 0)]);
            if (model.length < maxHomes && !model.includes(name)) model = [name, ...model];
          } else {
            book.set(key(name), home(nowMs));
            model = [...model.filter((other) => other !== name), name].slice(-maxHomes);
          }
          expect(book.size).toBe(model.length);
          const found = NAMES.filter((other) => book.find(key(other), epochMs(nowMs)) !== null);
          expect(found).toEqual(model.toSorted((left, right) => left - right));
        }
      }),
    );
  });
});

describe("age", () => {
  test("a home that was not used for longer than homeMs is gone, and a use keeps it", () => {
    const book = bookOf(10, HOUR_MS);
    book.set(key("a"), home(0));
    expect(book.find(key("a"), epochMs(HOUR_MS))).not.toBeNull();
    expect(book.find(key("a"), epochMs(HOUR_MS + 1))).toBeNull();
    book.set(key("a"), home(HOUR_MS));
    expect(book.find(key("a"), epochMs(HOUR_MS + 1))).not.toBeNull();
  });

  test("homes that are too old leave the book while others are set", () => {
    const book = bookOf(10_000, HOUR_MS);
    for (let index = 0; index < 1_000; index++) book.set(key(index), home(0));
    for (let index = 0; index < 500; index++) book.set(key(`new ${index}`), home(2 * HOUR_MS));
    expect(book.size).toBe(500);
  });

  test("a home from a clock that was ahead is gone once the clock is right, and comes back with its next use", () => {
    const book = bookOf(10, HOUR_MS);
    book.set(key("a"), home(100 * HOUR_MS));
    expect(book.find(key("a"), epochMs(HOUR_MS))).toBeNull();
    book.set(key("a"), home(HOUR_MS));
    expect(book.find(key("a"), epochMs(HOUR_MS))).not.toBeNull();
    // A request that began a moment before another one ended.
    expect(book.find(key("a"), epochMs(HOUR_MS - 5))).not.toBeNull();
  });
});

describe("persistence", () => {
  test("gives each changed home once, with its newest value, and no more than asked for", () => {
    const book = bookOf(10);
    book.set(key("a"), home(1));
    book.set(key("b"), home(2));
    book.set(key("a"), home(3, second));
    expect(book.takeChanged(1)).toEqual([saved("a", 3, second)]);
    expect(book.takeChanged(10)).toEqual([saved("b", 2)]);
    expect(book.takeChanged(10)).toEqual([]);
    book.set(key("b"), home(4));
    expect(book.takeChanged(10)).toEqual([saved("b", 4)]);
    expect(book.takeChanged(0)).toEqual([]);
  });

  test("a home that is gone is not saved any more", () => {
    const book = bookOf(1);
    book.set(key("a"), home(1));
    book.set(key("b"), home(2));
    expect(book.takeChanged(10)).toEqual([saved("b", 2)]);
  });

  test("loads what was saved without calling it changed, newest first when there are too many", () => {
    const book = bookOf(2);
    book.load([saved("old", 1), saved("newest", 3), saved("newer", 2)]);
    expect(book.size).toBe(2);
    expect(book.find(key("old"), epochMs(3))).toBeNull();
    expect(book.find(key("newest"), epochMs(3))).toEqual(home(3));
    expect(book.takeChanged(10)).toEqual([]);
    // The order of use is restored: the next one pushes out the older of the two.
    book.set(key("live"), home(4));
    expect(book.find(key("newer"), epochMs(4))).toBeNull();
    expect(book.find(key("newest"), epochMs(4))).not.toBeNull();
  });

  test("what is here already stays when an older value is loaded", () => {
    const book = bookOf(10);
    book.set(key("a"), home(5, second));
    book.load([saved("a", 1), saved("b", 9)]);
    expect(book.find(key("a"), epochMs(5))).toEqual(home(5, second));
    expect(book.find(key("b"), epochMs(9))).toEqual(home(9));
    expect(book.takeChanged(10)).toEqual([saved("a", 5, second)]);
  });

  test("homes of unknown age are not loaded; those too old are, and are gone", () => {
    const book = bookOf(10, HOUR_MS);
    book.load([saved("a", Number.NaN), saved("b", Number.POSITIVE_INFINITY), saved("c", 0)]);
    expect(book.size).toBe(1);
    expect(book.find(key("c"), epochMs(2 * HOUR_MS))).toBeNull();
  });

  test("a home of unknown age that is set is never found", () => {
    const book = bookOf(10, HOUR_MS);
    book.set(key("a"), home(Number.NaN));
    expect(book.find(key("a"), epochMs(0))).toBeNull();
  });
});

test("forgets the homes of one account, and only those", () => {
  const book = bookOf(10);
  book.set(key("a"), home(1, first));
  book.set(key("b"), home(2, second));
  book.set(key("c"), home(3, first));
  book.forgetAccount(first);
  expect(book.size).toBe(1);
  expect(book.find(key("a"), epochMs(3))).toBeNull();
  expect(book.find(key("b"), epochMs(3))).not.toBeNull();
  expect(book.takeChanged(10)).toEqual([saved("b", 2, second)]);
  book.set(key("d"), home(4));
  expect(book.size).toBe(2);
});
