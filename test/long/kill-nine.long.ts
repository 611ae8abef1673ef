import { expect, test } from "bun:test";
import { printFigures } from "../e2e/figures.ts";
import { runKillRounds } from "../e2e/kill-rounds.ts";

const SEED = 20_261_124;

test("fifty kill -9 under load leave every request in the ledger exactly once", async () => {
  const figures = await runKillRounds({ rounds: 50, workers: 24, seed: SEED });
  printFigures("kill-nine", figures);
  expect(figures.kills).toBe(50);
  expect(figures.upstreamRequests).toBeGreaterThan(1_000);
  for (const outcome of ["completed", "client_gone", "truncated", "interrupted"]) {
    expect({ outcome, rows: figures.outcomes[outcome] ?? 0 }).not.toEqual({ outcome, rows: 0 });
  }
});
