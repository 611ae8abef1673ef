import { expect, test } from "bun:test";
import { memberOf, textMemberOf } from "./json-member.ts";

test("gives an own member of an object", () => {
  expect(memberOf({ a: 1 }, "a")).toBe(1);
  expect(textMemberOf({ a: "x" }, "a")).toBe("x");
});

test.each([
  { value: null },
  { value: undefined },
  { value: 1 },
  { value: "text" },
  { value: [] },
  { value: {} },
  { value: JSON.parse('{"__proto__":{"a":1}}') },
])("finds nothing in $value", ({ value }) => {
  expect(memberOf(value, "a")).toBeUndefined();
  expect(memberOf(value, "toString")).toBeUndefined();
  expect(textMemberOf(value, "a")).toBeNull();
});

test("does not take a number for a text", () => {
  expect(textMemberOf({ a: 1 }, "a")).toBeNull();
});
