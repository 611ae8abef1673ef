import { expect, setDefaultTimeout, test } from "bun:test";
import type { Passwords } from "../control/proof-ports.ts";
import { epochMs } from "../kernel/time.ts";
import { freshKeyring } from "./fresh-keyring.test.ts";
import { parsePasswordHash } from "./password-hash.ts";
import { createPasswords } from "./passwords.ts";
import type { ScryptCost } from "./scrypt.ts";

setDefaultTimeout(60_000);

/** For what does not depend on the costs: 0.4 s a time would make nobody run these. */
const CHEAP: ScryptCost = { log2N: 10, r: 8, p: 1 };

async function hashed(passwords: Passwords, password: string): Promise<string> {
  const hash = await passwords.hash(password);
  if (!hash.ok) throw new Error("Cannot hash: busy");
  return hash.value;
}

test("T-3.01 nothing is cut off: 256 characters that differ in the last one are two passwords", async () => {
  const passwords = createPasswords(await freshKeyring(), CHEAP);
  const stored = await hashed(passwords, `${"ä".repeat(255)}a`);
  expect(await passwords.verify(`${"ä".repeat(255)}a`, stored)).toMatchObject({ value: { matches: true } });
  expect(await passwords.verify(`${"ä".repeat(255)}b`, stored)).toMatchObject({ value: { matches: false } });
  expect(await passwords.verify("x".repeat(1_000_000), stored)).toMatchObject({ value: { matches: false } });
});

test("T-3.04 the same password in NFC and NFD is one password", async () => {
  const passwords = createPasswords(await freshKeyring(), CHEAP);
  const text = "Ångström-Übermaß-Ñandú";
  expect(text.normalize("NFC")).not.toBe(text.normalize("NFD"));
  const stored = await hashed(passwords, text.normalize("NFD"));
  expect(await passwords.verify(text.normalize("NFC"), stored)).toMatchObject({ value: { matches: true } });
  expect(await passwords.verify(text.normalize("NFKC"), stored)).toMatchObject({ value: { matches: true } });
  expect(await passwords.verify("Angstrom-Ubermass-Nandu", stored)).toMatchObject({ value: { matches: false } });
});

test("T-3.05 what is stored is a PHC string with N=2^17, r=8, p=1, a salt of 16 and a hash of 32 bytes", async () => {
  const passwords = createPasswords(await freshKeyring());
  const [one, other] = [await hashed(passwords, "correct horse"), await hashed(passwords, "correct horse")];
  expect(one).toMatch(/^\$scrypt\$ln=17,r=8,p=1,keyid=[0-9]+\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  expect(parsePasswordHash(one)?.salt).not.toEqual(parsePasswordHash(other)?.salt as Buffer);
  expect(await passwords.verify("correct horse", one)).toEqual({
    ok: true,
    value: { matches: true, isOutdated: false },
  });
});

test("T-3.06 a hash of other costs still opens, and asks to be made anew", async () => {
  const keyring = await freshKeyring();
  const stored = await hashed(createPasswords(keyring, CHEAP), "a long password");
  const raised = createPasswords(keyring, { ...CHEAP, log2N: 11 });
  expect(await raised.verify("a long password", stored)).toEqual({
    ok: true,
    value: { matches: true, isOutdated: true },
  });
  expect(await raised.verify("another one", stored)).toEqual({
    ok: true,
    value: { matches: false, isOutdated: false },
  });
  const renewed = await hashed(raised, "a long password");
  expect(await raised.verify("a long password", renewed)).toMatchObject({ value: { isOutdated: false } });
});

test("T-3.06 a hash of an older pepper still opens, and asks to be made anew", async () => {
  const keyring = await freshKeyring();
  const passwords = createPasswords(keyring, CHEAP);
  const stored = await hashed(passwords, "a long password");
  keyring.ring.promote((await keyring.ring.draw("login-pepper", epochMs(1))).open);
  expect(await passwords.verify("a long password", stored)).toEqual({
    ok: true,
    value: { matches: true, isOutdated: true },
  });
});

test("a stolen database is not enough: under another pepper no password matches", async () => {
  const stored = await hashed(createPasswords(await freshKeyring(), CHEAP), "a long password");
  const elsewhere = createPasswords(await freshKeyring(), CHEAP);
  expect(await elsewhere.verify("a long password", stored)).toMatchObject({ value: { matches: false } });
});

test.each([
  ["no user", null],
  ["noise", "hunter2"],
  ["a memory bomb", `$scrypt$ln=31,r=8,p=1,keyid=1$${"A".repeat(22)}$${"A".repeat(43)}`],
  ["nothing to work on", `$scrypt$ln=0,r=8,p=1,keyid=1$${"A".repeat(22)}$${"A".repeat(43)}`],
])("T-3.14 %s takes as long as a wrong password", async (_name, stored) => {
  const passwords = createPasswords(await freshKeyring(), { ...CHEAP, log2N: 15 });
  const real = await hashed(passwords, "a long password");
  const timeOf = async (hash: string | null): Promise<number> => {
    const startMs = performance.now();
    expect(await passwords.verify("a wrong one", hash)).toMatchObject({ value: { matches: false } });
    return performance.now() - startMs;
  };
  const ratios: number[] = [];
  for (let round = 0; round < 5; round += 1) ratios.push((await timeOf(stored)) / (await timeOf(real)));
  expect(ratios.toSorted((a, b) => a - b)[2]).toBeGreaterThan(0.5);
});

test("T-3.07 of 20 parallel logins two are worked on, sixteen wait and the rest is told to come back", async () => {
  const passwords = createPasswords(await freshKeyring());
  const before = process.memoryUsage.rss();
  let peak = before;
  const watch = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss());
  }, 10);
  const outcomes = await Promise.all(Array.from({ length: 20 }, () => passwords.verify("a wrong password", null)));
  clearInterval(watch);
  expect(outcomes.filter(({ ok }) => !ok).length).toBe(2);
  expect(outcomes.at(-1)).toEqual({ ok: false, error: "busy" });
  // Two at once hold 256 MiB (266 measured). The allocator keeps the block of one that has just ended for some ms: 393.
  expect((peak - before) / 1024 / 1024).toBeLessThan(410);
  expect(await passwords.verify("a wrong password", null)).toMatchObject({ ok: true });
});
