import { expect, test } from "bun:test";
import { parseCredential } from "./credential.ts";

test.each(["sk-ant-api03-abc", "x", "k".repeat(8192), "a.b-c_d~e+f/g=="])(
  "takes a credential of visible ASCII",
  (text) => {
    const parsed = parseCredential(text);
    expect(parsed.ok && parsed.value.reveal()).toBe(text);
  },
);

test.each([
  { what: "nothing", text: "" },
  { what: "a line break at the end", text: "sk-ant-api03-abc\n" },
  { what: "a space inside", text: "sk-ant api" },
  { what: "a header break", text: "abc\r\nx-evil: 1" },
  { what: "a zero byte", text: "abc\u0000" },
  { what: "a delete character", text: "abc\u007f" },
  { what: "letters outside ASCII", text: "schlüssel" },
  { what: "more than 8 KiB", text: "k".repeat(8193) },
])("refuses $what", ({ text }) => {
  expect(parseCredential(text)).toMatchObject({
    ok: false,
    error: { code: "credential_invalid", field: "credential" },
  });
});

test.each(["sk-ant-oat01-canary", "sk-ant-ort01-canary", "SK-ANT-OAT01-canary"])(
  "explains why %s is no account",
  (text) => {
    const parsed = parseCredential(text);
    expect(parsed).toMatchObject({ ok: false, error: { code: "credential_personal", field: "credential" } });
    if (!parsed.ok) {
      expect(parsed.error.message).toContain("personal claude.ai login token");
      expect(parsed.error.message).toContain("sk-ant-api");
      expect(parsed.error.message).not.toContain("canary");
    }
  },
);

test("no refusal repeats the credential", () => {
  for (const text of ["canary value", "canary\u0000", "canary".repeat(2000), "sk-ant-oat01-canary"]) {
    expect(JSON.stringify(parseCredential(text))).not.toContain("canary");
  }
});
