import { describe, expect, test } from "bun:test";
import { durationMs, epochMs } from "../../kernel/time.ts";
import { type AccountId, accountId } from "../account/account.ts";
import { modelClassOf } from "../account/model-class.ts";
import { createLatencyBook, type LatencyBook } from "./latency-book.ts";

const NOW_MS = 1_000_000;
const opus = modelClassOf("claude-opus-4-5");
const sonnet = modelClassOf("claude-sonnet-4-5");
const slow = accountId("slow");
const others = ["a", "b", "c"].map(accountId);

function note(book: LatencyBook, id: AccountId, samples: readonly number[], ms = 0): void {
  for (const sample of samples)
    book.note({ accountId: id, modelClass: opus }, durationMs(sample), epochMs(NOW_MS + ms));
}

function isSlow(book: LatencyBook, id: AccountId = slow, ms = 0): boolean {
  return book.isSlow({ accountId: id, modelClass: opus }, epochMs(NOW_MS + ms));
}

function five(sample: number): number[] {
  return [sample, sample, sample, sample, sample];
}

/** Three accounts with a median of 2 s. */
function bookOfOthers(): LatencyBook {
  const book = createLatencyBook();
  for (const [index, id] of others.entries()) note(book, id, five(1_000 * (index + 1)));
  return book;
}

describe("verdict", () => {
  test.each([
    ["over three times the median and over 5 s", five(6_001), true],
    ["three times the median", five(6_000), false],
    ["only four samples", [60_000, 60_000, 60_000, 60_000], false],
    ["one cold prompt among ordinary ones", [2_000, 2_000, 90_000, 2_000, 2_000], false],
    ["three of five", [2_000, 2_000, 60_000, 60_000, 60_000], true],
    ["slow once, then fast three times", [...five(60_000), 2_000, 2_000, 2_000], false],
    ["slow once, then fast two times", [...five(60_000), 2_000, 2_000], true],
  ])("%s: %p, is slow: %p", (_name, samples, expected) => {
    const book = bookOfOthers();
    note(book, slow, samples);
    expect(isSlow(book)).toBe(expected);
    for (const id of others) expect(isSlow(book, id)).toBe(false);
  });

  test("5 s are not slow, however fast the others are", () => {
    const book = createLatencyBook();
    for (const id of others) note(book, id, five(100));
    note(book, slow, five(5_000));
    expect(isSlow(book)).toBe(false);
    note(book, slow, five(5_001));
    expect(isSlow(book)).toBe(true);
  });

  test("nobody is slow alone, or when all are", () => {
    const book = createLatencyBook();
    note(book, slow, five(60_000));
    expect(isSlow(book)).toBe(false);
    const all = createLatencyBook();
    for (const id of [...others, slow]) note(all, id, five(60_000));
    expect(isSlow(all)).toBe(false);
  });

  test("one other is enough to compare with, if it has enough samples", () => {
    const book = createLatencyBook();
    note(book, slow, five(60_000));
    note(book, accountId("a"), [1_000, 1_000, 1_000, 1_000]);
    expect(isSlow(book, slow, 1_000)).toBe(false);
    note(book, accountId("a"), [1_000], 1_000);
    expect(isSlow(book, slow, 2_000)).toBe(true);
  });

  test("others that were not heard of for ten minutes are no comparison", () => {
    const book = bookOfOthers();
    note(book, slow, five(60_000), 600_001);
    expect(isSlow(book, slow, 600_001)).toBe(false);
  });

  test("each class is by itself", () => {
    const book = bookOfOthers();
    for (let index = 0; index < 5; index++) {
      book.note({ accountId: slow, modelClass: sonnet }, durationMs(60_000), epochMs(NOW_MS));
    }
    expect(book.isSlow({ accountId: slow, modelClass: sonnet }, epochMs(NOW_MS))).toBe(false);
    expect(isSlow(book)).toBe(false);
  });

  test("unknown accounts are not slow", () => {
    expect(isSlow(createLatencyBook())).toBe(false);
    expect(isSlow(bookOfOthers())).toBe(false);
  });
});

describe("coming back", () => {
  test("half of the slowness is believed after a minute without a sample, a quarter after two", () => {
    const book = bookOfOthers();
    // The median of the others is 2 s, so that 6 s are the bound: 20 s are below it after 1.74 minutes.
    note(book, slow, five(20_000));
    expect(isSlow(book, slow, 60_000)).toBe(true);
    expect(isSlow(book, slow, 104_000)).toBe(true);
    expect(isSlow(book, slow, 105_000)).toBe(false);
  });

  test("a slow sample renews the verdict", () => {
    const book = bookOfOthers();
    note(book, slow, five(20_000));
    note(book, slow, [20_000], 105_000);
    expect(isSlow(book, slow, 105_000)).toBe(true);
  });

  test("however slow it was, it comes back", () => {
    const book = bookOfOthers();
    note(book, slow, five(3_600_000));
    for (const [index, id] of others.entries()) note(book, id, five(1_000 * (index + 1)), 600_000);
    expect(isSlow(book, slow, 540_000)).toBe(true);
    expect(isSlow(book, slow, 600_000)).toBe(false);
  });
});

test("an account of 1,000 is found slow, and only that one", () => {
  const book = createLatencyBook();
  for (let index = 0; index < 1_000; index++) note(book, accountId(`n${index}`), five(1_000 + index));
  note(book, slow, five(30_000));
  expect(isSlow(book)).toBe(true);
  for (let index = 0; index < 1_000; index++) expect(isSlow(book, accountId(`n${index}`))).toBe(false);
});

test("keeps at most 4,096 accounts, those heard of last", () => {
  const book = bookOfOthers();
  note(book, slow, five(60_000));
  for (let index = 0; index < 4_000; index++) note(book, accountId(`n${index}`), five(1_000), 1_000);
  expect(isSlow(book, slow, 2_000)).toBe(true);
  for (let index = 0; index < 1_000; index++) note(book, accountId(`m${index}`), five(1_000), 3_000);
  expect(isSlow(book, slow, 4_000)).toBe(false);
  // It starts anew, among the ones that are left.
  note(book, slow, five(60_000), 5_000);
  expect(isSlow(book, slow, 6_000)).toBe(true);
});
