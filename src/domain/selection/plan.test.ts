import { expect, test } from "bun:test";
import { durationMs } from "../../kernel/time.ts";
import { account, at, benched, createScene, opus, requestsLeft, throttled, warned } from "./scene-for-tests.ts";

const a = account("a");
const b = account("b");
const c = account("c");

test("explains what speaks against each account", () => {
  const paused = account("paused", { isPaused: true });
  const full = account("full");
  const soft = account("soft");
  const half = account("half");
  const scene = createScene([a, b, c, full, half, paused, soft]);
  scene.learn(benched(b, 60), requestsLeft(full, 0, 3), warned(soft), throttled(half));
  scene.seconds = 3;
  const skips = scene.selector.explain(
    scene.question({ tried: new Set([a.id]), demand: { inputTokens: 1, outputTokens: 1 } }),
  );
  expect(skips.map(({ accountId, reason }) => `${accountId} ${reason}`)).toEqual([
    "a already_tried",
    "b rate_limited",
    "full no_room",
    "half half_open",
    "paused paused",
    "soft near_limit",
  ]);
  expect(skips[1]).toEqual({
    accountId: b.id,
    reason: "rate_limited",
    untilMs: at(60),
    cause: "status 429, retry-after",
  });
  expect(skips.find(({ reason }) => reason === "no_room")).toMatchObject({ accountId: full.id, cause: "requests" });
});

test("takes a slow account for slow, and a ready one for nothing", () => {
  const scene = createScene([a, b]);
  for (let index = 0; index < 5; index += 1) {
    scene.books.latency.note({ accountId: a.id, modelClass: opus }, durationMs(30_000), at(0));
    scene.books.latency.note({ accountId: b.id, modelClass: opus }, durationMs(1_000), at(0));
  }
  expect(scene.selector.explain(scene.question())).toEqual([
    { accountId: a.id, reason: "slow", untilMs: null, cause: null },
  ]);
});
