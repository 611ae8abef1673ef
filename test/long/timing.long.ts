import { expect, setDefaultTimeout, test } from "bun:test";
import { memoryKeyring } from "../../bench/memory-keyring.ts";
import { seededRandom } from "../../bench/random.ts";
import { MAX_ABS_T, probeTiming } from "../../bench/timing-probe.ts";
import { timingCases } from "../../bench/timing-subjects.ts";
import { createPasswords } from "../../src/keyring/passwords.ts";
import { printFigures } from "../e2e/figures.ts";

setDefaultTimeout(300_000);
const SAMPLES = 60_000;
/** Each takes a third of a second. */
const SLOW_SAMPLES = 60;
const SEED = 20_261_124;

const keyring = await memoryKeyring();
const cases = await timingCases(keyring);

test.each(cases.map((one) => [one.id, one.name, one] as const))("%s %s", async (id, name, { subject, control }) => {
  const options = { samples: SAMPLES, random: seededRandom(SEED) };
  const found = await probeTiming(subject, options);
  const careless = await probeTiming(control, options);
  const t = (values: readonly number[]): string => values.map((value) => value.toFixed(1)).join(" then ");
  printFigures(`timing.${id}`, {
    name,
    t: t(found.t),
    differenceNs: found.differenceNs.toFixed(1),
    carelessT: t(careless.t),
    carelessDifferenceNs: careless.differenceNs.toFixed(1),
  });
  expect({ name, leaks: found.leaks, t: found.t }).toMatchObject({ leaks: false });
  expect({ name, leaks: careless.leaks, t: careless.t }).toMatchObject({ leaks: true });
});

test("T-29.04 password at its real cost, user known or not", async () => {
  const passwords = createPasswords(keyring);
  const hashed = await passwords.hash("the right password");
  if (!hashed.ok) throw new Error("Cannot hash a password: busy");
  const subject = {
    name: "verify",
    inputs: [[hashed.value], [null]] as const,
    run: (stored: string | null) => passwords.verify("a wrong password", stored),
  };
  const { t, leaks, differenceNs } = await probeTiming(subject, { samples: SLOW_SAMPLES, random: seededRandom(SEED) });
  printFigures("timing.T-29.04.real", { t: t.map((one) => one.toFixed(1)).join(" then "), differenceNs });
  expect(leaks).toBe(false);
  expect(Math.abs(t.at(-1) ?? Number.NaN)).toBeLessThan(MAX_ABS_T);
});
