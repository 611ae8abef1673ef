import { expect, test } from "bun:test";
import { createManualClock, START_MS } from "../../test/playbook/manual-clock.ts";
import { createStreamWatch, type WatchedStream } from "./stream-watch.ts";

function stream() {
  const ticks: number[] = [];
  let stops = 0;
  const watched: WatchedStream = {
    tick: (nowMs) => void ticks.push(nowMs - START_MS),
    stop() {
      stops += 1;
    },
  };
  return { watched, ticks, stops: () => stops };
}

test("looks at every stream with one timer, which ends with the last stream", () => {
  const clock = createManualClock();
  const watch = createStreamWatch(clock);
  const [one, two] = [stream(), stream()];
  watch.add(one.watched);
  watch.add(two.watched);
  expect(clock.timers).toBe(1);
  clock.advance(1_000);
  watch.remove(one.watched);
  clock.advance(500);
  expect(one.ticks).toEqual([500, 1_000]);
  expect(two.ticks).toEqual([500, 1_000, 1_500]);
  expect(watch.active).toBe(1);
  watch.remove(two.watched);
  watch.remove(two.watched);
  expect(clock.timers).toBe(0);
  watch.add(one.watched);
  expect(clock.timers).toBe(1);
});

test("stops each stream once, even when that removes it", () => {
  const watch = createStreamWatch(createManualClock());
  const [one, two] = [stream(), stream()];
  const removing: WatchedStream = { tick: () => undefined, stop: () => watch.remove(removing) };
  for (const watched of [one.watched, removing, two.watched]) watch.add(watched);
  watch.stopAll();
  expect([one.stops(), two.stops()]).toEqual([1, 1]);
  expect(watch.active).toBe(2);
});
