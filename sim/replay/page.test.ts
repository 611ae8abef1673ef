import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { STRATEGIES } from "../../src/domain/selection/strategy-name.ts";
import { runTrace } from "./run-traces.ts";
import { headOf } from "./table.ts";
import { TRACES, type TraceName } from "./traces.ts";

const NAMES = Object.keys(TRACES) as TraceName[];
const page = readFileSync(join(import.meta.dir, "../../docs/guide/strategies.md"), "utf8");

/** What stands under a heading of the page, up to the next one. */
function sectionOf(heading: string): string {
  return page.split(`\n### ${heading}\n`)[1]?.split("\n### ")[0] ?? "";
}

// The rows change with every rule of the selector, these lines with the traces and the optimum alone.
test.each(NAMES)("the guide shows the trace %s as it is, with every strategy", (name) => {
  const section = sectionOf(name);
  expect(section).toContain(headOf(runTrace(name, { strategies: [], seed: 1 })));
  for (const strategy of STRATEGIES) expect(section).toMatch(new RegExp(`^\\| ${strategy} \\|`, "m"));
});

test("the guide shows no trace that is gone, and no request that went to a bench", () => {
  const headings = [...page.matchAll(/^### (\S+)$/gm)].map(([, heading]) => heading ?? "");
  expect(headings).toEqual(NAMES);
  const rows = page.match(/^\| (?:session|least-used|weighted|drain-soonest|round-robin|priority) \|.*$/gm) ?? [];
  expect(rows).toHaveLength(NAMES.length * STRATEGIES.length);
  for (const row of rows) expect(row).toEndWith("| 0 |");
});
