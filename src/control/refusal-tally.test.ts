import { expect, test } from "bun:test";
import { epochMs } from "../kernel/time.ts";
import { createRefusalTally } from "./refusal-tally.ts";

test("refusals of a key are one entry, with how many and from when to when", () => {
  const tally = createRefusalTally();
  for (const ms of [10, 20, 30]) tally.refused({ id: "AAAAAAAAAA", name: "laptop" }, epochMs(ms));
  tally.refused({ id: "malformed", name: null }, epochMs(40));
  expect(tally.take()).toMatchObject([
    {
      code: "KEY003E",
      object: { type: "client_key", id: "AAAAAAAAAA", name: "laptop" },
      after: { count: 3, firstAtMs: 10, lastAtMs: 30 },
    },
    { object: { id: "malformed" }, after: { count: 1 } },
  ]);
  expect(tally.take()).toEqual([]);
});

test("T-22.17 a flood of 100,000 refusals under as many ids is 65 entries, and none is uncounted", () => {
  const tally = createRefusalTally();
  for (let at = 0; at < 100_000; at += 1) tally.refused({ id: `key-${at}`, name: null }, epochMs(at));
  const drafts = tally.take();
  expect(drafts).toHaveLength(65);
  const counts = drafts.map(({ after }) => Number(after?.["count"]));
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(100_000);
});
