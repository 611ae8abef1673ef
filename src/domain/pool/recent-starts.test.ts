import { expect, test } from "bun:test";
import { epochMs } from "../../kernel/time.ts";
import { createRecentStarts, dropCounted, noteStart, type RecentStarts } from "./recent-starts.ts";

const demand = { inputTokens: 10, outputTokens: 3 };

function startsAt(...instants: readonly number[]): RecentStarts {
  const starts = createRecentStarts();
  for (const instant of instants) noteStart(starts, demand, epochMs(instant));
  return starts;
}

function countOf(starts: RecentStarts): number {
  expect(starts.requests).toBe(starts.cells.reduce((sum, cell) => sum + cell.requests, 0));
  return starts.requests;
}

test("adds up what was started, tokens too", () => {
  const { cells } = startsAt(1_000, 1_010, 1_020);
  expect(cells).toEqual([
    { requests: 3, inputTokens: 30, outputTokens: 9, firstMs: epochMs(1_000), lastMs: epochMs(1_020) },
  ]);
});

test("strikes out what was started before the windows were seen, not what was started then or later", () => {
  const starts = startsAt(1_000, 1_500, 2_000, 2_500);
  dropCounted(starts, epochMs(2_000));
  expect(starts.cells.map((cell) => Number(cell.lastMs))).toEqual([2_000, 2_500]);
  dropCounted(starts, epochMs(9_000));
  expect(starts.cells).toEqual([]);
  dropCounted(starts, epochMs(9_000));
  expect(starts.cells).toEqual([]);
});

test("a burst of 50 ms counts as one start, that of its end", () => {
  const starts = startsAt(1_000, 1_049, 1_050);
  dropCounted(starts, epochMs(1_049));
  expect(countOf(starts)).toBe(3);
  dropCounted(starts, epochMs(1_050));
  expect(countOf(starts)).toBe(1);
});

test("keeps at most 64 cells and forgets no start that was not counted", () => {
  const starts = startsAt(...Array.from({ length: 5_000 }, (_, index) => index * 100));
  expect(starts.cells).toHaveLength(64);
  expect(countOf(starts)).toBe(5_000);
  // The melted ones count as started with the last of them.
  dropCounted(starts, epochMs((5_000 - 64) * 100));
  expect(countOf(starts)).toBe(5_000);
  dropCounted(starts, epochMs((5_000 - 64) * 100 + 1));
  expect(countOf(starts)).toBe(63);
});

test("a clock that goes back adds to the newest cell", () => {
  const starts = startsAt(2_000, 500);
  expect(starts.cells).toHaveLength(1);
  expect(Number(starts.cells[0]?.lastMs)).toBe(2_000);
});
