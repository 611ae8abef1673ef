import { expect, test } from "bun:test";
import { epochMs } from "../../kernel/time.ts";
import { renewalDueAt, renewalPause } from "./token-life.ts";

const MINUTE = 60_000;

test.each([
  { lifeMinutes: 480, random: 0.5, dueMinutes: 384 },
  { lifeMinutes: 480, random: 0, dueMinutes: 374.4 },
  { lifeMinutes: 480, random: 1, dueMinutes: 393.6 },
  { lifeMinutes: 20, random: 0.5, dueMinutes: 15 },
  { lifeMinutes: 1, random: 0.5, dueMinutes: 0.5 },
  { lifeMinutes: -5, random: 1, dueMinutes: 0 },
])("a life of $lifeMinutes min with chance $random is renewed after $dueMinutes min", (row) => {
  const life = { issuedAtMs: epochMs(1_000), expiresAtMs: epochMs(1_000 + row.lifeMinutes * MINUTE) };
  expect(renewalDueAt(life, 0.8, row.random)).toBe(epochMs(1_000 + row.dueMinutes * MINUTE));
});

test("a life without an end is never due", () => {
  expect(renewalDueAt({ issuedAtMs: epochMs(0), expiresAtMs: null }, 0.8, 0.5)).toBeNull();
});

test.each([
  { failures: 1, isRefused: false, least: 1_000, most: 2_000 },
  { failures: 3, isRefused: false, least: 1_000, most: 17_000 },
  { failures: 4, isRefused: false, least: 1_000, most: 61_000 },
  { failures: 5, isRefused: false, least: 300_000, most: 330_000 },
  { failures: 1, isRefused: true, least: 300_000, most: 330_000 },
])("after $failures failures (refused: $isRefused) it waits $least to $most ms", (row) => {
  expect(renewalPause(row.failures, row.isRefused, 0) as number).toBe(row.least);
  expect(renewalPause(row.failures, row.isRefused, 1) as number).toBe(row.most);
});
