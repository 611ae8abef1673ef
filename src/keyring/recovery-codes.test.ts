import { expect, test } from "bun:test";
import { epochMs } from "../kernel/time.ts";
import { freshKeyring } from "./fresh-keyring.test.ts";
import { createRecoveryCodes } from "./recovery-codes.ts";

test("T-9.09 ten codes of 128 bits each, and no two are the same", async () => {
  const codes = createRecoveryCodes(await freshKeyring());
  const { shown, macs } = codes.make();
  expect([shown.length, macs.length]).toEqual([10, 10]);
  expect(new Set([...shown, ...codes.make().shown]).size).toBe(20);
  // 26 characters of 5 bits hold 128 bits and two zeros.
  for (const code of shown) expect(code).toMatch(/^(?:[a-z2-7]{5}-){4}[a-z2-7]{5}[aeimquy4]$/);
});

test("T-9.09 a code is found by its HMAC, as a person types it, and no other code is", async () => {
  const codes = createRecoveryCodes(await freshKeyring());
  const { shown, macs } = codes.make();
  for (const [at, code] of shown.entries()) {
    const expected = Buffer.from(macs[at] ?? []).toString("hex");
    for (const typed of [code, code.toUpperCase(), code.replaceAll("-", ""), ` ${code.replaceAll("-", " ")} `]) {
      expect(codes.macs(typed)?.map((mac) => Buffer.from(mac).toString("hex"))).toEqual([expected]);
    }
    const wrong = (code.startsWith("a") ? "b" : "a") + code.slice(1);
    expect(Buffer.from(codes.macs(wrong)?.[0] ?? []).toString("hex")).not.toBe(expected);
  }
});

test("T-9.09 what is no code has no HMAC", async () => {
  const codes = createRecoveryCodes(await freshKeyring());
  const code = codes.make().shown[0] ?? "";
  for (const text of ["", code.slice(1), `${code}a`, `${code.slice(0, -1)}0`, "ａ".repeat(26), "a".repeat(1_000_000)]) {
    expect(codes.macs(text)).toBeNull();
  }
});

test("T-9.09 a code outlives the rotation of the pepper", async () => {
  const keyring = await freshKeyring();
  const codes = createRecoveryCodes(keyring);
  const { shown, macs } = codes.make();
  keyring.ring.promote((await keyring.ring.draw("login-pepper", epochMs(1))).open);
  expect(codes.macs(shown[0] ?? "")?.map((mac) => Buffer.from(mac))).toContainEqual(Buffer.from(macs[0] ?? []));
});
