import { describe, expect, test } from "bun:test";
import { epochMs } from "../../kernel/time.ts";
import { judgePins, parsePinSet } from "./pin-set.ts";

const A = `${"A".repeat(43)}=`;
const B = `${"B".repeat(43)}=`;
const untilMs = Date.parse("2027-06-30T00:00:00Z");

describe("T-25.09 a set of pins", () => {
  test("T-25.09 is a host, a mode, a last day and two pins", () => {
    expect(parsePinSet(`API.example.com enforce 2027-06-30 sha256/${A} sha256/${B}`)).toEqual({
      ok: true,
      value: { host: "api.example.com", mode: "enforce", untilMs: epochMs(untilMs), pins: [A, B] },
    });
  });

  test.each([
    { text: `h enforce 2027-06-30 sha256/${A}`, fact: "one pin" },
    { text: `h enforce 2027-06-30 sha256/${A} sha256/${A}`, fact: "one pin" },
    { text: `h enforce 2027-02-30 sha256/${A} sha256/${B}`, fact: "no day" },
    { text: `h enforce 2027-13-01 sha256/${A} sha256/${B}`, fact: "no day" },
    { text: `h enforce sha256/${A} sha256/${B}`, fact: "host, mode, date" },
    { text: `h warn 2027-06-30 sha256/${A} sha256/${B}`, fact: "host, mode, date" },
    { text: `h enforce 2027-06-30 sha1/${A} sha256/${B}`, fact: "host, mode, date" },
    { text: "", fact: "host, mode, date" },
  ])("T-25.09 $text is refused", ({ text, fact }) => {
    const parsed = parsePinSet(text);
    expect(parsed.ok ? "" : parsed.error).toContain(fact);
  });

  const set = { host: "h", untilMs: epochMs(untilMs), pins: [A, B] };
  test.each([
    { mode: "enforce" as const, keys: ["x", B], atMs: 0, verdict: "matches" as const },
    { mode: "enforce" as const, keys: ["x"], atMs: untilMs - 1, verdict: "refuse" as const },
    { mode: "enforce" as const, keys: ["x"], atMs: untilMs, verdict: "report" as const },
    { mode: "enforce" as const, keys: [], atMs: 0, verdict: "refuse" as const },
    { mode: "report" as const, keys: ["x"], atMs: 0, verdict: "report" as const },
  ])("T-25.09 $mode, keys $keys at $atMs: $verdict", ({ mode, keys, atMs, verdict }) => {
    expect(judgePins({ ...set, mode }, keys, epochMs(atMs))).toBe(verdict);
  });
});
