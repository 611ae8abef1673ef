import { expect, test } from "bun:test";
import { account } from "../../test/playbook/stage.ts";
import { modelClassOf } from "../domain/account/model-class.ts";
import { type PoolEvent, subjectOf } from "../domain/pool/pool-event.ts";
import { epochMs } from "../kernel/time.ts";
import { createInProcessCoordination } from "./in-process.ts";

const on = subjectOf(account("a"), null, modelClassOf(null));

function failedAt(ms: number): readonly PoolEvent[] {
  return [{ type: "origin_failed", on, atMs: epochMs(ms), cause: "scripted" }];
}

test("what is published comes back before publish returns, to every listener", () => {
  const cluster = createInProcessCoordination();
  const heard: (readonly PoolEvent[])[] = [];
  cluster.onEvents((events) => void heard.push(events));
  cluster.onEvents((events) => void heard.push(events));
  const events = failedAt(1);
  cluster.publish(events);
  expect(heard).toEqual([events, events]);
});

test("what is published while a listener hears is heard next, in one order by all", () => {
  const cluster = createInProcessCoordination();
  const first: number[] = [];
  const second: number[] = [];
  const instant = ([event]: readonly PoolEvent[]) => (event?.type === "origin_failed" ? event.atMs : -1);
  cluster.onEvents((events) => {
    first.push(instant(events));
    if (instant(events) === 1) {
      cluster.publish(failedAt(2));
      cluster.publish(failedAt(3));
    }
  });
  cluster.onEvents((events) => void second.push(instant(events)));
  cluster.publish(failedAt(1));
  expect([first, second]).toEqual([
    [1, 2, 3],
    [1, 2, 3],
  ]);
});

test("a listener that fails does not stop the next publication", () => {
  const cluster = createInProcessCoordination();
  let heard = 0;
  cluster.onEvents(() => {
    heard += 1;
    if (heard === 1) throw new Error("scripted bug");
  });
  expect(() => cluster.publish(failedAt(1))).toThrow("scripted bug");
  cluster.publish(failedAt(2));
  expect(heard).toBe(2);
});
