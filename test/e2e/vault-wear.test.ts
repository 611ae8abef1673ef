import { afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Secret } from "../../src/kernel/secret.ts";
import { epochMs } from "../../src/kernel/time.ts";
import { createAccountVault } from "../../src/keyring/account-vault.ts";
import { COUNT_BLOCK } from "../../src/keyring/encryption-counts.ts";
import { addAccounts, credentialOf, openCredentials, openVaultWorld, settled } from "./vault-world.ts";

// What a data key has encrypted is counted over crashes, and a key that has encrypted enough is replaced.

setDefaultTimeout(120_000);

const NONCE_BYTES = 12;
const SAMPLE = new Secret("credential", "the same token each time");
const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

function freshDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "bccf-wear-"));
  directories.push(directory);
  return directory;
}

const accountsKey = (
  keys: readonly { readonly purpose: string; readonly isActive: boolean; readonly encryptions: number }[],
) => keys.find(({ purpose, isActive }) => purpose === "accounts" && isActive);

const madeOf = async (dataDir: string): Promise<number> => {
  const world = await openVaultWorld(dataDir);
  const made = accountsKey((await world.vault.status()).dataKeys)?.encryptions ?? 0;
  await world.close();
  return made;
};

test("T-10.14 T-10.15 10^6 encryptions over kill -9: no nonce twice, and the count is never too low nor more than a block per start too high", async () => {
  const dataDir = freshDirectory();
  const nonces = join(dataDir, "nonces");
  const sealed = () => (existsSync(nonces) ? statSync(nonces).size / NONCE_BYTES : 0);
  await (await openVaultWorld(dataDir)).close();
  let starts = 1;
  while (sealed() < 1_000_000) {
    const script = join(import.meta.dir, "encryptions-killed.ts");
    const child = Bun.spawn([process.execPath, script, dataDir, nonces], { stdout: "pipe", stderr: "inherit" });
    await child.stdout.getReader().read();
    const enough = sealed() + 60_000 + Math.floor(Math.random() * 80_000);
    while (sealed() < enough && child.exitCode === null) await Bun.sleep(5);
    child.kill("SIGKILL");
    await child.exited;
    expect(child.signalCode).toBe("SIGKILL");
    starts += 1;
  }
  const made = await madeOf(dataDir);
  starts += 1;
  expect(made).toBeGreaterThanOrEqual(sealed());
  expect(made).toBeLessThanOrEqual(sealed() + starts * (COUNT_BLOCK + 1_000));

  const bytes = readFileSync(nonces);
  const seen = new Set<string>();
  for (let at = 0; at + NONCE_BYTES <= bytes.length; at += NONCE_BYTES) {
    seen.add(bytes.toString("latin1", at, at + NONCE_BYTES));
  }
  expect(seen.size).toBe(bytes.length / NONCE_BYTES);
});

test("T-10.16 a data key that has encrypted enough is replaced by itself while credentials are stored and opened", async () => {
  const world = await openVaultWorld(freshDirectory(), (needs) => ({
    ...needs,
    limits: { encryptions: 1_000, ageMs: Number.POSITIVE_INFINITY, checkMs: 5 },
  }));
  await addAccounts(world, 3);
  const [account] = await world.storage.accounts.list();
  if (account === undefined) throw new Error("Cannot find the account");
  world.vault.start();
  const vault = createAccountVault(world.keyring);
  const used = new Set<number | undefined>();
  for (let round = 0; round < 40; round += 1) {
    for (let time = 0; time < 150; time += 1) vault.sealCredential(account.id, 9, SAMPLE);
    await Bun.sleep(2);
    expect(await openCredentials(world)).toEqual([0, 1, 2].map(credentialOf));
    used.add((await world.vault.status()).dataKeys.find((key) => key.purpose === "accounts" && key.isActive)?.id);
  }
  await settled(world);
  // 6,000 encryptions at 1,000 per key: at least three were replaced, whenever the clock was looked at.
  expect(used.size).toBeGreaterThan(3);
  expect(world.failures).toEqual([]);
  const rotations = (await world.storage.auditLog.newest(100)).filter(({ entry }) => entry.includes("VLT001I"));
  expect(rotations.length).toBeGreaterThanOrEqual(used.size - 1);
  expect(rotations.every(({ entry }) => entry.includes('"type":"system"'))).toBe(true);
  await world.close();
});

test("T-10.16 a data key of 90 days is replaced by itself; keys that only hash are not", async () => {
  const dataDir = freshDirectory();
  const first = await openVaultWorld(dataDir);
  await addAccounts(first, 2);
  const before = (await first.vault.status()).dataKeys;
  await first.close();
  const later = 90 * 24 * 60 * 60 * 1000;
  const world = await openVaultWorld(dataDir, (needs) => ({
    ...needs,
    now: () => epochMs(needs.now() + later),
    limits: { encryptions: 2 ** 24, ageMs: later, checkMs: 5 },
  }));
  world.vault.start();
  while (
    (await world.vault.status()).dataKeys.some(
      ({ id, isActive, purpose }) => isActive && purpose === "totp" && before.some((key) => key.id === id),
    )
  ) {
    await Bun.sleep(5);
  }
  await settled(world);
  const after = (await world.vault.status()).dataKeys.filter(({ isActive }) => isActive);
  const kept = after.filter(({ id }) => before.some((key) => key.id === id)).map(({ purpose }) => purpose);
  expect(kept.toSorted()).toEqual(["apikey-pepper", "login-pepper", "session-mac"]);
  expect(await openCredentials(world)).toEqual([0, 1].map(credentialOf));
  await world.close();
});
