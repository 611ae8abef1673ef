import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { streamsThatFit } from "../e2e/crowd.ts";
import { type CrowdStage, startCrowdStage } from "../e2e/crowd-run.ts";
import { printFigures } from "../e2e/figures.ts";

setDefaultTimeout(600_000);
const CONNECTIONS = 10_000;
/** 5,000 events a second over all streams: what a busy team makes. */
const EVENT_DELAY_MS = 2_000;
const HEALTHY_REQUESTS = 2_000;
const MAX_HEALTHY_P99_MS = 1_000;
const MAX_RSS_MIB = 700;

let stage: CrowdStage;

beforeAll(async () => {
  stage = await startCrowdStage(EVENT_DELAY_MS);
});

afterAll(async () => {
  expect(await stage.stop()).toBe(0);
});

test("10,000 connections that trickle their heads starve no healthy client", async () => {
  const figures = await stage.run("slow-heads", CONNECTIONS, HEALTHY_REQUESTS);
  printFigures("ten-thousand.slow-heads", figures);
  expect(figures.crowd.opened).toBeGreaterThanOrEqual(CONNECTIONS);
  expect(figures.crowd.failed).toBe(0);
  expect(figures.healthy.failures).toBe(0);
  expect(figures.healthy.p99Ms).toBeLessThan(MAX_HEALTHY_P99_MS);
  expect(figures.rssMib).toBeLessThan(MAX_RSS_MIB);
});

test("10,000 open streams starve no healthy client and fit into 700 MiB", async () => {
  // "ulimit -n" with less than 20,200 gives as many as fit, and the figure says so.
  const streams = streamsThatFit(CONNECTIONS);
  const figures = await stage.run("streams", streams, HEALTHY_REQUESTS);
  printFigures("ten-thousand.streams", figures);
  expect(figures.crowd).toMatchObject({ open: streams, failed: 0, refused: 0, closedByServer: 0 });
  expect(figures.crowd.events).toBeGreaterThan(streams * 2);
  expect(figures.healthy.failures).toBe(0);
  expect(figures.healthy.p99Ms).toBeLessThan(MAX_HEALTHY_P99_MS);
  expect(figures.rssMib).toBeLessThan(MAX_RSS_MIB);
});
