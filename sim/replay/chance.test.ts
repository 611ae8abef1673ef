import { expect, test } from "bun:test";
import { createChance, hashOf } from "./chance.ts";

function draw(seed: number): readonly number[] {
  const chance = createChance(seed);
  return Array.from({ length: 1_000 }, () => chance.next());
}

test("the same seed draws the same, another seed something else", () => {
  expect(draw(7)).toEqual(draw(7));
  expect(draw(7)).not.toEqual(draw(8));
});

test("draws evenly from 0 up to 1", () => {
  const numbers = draw(1);
  expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...numbers)).toBeLessThan(1);
  expect(numbers.reduce((sum, number) => sum + number, 0) / numbers.length).toBeCloseTo(0.5, 1);
});

test("a fork depends on its name and the seed, not on what was drawn before", () => {
  const chance = createChance(3);
  const before = chance.fork("a").next();
  chance.next();
  expect(chance.fork("a").next()).toBe(before);
  expect(chance.fork("b").next()).not.toBe(before);
});

test("draws integers from both ends, and around a median", () => {
  const chance = createChance(5);
  const integers = new Set(Array.from({ length: 200 }, () => chance.integer(2, 4)));
  expect([...integers].sort()).toEqual([2, 3, 4]);
  const around = Array.from({ length: 2_001 }, () => chance.around(100, 0.5)).sort((left, right) => left - right);
  expect(around[1_000]).toBeWithin(90, 110);
});

test("hashes with the seed", () => {
  expect(hashOf("a", 1)).not.toBe(hashOf("a", 2));
  expect(hashOf("a", 1)).toBe(hashOf("a", 1));
});
