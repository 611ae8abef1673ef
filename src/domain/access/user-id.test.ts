import { expect, test } from "bun:test";
import { parseUserId } from "./user-id.ts";

const GOOD = "0190c8a1-7b3c-7def-8abc-0123456789ab";

test("a UUIDv7 in lower case is a user id", () => {
  expect(String(parseUserId(GOOD))).toBe(GOOD);
  expect(parseUserId(Bun.randomUUIDv7())).not.toBeNull();
});

test.each([
  ["another version", GOOD.replace("-7def", "-4def")],
  ["another variant", GOOD.replace("-8abc", "-0abc")],
  ["upper case", GOOD.toUpperCase()],
  ["a name of JavaScript's own", "__proto__"],
  ["nothing", ""],
  ["a line break behind", `${GOOD}\n`],
])("%s is none", (_what, text) => {
  expect(parseUserId(text)).toBeNull();
});
