import { expect, test } from "bun:test";
import { createBodyBudget } from "./body-budget.ts";

test("gives bytes up to its limit, all or nothing", () => {
  const budget = createBodyBudget(100);
  expect(budget.limitBytes).toBe(100);
  expect(budget.reserve(60)).toBe(true);
  expect(budget.reserve(41)).toBe(false);
  expect(budget.usedBytes).toBe(60);
  expect(budget.reserve(40)).toBe(true);
  expect(budget.reserve(0)).toBe(true);
  budget.release(100);
  expect(budget.usedBytes).toBe(0);
});

test("never falls below zero", () => {
  const budget = createBodyBudget(100);
  budget.release(10);
  expect(budget.usedBytes).toBe(0);
  expect(budget.reserve(101)).toBe(false);
});
