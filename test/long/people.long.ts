import { expect, test } from "bun:test";
import { codeOfRefusal, createPeopleWorld, must, PASSWORD, SOCKET } from "../../src/control/people-world.test.ts";
import { printFigures } from "../e2e/figures.ts";

/** One takes 0.6 s. With 2,000 of each kind (an hour and more) the difference that can be seen is 3 ms. */
const SAMPLES = Number(process.env["SAMPLES"] ?? 250);
const WRONG = "not the right battery";
const KINDS = ["nobody", "known", "locked", "disabled"] as const;

test("T-3.14 the time of a refusal does not tell unknown, known, locked and disabled users apart", async () => {
  const pace = { monotonicMs: () => performance.now(), sleep: (span: number) => Bun.sleep(span), random: Math.random };
  const world = await createPeopleWorld(null, pace);
  for (const name of KINDS.slice(1)) await world.add(name, "member");
  must(await world.users.disable(SOCKET, "disabled"));
  for (let attempt = 0; attempt < 5; attempt += 1) await world.login("locked", WRONG, null);

  const times: Record<string, number[]> = { nobody: [], known: [], locked: [], disabled: [] };
  const answers = new Set<string>();
  for (let sample = 0; sample < SAMPLES; sample += 1) {
    // Each kind in turn, so that a machine that becomes slower is slower for all.
    for (const name of KINDS) {
      const startedMs = performance.now();
      answers.add(JSON.stringify(await world.login(name, WRONG, null)));
      times[name]?.push(performance.now() - startedMs);
    }
    // The first failure of a window each time, so that the known one never locks.
    const id = (await world.storage.people.users.byName("known"))?.id;
    if (id !== undefined) await world.storage.people.signIns.clearThrottlesOf(id);
    // A minute, for what all together may fail; the lock of "locked" is made to last.
    world.pass(61_000);
    const locked = await world.storage.people.users.byName("locked");
    const lockedUntilMs = world.clock.nowMs + 900_000;
    const state = { failures: 20, consecutive: 20, windowStartMs: world.clock.nowMs, lockedUntilMs };
    if (locked !== null) await world.storage.people.signIns.setThrottle({ userId: locked.id, deviceHash: null }, state);
  }
  expect(answers.size).toBe(1);
  const figures: Record<string, number> = { samples: SAMPLES };
  for (const name of KINDS) {
    const list = times[name] ?? [];
    figures[`${name}Ms`] = mean(list);
    figures[`${name}LeastMs`] = Math.min(...list);
    figures[`${name}T`] = welch(times["nobody"] ?? [], list);
  }
  printFigures("people.timing", figures);
  for (const name of KINDS) {
    expect(Math.abs(figures[`${name}T`] ?? Number.NaN)).toBeLessThan(4.5);
    expect(figures[`${name}LeastMs`] ?? 0).toBeGreaterThanOrEqual(250);
  }
}, 6_000_000);

test("T-3.11 a hundred wrong passwords from a hundred addresses: the account holds, and its own device enters", async () => {
  const world = await createPeopleWorld();
  await world.add("bob", "member");
  const { deviceCookie } = await world.session("bob");
  for (let host = 1; host <= 100; host += 1) {
    await world.login("bob", WRONG, `198.51.100.${host}`);
    world.pass(1_000);
  }
  const state = await world.storage.people.users.byName("bob");
  expect(state?.lockedOutAtMs).toBeNull();
  expect(codeOfRefusal(await world.login("bob", PASSWORD, "198.51.100.200"))).toBe("credentials_refused");
  expect(codeOfRefusal(await world.login("bob", PASSWORD, "192.0.2.1", deviceCookie))).toBe("ok");
}, 300_000);

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function variance(values: readonly number[]): number {
  const middle = mean(values);
  return values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1);
}

/** Welch's t for two samples of unequal variance. */
function welch(left: readonly number[], right: readonly number[]): number {
  const spread = variance(left) / left.length + variance(right) / right.length;
  return spread === 0 ? 0 : (mean(left) - mean(right)) / Math.sqrt(spread);
}
