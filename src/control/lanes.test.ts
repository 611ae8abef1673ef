import { expect, test } from "bun:test";
import { err, ok } from "../kernel/result.ts";
import { createLanes } from "./lanes.ts";

test("work of one key never overlaps, keeps its order, and a failure does not stop the next", async () => {
  const lanes = createLanes(10);
  const seen: string[] = [];
  const step = (name: string, fails = false) =>
    lanes.run("bob", async () => {
      seen.push(`${name} begins`);
      await new Promise((done) => setImmediate(done));
      seen.push(`${name} ends`);
      if (fails) throw new Error(name);
      return name;
    });
  const results = await Promise.allSettled([step("one"), step("two", true), step("three")]);
  expect(seen).toEqual(["one begins", "one ends", "two begins", "two ends", "three begins", "three ends"]);
  expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
});

test("who would wait behind too many is refused, others are not", async () => {
  const lanes = createLanes(1);
  const gate = Promise.withResolvers<string>();
  const first = lanes.run("bob", () => gate.promise);
  const second = lanes.run("bob", async () => "second");
  expect(await lanes.run("bob", async () => "third")).toEqual(err("busy"));
  expect(await lanes.run("eve", async () => "eve")).toEqual(ok("eve"));
  gate.resolve("first");
  expect(await Promise.all([first, second])).toEqual([ok("first"), ok("second")]);
  expect(await lanes.run("bob", async () => "later")).toEqual(ok("later"));
});
