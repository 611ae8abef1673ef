import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { memoryKeyring } from "./memory-keyring.ts";
import { seededRandom } from "./random.ts";
import { MAX_ABS_T, probeTiming, welchT } from "./timing-probe.ts";
import { timingCases } from "./timing-subjects.ts";

setDefaultTimeout(30_000);
/** Enough to see what a careless version gives away; the figures that count are those of the long test. */
const SAMPLES = 6_000;
const cases = await timingCases(await memoryKeyring());

test("T-29.00 Welch's t is that of a worked example", () => {
  // Worked out with Python's statistics module.
  const first = [17.2, 20.9, 22.6, 18.1, 21.7, 21.4, 23.5, 24.2, 14.7, 21.8];
  const second = [21.5, 22.8, 21.0, 23.0, 21.6, 23.6, 22.5, 20.7, 23.4, 21.8];
  expect(welchT(first, second)).toBeCloseTo(-1.5751246586603938, 10);
  expect(welchT(second, first)).toBeCloseTo(1.5751246586603938, 10);
  expect(welchT([1, 1], [1, 1])).toBe(0);
});

test("T-29.00 no samples are no proof of innocence", async () => {
  const nothing = { name: "nothing", inputs: [["a"], ["b"]] as const, run: () => null };
  const verdict = await probeTiming(nothing, { samples: 1, random: seededRandom(1) });
  expect(verdict.leaks).toBe(true);
});

test("T-29.00 two kinds that are the same do not differ", async () => {
  const inputs = [
    ["a", "b", "c"],
    ["a", "b", "c"],
  ] as const;
  const hash = { name: "same", inputs, run: (text: string) => new Bun.CryptoHasher("sha256").update(text).digest() };
  const verdict = await probeTiming(hash, { samples: SAMPLES, random: seededRandom(2) });
  expect(verdict.leaks).toBe(false);
});

describe("the careless version is found out:", () => {
  test.each(cases.map((one) => [one.id, one.name, one] as const))("%s %s", async (_id, _name, { control }) => {
    const verdict = await probeTiming(control, { samples: SAMPLES, random: seededRandom(3) });
    expect(verdict.leaks).toBe(true);
    for (const t of verdict.t) expect(Math.abs(t)).toBeGreaterThan(MAX_ABS_T);
  });
});
