import { expect, test } from "bun:test";
import { printFigures } from "./figures.ts";
import { runKillRounds } from "./kill-rounds.ts";

const SEED = 20_261_123;

test("five kill -9 under load leave every request in the ledger exactly once", async () => {
  const figures = await runKillRounds({ rounds: 5, workers: 16, seed: SEED });
  printFigures("kill", figures);
  expect(figures.upstreamRequests).toBeGreaterThan(50);
  for (const outcome of ["completed", "client_gone", "truncated", "interrupted"]) {
    expect({ outcome, rows: figures.outcomes[outcome] ?? 0 }).not.toEqual({ outcome, rows: 0 });
  }
}, 60_000);
