import { expect, test } from "bun:test";
import * as phases from "./json-phase.ts";

const { START, MARK_2, MARK_3, OPEN, FIRST_KEY, KEY, NEXT_KEY, COLON, VALUE, AFTER_VALUE, END, BROKEN } = phases;
const { STRING, NESTED, SCALAR } = phases;

/** Every transition that is not in this table leads to BROKEN. */
const TRANSITIONS = [
  [START, "{", FIRST_KEY],
  [START, " ", OPEN],
  [START, "\n", OPEN],
  [START, "\xef", MARK_2],
  [MARK_2, "\xbb", MARK_3],
  [MARK_3, "\xbf", OPEN],
  [OPEN, "\t", OPEN],
  [OPEN, "{", FIRST_KEY],
  [FIRST_KEY, "\r", FIRST_KEY],
  [FIRST_KEY, '"', KEY],
  [FIRST_KEY, "}", END],
  [NEXT_KEY, " ", NEXT_KEY],
  [NEXT_KEY, '"', KEY],
  [COLON, " ", COLON],
  [COLON, ":", VALUE],
  [VALUE, " ", VALUE],
  [VALUE, '"', STRING],
  [VALUE, "{", NESTED],
  [VALUE, "[", NESTED],
  [VALUE, "-", SCALAR],
  [VALUE, "7", SCALAR],
  [VALUE, "t", SCALAR],
  [AFTER_VALUE, " ", AFTER_VALUE],
  [AFTER_VALUE, ",", NEXT_KEY],
  [AFTER_VALUE, "}", END],
  [END, " ", END],
] as const;

test.each(TRANSITIONS)("goes from phase %d with %p to phase %d", (phase, byte, next) => {
  expect(phases.phaseAfter(phase, byte.charCodeAt(0))).toBe(next);
});

test("knows no other way through the structure", () => {
  const structure = '{}[]":,\xef\xbb\xbf\x00\\\x0b'.split("");
  for (const phase of [START, MARK_2, MARK_3, OPEN, FIRST_KEY, NEXT_KEY, COLON, VALUE, AFTER_VALUE, END, BROKEN]) {
    for (const byte of structure) {
      const known = TRANSITIONS.some(([from, by]) => from === phase && by === byte);
      if (!known) expect([phase, byte, phases.phaseAfter(phase, byte.charCodeAt(0))]).toEqual([phase, byte, BROKEN]);
    }
  }
});

test("takes exactly letters, digits, signs and the point for scalar bytes", () => {
  const scalar = Array.from({ length: 256 }, (_, byte) => byte).filter(phases.isScalarByte);
  expect(String.fromCharCode(...scalar)).toBe("+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
});
