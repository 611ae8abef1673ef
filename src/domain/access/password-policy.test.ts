import { expect, test } from "bun:test";
import { passwordProblem } from "./password-policy.ts";

const open = { words: [], hasMfa: false, isBreached: () => false };
const withMfa = { ...open, hasMfa: true };
const text = (length: number): string => "xq7 kw".repeat(Math.ceil(length / 6)).slice(0, length);

test.each([
  { length: 0, alone: false, beside: false },
  { length: 7, alone: false, beside: false },
  { length: 8, alone: false, beside: true },
  { length: 14, alone: false, beside: true },
  { length: 15, alone: true, beside: true },
  { length: 64, alone: true, beside: true },
  { length: 256, alone: true, beside: true },
  { length: 257, alone: false, beside: false },
  { length: 1_000_000, alone: false, beside: false },
])("T-3.01 $length characters: alone $alone, beside a second factor $beside", ({ length, alone, beside }) => {
  expect(passwordProblem(text(length), open) === null).toBe(alone);
  expect(passwordProblem(text(length), withMfa) === null).toBe(beside);
});

test("T-3.01 a character is a code point, not a byte and not half of a pair", () => {
  expect(passwordProblem("🐎".repeat(14), open)).toContain("at least 15 characters and this one has 14");
  expect(passwordProblem("🐎".repeat(15), open)).toBeNull();
  expect(passwordProblem("🐎".repeat(256), open)).toBeNull();
  expect(passwordProblem("🐎".repeat(257), open)).toContain("at most 256");
  expect(passwordProblem("e\u0301".repeat(14), open)).toContain("has 14");
  expect(passwordProblem("\ud83d".repeat(20), open)).toContain("not valid Unicode");
});

test.each([
  ["small letters alone", "kwxqvbzmpfhjrtd"],
  ["capitals alone", "KWXQVBZMPFHJRTD"],
  ["digits alone", "583920174658203"],
  ["signs alone", "#!?&%/()=+*~-_;"],
  ["spaces inside", "kw xq vb zm pf hj"],
  ["spaces at the ends", "  kwxqvbzmpfhjr  "],
  ["another script", "лошадьбатареяскоба"],
  ["signs that break things", "'; DROP--\"<b>\\$\n"],
])("T-3.02 no rule asks for certain characters: %s", (_name, password) => {
  expect(passwordProblem(password, open)).toBeNull();
});

test("T-3.03 what the list knows is refused, in NFC", () => {
  const asked: string[] = [];
  const isBreached = (password: string): boolean => asked.push(password) > 0;
  expect(passwordProblem("e\u0301".repeat(15), { ...open, isBreached })).toContain("stolen");
  expect(asked).toEqual(["é".repeat(15)]);
});

test.each([
  { password: "annabelle-2026!", words: ["Annabelle"], isRefused: true },
  { password: "AnnaBelleAnnaBelle", words: ["annabelle"], isRefused: true },
  { password: "better-ccflare-1", words: [], isRefused: true },
  { password: "Claude!Claude!Claude!", words: [], isRefused: true },
  { password: "annabelle has nine green horses", words: ["annabelle"], isRefused: false },
  { password: "bobobobobobobobo", words: ["bob"], isRefused: false },
  { password: "kw xq vb zm pf hj", words: ["", " "], isRefused: false },
])("T-3.03 $password with $words: refused $isRefused", ({ password, words, isRefused }) => {
  expect(passwordProblem(password, { ...open, words }) !== null).toBe(isRefused);
});

test("an answer never repeats the password", () => {
  for (const password of ["kwxqvb", "claude-claude-claude", "k".repeat(300)]) {
    expect(passwordProblem(password, open)).not.toContain(password);
  }
});
