import { expect, test } from "bun:test";
import { createManualClock } from "../../test/playbook/manual-clock.ts";
import { after, durationMs } from "../kernel/time.ts";
import { createQueue } from "./queue.ts";

const NONE = durationMs(0);
const LISTENING = new AbortController().signal;

function queueOf(maxWaiting = 2) {
  const clock = createManualClock();
  const queue = createQueue({ clock, maxWaitMs: durationMs(1_000), maxWaiting });
  return { clock, queue, at: (ms: number) => after(clock.now(), durationMs(ms)) };
}

test("waits until the instant, and says for how long", async () => {
  const { clock, queue, at } = queueOf();
  const waiting = queue.wait(at(700), NONE, LISTENING);
  expect(queue.waiting).toBe(1);
  clock.advance(700);
  expect(await waiting).toEqual({ kind: "ready", waitedMs: durationMs(700) });
  expect(queue.waiting).toBe(0);
});

test("an instant that has passed is ready at once", async () => {
  const { clock, queue } = queueOf();
  const waiting = queue.wait(clock.now(), NONE, LISTENING);
  clock.advance(0);
  expect(await waiting).toEqual({ kind: "ready", waitedMs: NONE });
});

test.each([
  { spanMs: 1_000, waitedMs: 0, kind: "ready" },
  { spanMs: 1_001, waitedMs: 0, kind: "too_far" },
  { spanMs: 400, waitedMs: 600, kind: "ready" },
  { spanMs: 401, waitedMs: 600, kind: "too_far" },
] as const)("$spanMs ms more after $waitedMs ms is $kind", async ({ spanMs, waitedMs, kind }) => {
  const { clock, queue, at } = queueOf();
  const waiting = queue.wait(at(spanMs), durationMs(waitedMs), LISTENING);
  clock.advance(spanMs);
  expect((await waiting).kind).toBe(kind);
});

test("takes no more than it may hold", async () => {
  const { clock, queue, at } = queueOf(1);
  const first = queue.wait(at(10), NONE, LISTENING);
  expect(await queue.wait(at(10), NONE, LISTENING)).toEqual({ kind: "full", waitedMs: NONE });
  clock.advance(10);
  await first;
  expect(queue.waiting).toBe(0);
});

test("a client that leaves is gone at once", async () => {
  const { clock, queue, at } = queueOf();
  const client = new AbortController();
  const waiting = queue.wait(at(500), NONE, client.signal);
  clock.advance(200);
  client.abort();
  expect(await waiting).toEqual({ kind: "gone", waitedMs: durationMs(200) });
  expect(clock.timers).toBe(0);
});
