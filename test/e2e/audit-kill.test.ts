import { expect, test } from "bun:test";
import { runAuditKills } from "./audit-kill-rounds.ts";

const ROUNDS = 4;

test("T-22.18 kill -9 during changes: the chain holds, and no change is without its entry or the other way round", async () => {
  const { revoked } = await runAuditKills({ rounds: ROUNDS, workers: 6, seed: 20_261_124 });
  expect(revoked).toBeGreaterThan(ROUNDS * 3);
}, 60_000);
