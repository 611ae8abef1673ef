import { expect, test } from "bun:test";
import { thinkingDroppedOf } from "./thinking-dropped.ts";

const dropped = { type: "thinking_dropped", path: "messages.1.content.0", reason: "organization_binding_mismatch" };

test.each([
  { what: "not reported", value: undefined, expected: null },
  { what: "null", value: null, expected: null },
  { what: "no list", value: { length: 3 }, expected: null },
  { what: "an empty list", value: [], expected: 0 },
  { what: "two blocks", value: [dropped, dropped], expected: 2 },
  { what: "entries of other kinds", value: [{ ...dropped, type: "thinking_mismatch_allowed" }, 7, null], expected: 0 },
])("counts $what as $expected", ({ value, expected }) => {
  expect(thinkingDroppedOf(value)).toBe(expected);
});
