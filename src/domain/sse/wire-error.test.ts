import { expect, test } from "bun:test";
import { readWireError, streamErrorStatus } from "./wire-error.ts";

test.each([
  ["invalid_request_error", 400],
  ["authentication_error", 401],
  ["billing_error", 402],
  ["permission_error", 403],
  ["not_found_error", 404],
  ["conflict_error", 409],
  ["request_too_large", 413],
  ["rate_limit_error", 429],
  ["api_error", 500],
  ["timeout_error", 504],
  ["overloaded_error", 529],
  ["a_new_error", 500],
  ["toString", 500],
  ["", 500],
])("judges %p as status %d", (type, status) => {
  expect(streamErrorStatus(type)).toBe(status);
});

test.each([
  { wire: { type: "api_error", message: "m", extra: 1 }, expected: { type: "api_error", message: "m" } },
  { wire: {}, expected: { type: "api_error", message: "" } },
  { wire: { type: 5, message: null }, expected: { type: "api_error", message: "" } },
  { wire: { type: "", message: "m" }, expected: { type: "api_error", message: "m" } },
  { wire: null, expected: null },
  { wire: "text", expected: null },
])("reads $wire as $expected", ({ wire, expected }) => {
  expect(readWireError(wire)).toEqual(expected);
});

test("cuts a long type and a long message, never inside a surrogate pair", () => {
  const error = readWireError({ type: "t".repeat(500), message: `${"m".repeat(2047)}\u{1d11e}` });
  expect(error).toEqual({ type: "t".repeat(128), message: "m".repeat(2047) });
  expect(readWireError({ message: "m".repeat(3000) })?.message).toHaveLength(2048);
});
