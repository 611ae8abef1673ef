import { describe, expect, test } from "bun:test";
import { parseLabel, parseName } from "./name.ts";

describe("names", () => {
  test.each(["a", "work", "team.a_b-1", "9", "...", "x".repeat(64)])("takes %j", (text) => {
    expect(parseName("add account", text)).toEqual({ ok: true, value: text });
  });

  test.each(["", ".", "..", "a b", "a/b", "ä", "a\n", "x".repeat(65), "a%2Fb", "\u0000"])("refuses %j", (text) => {
    const parsed = parseName("add account", text);
    expect(parsed).toMatchObject({ ok: false, error: { code: "name_invalid", field: "name" } });
    if (!parsed.ok) expect(parsed.error.message).toStartWith("Cannot add account: ");
  });

  test("does not repeat a name that is too long, since it may be a key in the wrong place", () => {
    const parsed = parseName("add account", `sk-ant-api03-${"k".repeat(95)}`);
    expect(JSON.stringify(parsed)).not.toContain("kkkk");
  });
});

describe("organization and workspace", () => {
  test.each([null, "org_1", "0b2f6e0c-5f6a", "a:b", "x".repeat(128)])("takes %j", (text) => {
    expect(parseLabel("add account", "workspace", text)).toEqual({ ok: true, value: text });
  });

  test.each(["", "a b", "x".repeat(129), "a\r\nb"])("refuses %j and names the field", (text) => {
    const parsed = parseLabel("add account", "workspace", text);
    expect(parsed).toMatchObject({ ok: false, error: { code: "label_invalid", field: "workspace" } });
  });
});
