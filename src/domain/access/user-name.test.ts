import { expect, test } from "bun:test";
import { canonicalUserName } from "./user-name.ts";

test.each(["Bob", "bob", "bob@x", "bob ", "ｂｏｂ", "\tBOB@example.com\n"])("T-3.09 %j is bob", (text) => {
  expect(canonicalUserName(text)).toBe("bob");
});

test.each([
  ["A.b_c-9", "a.b_c-9"],
  ["ﬁona", "fiona"],
  ["Straße", "strasse"],
  ["x".repeat(64), "x".repeat(64)],
])("T-3.09 %j is %j", (text, name) => {
  expect(canonicalUserName(text)).toBe(name);
});

test.each(["", " ", "@x", "bob@@x", "a@b@c", "b ob", "-bob", "bоb", "bob\u0000", "../bob", "x".repeat(65)])(
  "T-3.09 %j is no name",
  (text) => {
    expect(canonicalUserName(text)).toBeNull();
  },
);

test("T-3.09 a million characters are no name", () => {
  expect(canonicalUserName("x".repeat(1_000_000))).toBeNull();
});

test("T-3.09 a canonical name is its own canonical name", () => {
  for (const text of ["Bob@x", "STRASSE", "ﬁona"]) {
    const name = canonicalUserName(text) ?? "";
    expect(canonicalUserName(name)).toBe(name);
  }
});
