import { expect, test } from "bun:test";
import { epochMs } from "../../kernel/time.ts";
import { modelClassOf } from "../account/model-class.ts";
import { readLimitFacts } from "./limit-headers.ts";
import { classOfPlanWindow, isOfWholePlan, planScope } from "./limit-scope.ts";

test.each([
  ["5h", null],
  ["7d", null],
  ["7d_oi", null],
  ["slow-budget", null],
  ["7d_opus", "claude-opus-4-5"],
  ["7d_sonnet", "claude-sonnet-4-5"],
])("the window %s is of the class of %p", (name, model) => {
  expect(classOfPlanWindow(name)).toBe(model === null ? null : modelClassOf(model));
});

test("a window of a class that we do not know is no other class's", () => {
  expect(classOfPlanWindow("7d_cowork")).toBe(modelClassOf("cowork"));
});

test.each(["five_hour", "seven_day", "5h", "7d"])("%s is of the whole plan", (name) => {
  expect(isOfWholePlan(name)).toBe(true);
});

test.each(["seven_day_opus", "7d_opus", "overage", "7d_oi", ""])("%p is not of the whole plan", (name) => {
  expect(isOfWholePlan(name)).toBe(false);
});

test("windows that are no plan's say nothing about the plan", () => {
  const limits = readLimitFacts([["anthropic-ratelimit-5h-status", "rejected"]], epochMs(0));
  expect(planScope(limits, (status) => status === "rejected")).toBe("class");
});
