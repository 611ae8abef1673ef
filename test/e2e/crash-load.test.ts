import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { type CrowdStage, startCrowdStage } from "./crowd-run.ts";
import { printFigures } from "./figures.ts";

setDefaultTimeout(60_000);
const CONNECTIONS = 500;
const HEALTHY_REQUESTS = 150;
const MAX_HEALTHY_P99_MS = 1_000;
const MAX_RSS_MIB = 300;

let stage: CrowdStage;

beforeAll(async () => {
  stage = await startCrowdStage(500);
});

afterAll(async () => {
  expect(await stage.stop()).toBe(0);
});

test.each(["slow-heads", "slow-bodies", "streams"] as const)("500 %s starve no healthy client", async (mode) => {
  const figures = await stage.run(mode, CONNECTIONS, HEALTHY_REQUESTS);
  printFigures(`load.${mode}`, figures);
  expect(figures.crowd).toMatchObject({ failed: 0, refused: 0, open: CONNECTIONS });
  expect(figures.healthy.failures).toBe(0);
  expect(figures.healthy.p99Ms).toBeLessThan(MAX_HEALTHY_P99_MS);
  expect(figures.rssMib).toBeLessThan(MAX_RSS_MIB);
  if (mode === "streams") expect(figures.crowd.events).toBeGreaterThan(CONNECTIONS);
});
