import { expect, test } from "bun:test";
import { STRATEGIES } from "../../src/domain/selection/strategy-name.ts";
import { idealOf } from "./ideal.ts";
import { optimumOf } from "./optimum.ts";
import { replay } from "./replay.ts";
import { makeTestTrace } from "./scene-for-tests.ts";
import { jsonOf, markdownOf, seedsMarkdownOf, type TraceResult, textOf } from "./table.ts";

const trace = makeTestTrace([{ id: "plenty", workspaces: ["one"] }]);
const ideal = idealOf(trace);
const result: TraceResult = {
  trace,
  offeredTokens: ideal.workTokens,
  optimum: optimumOf(trace, ideal, 20_000 as Parameters<typeof optimumOf>[2]),
  reports: STRATEGIES.map((strategy) => replay(trace, ideal, { strategy, seed: 1 })),
};

test("prints one row for each strategy, with as many cells as the head has", () => {
  const rows = markdownOf([result])
    .split("\n")
    .filter((line) => line.startsWith("|"));
  expect(rows).toHaveLength(2 + STRATEGIES.length);
  expect(new Set(rows.map((row) => row.split("|").length)).size).toBe(1);
  expect(rows[2]).toStartWith("| session | 0.00 M | 100.0 % |");
});

test("prints columns of one width for a terminal", () => {
  const [, , head, ...rows] = textOf([result]).trimEnd().split("\n");
  for (const row of rows) expect(row.length).toBe(head?.length ?? 0);
});

test("prints the same figures unrounded as JSON", () => {
  const [first] = JSON.parse(jsonOf([result]));
  expect(first).toMatchObject({ trace: "test", offeredTokens: 2_300, optimum: { tokensServed: 2_300 } });
  expect(first.reports[0]).toMatchObject({ strategy: "session", requests: 2, firstRefusalAt: null });
});

test("prints the default's share for each seed", () => {
  expect(seedsMarkdownOf([[result], [result]]).split("\n")[2]).toBe("| test | 100.0 %, 100.0 % | 100.0 %, 100.0 % |");
});
