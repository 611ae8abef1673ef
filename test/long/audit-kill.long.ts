import { expect, setDefaultTimeout, test } from "bun:test";
import { runAuditKills } from "../e2e/audit-kill-rounds.ts";
import { printFigures } from "../e2e/figures.ts";

const ROUNDS = 200;

setDefaultTimeout(20 * 60_000);

test("T-22.18 two hundred kill -9 during changes: the chain holds, and no change is without its entry", async () => {
  const figures = { kills: ROUNDS, ...(await runAuditKills({ rounds: ROUNDS, workers: 2, seed: 20_261_125 })) };
  printFigures("audit-kill", figures);
  expect(figures.revoked).toBeGreaterThan(ROUNDS);
});
