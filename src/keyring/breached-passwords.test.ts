import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openBreachedPasswords } from "./breached-passwords.ts";

const isBreached = openBreachedPasswords();

test("T-3.03 the list is sorted, has no entry twice and has as many as the documentation says", () => {
  const list = readFileSync(join(import.meta.dir, "breached-passwords.bin"));
  expect(list.length).toBe(56_258 * 5);
  for (let at = 5; at < list.length; at += 5) {
    expect(list.compare(list, at - 5, at, at, at + 5)).toBe(1);
  }
});

test("T-3.03 the 3,000 most common passwords are all refused, in capitals too", () => {
  // From Openwall's list of 2011-11-20, which its compiler takes to be in the public domain.
  const common = readFileSync(join(import.meta.dir, "golden/common-passwords.txt"), "utf8")
    .trim()
    .split("\n");
  expect(common.length).toBe(3000);
  expect(common.filter((password) => !isBreached(password) || !isBreached(password.toUpperCase()))).toEqual([]);
});

test.each(["Dragon1987", "1qaz2wsx3edc4rfv", "P@ssw0rd!", "passwordpassword", "**Superman2024**", "m0nk3y123"])(
  "T-3.03 %s is a common password with something around it",
  (password) => {
    expect(isBreached(password)).toBe(true);
  },
);

test.each(["", "correct horse battery staple", "kw xq vb zm pf hj", "ab1234567890", "dragon19283746501928"])(
  "T-3.03 %j is in no list",
  (password) => {
    expect(isBreached(password)).toBe(false);
  },
);

test("T-3.03 of 20,000 random passwords none is refused", () => {
  const refused: string[] = [];
  for (let round = 0; round < 20_000; round += 1) {
    const password = Buffer.from(crypto.getRandomValues(new Uint8Array(12))).toString("base64");
    if (isBreached(password)) refused.push(password);
  }
  expect(refused).toEqual([]);
});
