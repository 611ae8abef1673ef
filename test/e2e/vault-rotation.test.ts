import { Database } from "bun:sqlite";
import { afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WrongMasterKey } from "../../src/keyring/keyring-error.ts";
import { masterKeyFromBytes } from "../../src/keyring/master-key.ts";
import {
  acceptedNames,
  addAccounts,
  addClientKey,
  credentialOf,
  openCredentials,
  openVaultWorld,
  settled,
} from "./vault-world.ts";

setDefaultTimeout(120_000);

const directories: string[] = [];

afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

function freshDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "bccf-vault-"));
  directories.push(directory);
  return directory;
}

const expected = (count: number) => Array.from({ length: count }, (_, at) => credentialOf(at)).sort();
const newKey = (path: string) => writeFileSync(path, randomBytes(32).toString("base64"), { mode: 0o600 });

test("a new data key seals everything anew, and the old one is destroyed", async () => {
  const world = await openVaultWorld(freshDirectory());
  await addAccounts(world, 30);
  const before = (await world.vault.status()).dataKeys.find(({ purpose }) => purpose === "accounts");
  expect(before).toMatchObject({ isActive: true, uses: 30 });
  const rotated = await world.vault.rotateDataKeys(["accounts"]);
  expect(rotated.ok && rotated.value.dataKeys.filter(({ purpose }) => purpose === "accounts")).toHaveLength(2);
  await settled(world);
  const after = (await world.vault.status()).dataKeys.filter(({ purpose }) => purpose === "accounts");
  expect(after).toMatchObject([{ isActive: true, uses: 30 }]);
  expect(after[0]?.id).not.toBe(before?.id);
  expect(await openCredentials(world)).toEqual(expected(30));
  expect(world.failures).toEqual([]);
  await world.close();
});

test("T-11.08 a data key that something needs is not destroyed", async () => {
  const world = await openVaultWorld(freshDirectory());
  await addAccounts(world, 2);
  const [account] = await world.storage.accounts.list();
  // Sealed by the old key, and changed since: it cannot be sealed anew.
  const [column] = world.storage.vault.columns;
  const [value] = (await column?.page("", 1)) ?? [];
  if (value === undefined || account === undefined) throw new Error("Cannot find the account");
  const damaged = value.envelope.map((byte, at) => (at === 30 ? byte ^ 1 : byte));
  expect(await column?.replace(value, damaged)).toBe(true);
  await world.vault.rotateDataKeys(["accounts"]);
  await settled(world);
  const keys = (await world.vault.status()).dataKeys.filter(({ purpose }) => purpose === "accounts");
  expect(keys.map(({ isActive, uses }) => ({ isActive, uses }))).toEqual([
    { isActive: true, uses: 1 },
    { isActive: false, uses: 1 },
  ]);
  const found = await world.vault.verify();
  expect(found).toMatchObject({ sealedCount: 2, problemCount: 1, problems: [{ rowId: account.id }] });
  expect(JSON.stringify(found)).not.toContain("CANARY");
  await world.close();
});

test("T-11.07 a credential that is stored while everything is sealed anew wins", async () => {
  const world = await openVaultWorld(freshDirectory());
  await addAccounts(world, 1);
  const [column] = world.storage.vault.columns;
  const [before] = (await column?.page("", 1)) ?? [];
  if (before === undefined || column === undefined) throw new Error("Cannot find the account");
  const address = { table: "accounts", column: "credential", rowId: before.rowId, generation: 1 };
  const newer = world.keyring.seal("accounts", address, Buffer.from(credentialOf(7)));
  expect(await column.replace(before, newer)).toBe(true);
  // The sweep read the row before, and comes too late.
  expect(await column.replace(before, world.keyring.seal("accounts", address, Buffer.from("stale")))).toBe(false);
  expect(await openCredentials(world)).toEqual([credentialOf(7)]);
  await world.close();
});

test("a new pepper is for new client keys; those of the old one are accepted as before", async () => {
  const world = await openVaultWorld(freshDirectory());
  const old = await addClientKey(world, "old");
  await world.vault.rotateDataKeys(["apikey-pepper"]);
  const fresh = await addClientKey(world, "fresh");
  await settled(world);
  expect(await acceptedNames(world, [old, fresh])).toEqual(["old", "fresh"]);
  const record = (await world.storage.clientKeys.list()).find(({ name }) => name === "old");
  if (record === undefined) throw new Error("Cannot find the key");
  await world.storage.clientKeys.revoke({ ...record, revokedAtMs: record.createdAtMs });
  await world.vault.rotateDataKeys(["apikey-pepper"]);
  await settled(world);
  const peppers = (await world.vault.status()).dataKeys.filter(({ purpose }) => purpose === "apikey-pepper");
  expect(peppers.map(({ id }) => id)).not.toContain(record.pepperVersion);
  expect(await acceptedNames(world, [old, fresh])).toEqual([null, "fresh"]);
  await world.close();
});

test("the pepper of passwords is never destroyed: whoever does not log in keeps the old one", async () => {
  const world = await openVaultWorld(freshDirectory());
  const { status, rotateDataKeys } = world.vault;
  const peppers = async () =>
    (await status()).dataKeys.filter(({ purpose }) => purpose === "login-pepper" || purpose === "session-mac");
  const [before] = (await peppers()).filter(({ purpose }) => purpose === "login-pepper");
  await rotateDataKeys(["login-pepper", "session-mac"]);
  await settled(world);
  const after = await peppers();
  expect(after.filter(({ purpose }) => purpose === "login-pepper").map(({ id }) => id)).toContain(before?.id ?? 0);
  expect(after.map(({ purpose }) => purpose)).toEqual(["login-pepper", "login-pepper", "session-mac"]);
  await world.close();
});

test("T-11.01 after the master key was rotated the old one no longer starts", async () => {
  const dataDir = freshDirectory();
  const world = await openVaultWorld(dataDir);
  await addAccounts(world, 3);
  const oldKey = readFileSync(join(dataDir, "master.key"));
  newKey(world.newKeyFile);
  const rotated = await world.vault.rotateMasterKey({ to: null, file: world.newKeyFile });
  expect(rotated.ok && rotated.value.nextStep).toBeNull();
  expect(existsSync(join(dataDir, "master.key.next"))).toBe(false);
  // A data key made afterwards is wrapped by the new master key.
  await world.vault.rotateDataKeys(["accounts"]);
  await settled(world);
  await world.close();

  const again = await openVaultWorld(dataDir);
  expect(await openCredentials(again)).toEqual(expected(3));
  expect(await again.vault.verify()).toMatchObject({ sealedCount: 3, problemCount: 0 });
  await again.close();
  writeFileSync(join(dataDir, "master.key"), oldKey);
  await expect(openVaultWorld(dataDir)).rejects.toBeInstanceOf(WrongMasterKey);
});

test("T-11.09 a backup from before a rotation opens with the master key of its time alone, and what it seals opens", async () => {
  const dataDir = freshDirectory();
  const database = join(dataDir, "gateway.db");
  const backup = join(dataDir, "backup.db");
  const world = await openVaultWorld(dataDir);
  await addAccounts(world, 3);
  const key = await addClientKey(world, "laptop");
  await world.close();
  const copy = new Database(database, { readonly: true });
  copy.run("vacuum into ?", [backup]);
  copy.close();
  const archived = readFileSync(join(dataDir, "master.key"));

  const rotating = await openVaultWorld(dataDir);
  await rotating.vault.rotateDataKeys(["accounts", "apikey-pepper"]);
  await settled(rotating);
  newKey(rotating.newKeyFile);
  expect((await rotating.vault.rotateMasterKey({ to: null, file: rotating.newKeyFile })).ok).toBe(true);
  await rotating.close();

  for (const end of ["", "-wal", "-shm"]) rmSync(`${database}${end}`, { force: true });
  renameSync(backup, database);
  await expect(openVaultWorld(dataDir)).rejects.toBeInstanceOf(WrongMasterKey);
  writeFileSync(join(dataDir, "master.key"), archived);
  const restored = await openVaultWorld(dataDir);
  expect(await openCredentials(restored)).toEqual(expected(3));
  expect(await acceptedNames(restored, [key])).toEqual(["laptop"]);
  expect(await restored.vault.verify()).toMatchObject({ problemCount: 0 });
  await restored.close();
});

test("T-11.06 a process whose keyring is older than the stored keys changes none of them", async () => {
  const world = await openVaultWorld(freshDirectory());
  await addAccounts(world, 1);
  // What another process did meanwhile: the stored keys are wrapped by a master key that is not the one here.
  const other = masterKeyFromBytes(randomBytes(32));
  const before = world.keyring.ring.masterKeyId();
  for (const key of await world.keyring.ring.rewrapped(other, await world.storage.dataKeys.list())) {
    await world.storage.dataKeys.rewrap(key, before);
  }
  const stored = await world.storage.dataKeys.list();
  await expect(world.vault.rotateDataKeys(["accounts"])).rejects.toThrow("another master key wraps the stored ones");
  await expect(world.vault.rotateMasterKey({ to: null, file: null })).rejects.toThrow("restart the gateway");
  expect(await world.storage.dataKeys.list()).toEqual(stored);
  await world.close();
});

test("a new master key that is unfit is refused and changes nothing", async () => {
  const world = await openVaultWorld(freshDirectory());
  const { masterKeyId } = await world.vault.status();
  const refusals = [];
  for (const content of [
    "too short",
    Buffer.alloc(32),
    readFileSync(world.newKeyFile.replace("new.key", "master.key")),
  ]) {
    writeFileSync(world.newKeyFile, content, { mode: 0o600 });
    const rotated = await world.vault.rotateMasterKey({ to: null, file: world.newKeyFile });
    refusals.push(rotated.ok ? "taken" : rotated.error.code);
  }
  expect(refusals).toEqual(["master_key_refused", "master_key_refused", "master_key_refused"]);
  expect((await world.vault.status()).masterKeyId).toBe(masterKeyId);
  await world.close();
});

test("T-11.02 a new master key that could not be put in its place is not overwritten by the next one", async () => {
  const dataDir = freshDirectory();
  let isFull = true;
  const world = await openVaultWorld(dataDir, (needs) => ({
    ...needs,
    sources: {
      ...needs.sources,
      configured: {
        ...needs.sources.configured,
        settle() {
          if (isFull) throw new Error("the disk refuses");
          needs.sources.configured.settle();
        },
      },
    },
    audit: {
      note: needs.audit.note,
      change: (draft, work) =>
        isFull ? needs.audit.change(draft, work) : Promise.reject(new Error("the disk is full")),
    },
  }));
  await addAccounts(world, 2);
  newKey(world.newKeyFile);
  // The data keys are wrapped by it, and it lies beside the old one.
  await expect(world.vault.rotateMasterKey({ to: null, file: world.newKeyFile })).rejects.toThrow("the disk refuses");
  isFull = false;
  newKey(world.newKeyFile);
  // The next one is laid beside, and the data keys are not wrapped by it.
  await expect(world.vault.rotateMasterKey({ to: null, file: world.newKeyFile })).rejects.toThrow("the disk is full");
  await world.close();

  const again = await openVaultWorld(dataDir);
  expect(await openCredentials(again)).toEqual(expected(2));
  await again.close();
});

test("T-11.02 T-11.03 kill -9 at 40 steps of rotating everything loses no account and no client key", async () => {
  const dataDir = freshDirectory();
  const first = await openVaultWorld(dataDir);
  await addAccounts(first, 3);
  const keys = [await addClientKey(first, "laptop"), await addClientKey(first, "server")];
  await first.close();

  const deaths: number[] = [];
  for (let step = 0; step < 40; step += 1) {
    newKey(join(dataDir, "new.key"));
    const script = join(import.meta.dir, "vault-killed.ts");
    const child = Bun.spawn([process.execPath, script, dataDir, String(step)], { stdout: "pipe", stderr: "inherit" });
    const said = await new Response(child.stdout).text();
    await child.exited;
    if (child.signalCode === "SIGKILL") deaths.push(step);
    else expect(JSON.parse(said)).toMatchObject({ isOk: true });

    const world = await openVaultWorld(dataDir);
    expect(await openCredentials(world)).toEqual(expected(3));
    expect(await acceptedNames(world, keys)).toEqual(["laptop", "server"]);
    expect((await world.vault.verify()).problems).toEqual([]);
    await world.close();
  }
  // It did die, early and late: a test in which everything ends well proves nothing.
  expect(deaths.length).toBeGreaterThan(25);

  const last = await openVaultWorld(dataDir);
  last.vault.start();
  await settled(last);
  const active = (await last.vault.status()).dataKeys.filter(({ purpose }) => purpose === "accounts");
  expect(active).toMatchObject([{ isActive: true, uses: 3 }]);
  expect(last.failures).toEqual([]);
  await last.close();
});
