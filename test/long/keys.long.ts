import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { printFigures } from "../e2e/figures.ts";

setDefaultTimeout(120_000);

type BenchRow = {
  readonly name: string;
  readonly gateway: number | null;
  readonly unit: string;
  readonly verdict: string;
};

/** The benchmark's own rows, so that both have the same limits. */
async function benchRows(): Promise<readonly BenchRow[]> {
  const root = join(import.meta.dir, "../..");
  const child = Bun.spawn([process.execPath, "bench/run.ts", "--only", "keys", "--json"], {
    cwd: root,
    stderr: "inherit",
  });
  const { rows }: { rows: readonly BenchRow[] } = JSON.parse(await new Response(child.stdout).text());
  return rows;
}

test("T-2.15 and T-2.17 the check of a key among 100,000, and a start with them", async () => {
  const rows = await benchRows();
  for (const { name, gateway, unit } of rows) printFigures("keys", { [name]: `${gateway?.toFixed(2)} ${unit}` });
  expect(rows.map(({ name, verdict }) => ({ name, verdict }))).toEqual(
    rows.map(({ name }) => ({ name, verdict: "PASS" })),
  );
  expect(rows.length).toBe(4);
});
