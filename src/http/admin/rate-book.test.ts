import { expect, test } from "bun:test";
import { epochMs } from "../../kernel/time.ts";
import { createRateBook } from "./rate-book.ts";

const START = 1_800_000_000_000;
const at = (ms: number) => epochMs(START + ms);

test("gives so many a minute, all at once, and then one for each part of a minute", () => {
  const book = createRateBook({ perMinute: 20, maxSubjects: 10 });
  const first = Array.from({ length: 20 }, () => Number(book.take("a", at(0))));
  expect(first).toEqual(Array<number>(20).fill(0));
  expect(Number(book.take("a", at(0)))).toBe(3_000);
  expect(Number(book.take("a", at(2_999)))).toBe(1);
  expect(Number(book.take("a", at(3_000)))).toBe(0);
  expect(Number(book.take("a", at(3_000)))).toBe(3_000);
  expect(Number(book.take("b", at(3_000)))).toBe(0);
});

test("asking takes nothing, and being refused takes nothing", () => {
  const book = createRateBook({ perMinute: 1, maxSubjects: 10 });
  expect(Number(book.waitMs("a", at(0)))).toBe(0);
  expect(book.size).toBe(0);
  expect(Number(book.take("a", at(0)))).toBe(0);
  for (let round = 0; round < 100; round += 1) book.take("a", at(round));
  expect(Number(book.take("a", at(60_000)))).toBe(0);
});

test("a clock that is set back shuts nobody out for longer than a minute", () => {
  const book = createRateBook({ perMinute: 1, maxSubjects: 10 });
  book.take("a", at(86_400_000));
  expect(Number(book.waitMs("a", at(0)))).toBeLessThanOrEqual(60_000);
  expect(Number(book.take("a", at(60_000)))).toBeLessThanOrEqual(60_000);
});

test("remembers a bounded number, and forgets whoever was not seen for longest", () => {
  const book = createRateBook({ perMinute: 1, maxSubjects: 1_000 });
  for (let subject = 0; subject < 100_000; subject += 1) book.take(`address ${subject}`, at(subject / 1_000));
  expect(book.size).toBe(1_000);
  expect(Number(book.waitMs("address 99999", at(100)))).toBeGreaterThan(0);
  expect(Number(book.waitMs("address 0", at(100)))).toBe(0);
});
