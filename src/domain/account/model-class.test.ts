import { expect, test } from "bun:test";
import { modelClassOf, NO_MODEL_CLASS } from "./model-class.ts";

test.each([
  ["claude-opus-4-5-20251101", "opus"],
  ["claude-3-5-haiku-latest", "haiku"],
  ["claude-3-5-sonnet-20241022", "sonnet"],
  ["claude-sonnet-4-5[1m]", "sonnet"],
  ["claude-fable-5-1", "fable"],
  ["us.anthropic.claude-opus-4-5-20251101-v1:0", "opus"],
  ["claude-haiku-4-5@20251001", "haiku"],
  ["Claude-Opus-4", "opus"],
  ["claude-opusculum-1", "claude-opusculum-1"],
  ["claude-2.1", "claude-2.1"],
  ["claude-nova-7-20270101", "claude-nova-7"],
  ["claude-nova-7-latest", "claude-nova-7"],
  ["claude-nova-7@20270101", "claude-nova-7"],
  ["claude-nova-7-20270101-v1:0", "claude-nova-7"],
  ["-latest", "-latest"],
])("puts %s into the class %s", (model, expected) => {
  expect(String(modelClassOf(model))).toBe(expected);
});

test("gives a request without a model a class of its own", () => {
  expect(modelClassOf(null)).toBe(NO_MODEL_CLASS);
  expect(modelClassOf("")).toBe(NO_MODEL_CLASS);
});

test("keeps at most 128 characters of a model that a client made up", () => {
  expect(modelClassOf("[".repeat(1_000_000))).toHaveLength(128);
});
