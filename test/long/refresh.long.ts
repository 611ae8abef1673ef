import { expect, test } from "bun:test";
import { printFigures } from "../e2e/figures.ts";
import { runRefreshKills } from "../e2e/refresh-kill.ts";
import { runRefresh } from "../e2e/refresh-run.ts";

test.each([
  { processes: 2, refreshersEach: 4 },
  { processes: 3, refreshersEach: 2 },
  { processes: 8, refreshersEach: 1 },
])("T-12.11 a thousand expiries, $processes processes of $refreshersEach: one rotation each, no reuse", async (how) => {
  const { generations, ...figures } = await runRefresh({ ...how, accounts: 20, expiriesEach: 50, latencyMs: 500 });
  printFigures(`refresh.${how.processes}x${how.refreshersEach}`, figures);
  expect(figures).toMatchObject({ rotations: 1000, reuses: 0, requests: 1000, auditedRotations: 1000 });
  expect(generations).toEqual([51]);
});

test("T-12.13 a hundred kills in the middle of renewals leave no login broken", async () => {
  const figures = await runRefreshKills(100);
  printFigures("refresh.kill", figures);
  expect(figures).toMatchObject({ kills: 100, broken: 0 });
});
