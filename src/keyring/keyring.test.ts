import { expect, test } from "bun:test";
import { DATA_KEY_PURPOSES, type DataKeyStore, type WrappedDataKey } from "../control/vault-ports.ts";
import { accountId } from "../domain/account/account.ts";
import { err } from "../kernel/result.ts";
import { Secret } from "../kernel/secret.ts";
import { epochMs } from "../kernel/time.ts";
import { createAccountVault } from "./account-vault.ts";
import type { EnvelopeAddress } from "./envelope.ts";
import { openKeyring } from "./keyring.ts";
import { DataKeyDamaged, WrongMasterKey } from "./keyring-error.ts";
import { type MasterKey, masterKeyFromBytes } from "./master-key.ts";

const now = () => epochMs(1_763_900_000_000);
const address: EnvelopeAddress = { table: "accounts", column: "credential", rowId: "a", generation: 1 };
const freshMasterKey = (): MasterKey => masterKeyFromBytes(Buffer.from(crypto.getRandomValues(new Uint8Array(32))));

function memoryStore(rows: WrappedDataKey[] = []): DataKeyStore & { rows: WrappedDataKey[]; inserts: number } {
  const store = {
    rows,
    inserts: 0,
    list: async () => [...store.rows],
    insert: async (keys: readonly WrappedDataKey[]) => {
      store.inserts += 1;
      store.rows.push(...keys);
    },
    reserve: async (id: number, encryptions: number) => {
      store.rows = store.rows.map((row) =>
        row.id === id ? { ...row, encryptions: row.encryptions + encryptions } : row,
      );
    },
  };
  return store;
}

test("makes one data key per purpose at the first start, and none at the second", async () => {
  const masterKey = freshMasterKey();
  const store = memoryStore();
  const sealed = (await openKeyring({ masterKey, store, now })).seal(
    "accounts",
    address,
    new Secret("token", "canary"),
  );
  const again = await openKeyring({ masterKey, store, now });
  expect(store.rows.map(({ purpose }) => purpose)).toEqual([...DATA_KEY_PURPOSES]);
  expect(store.inserts).toBe(1);
  const opened = again.open("accounts", address, sealed);
  expect(opened.ok && opened.value.reveal()).toBe("canary");
});

test("refuses another master key and writes nothing", async () => {
  const store = memoryStore();
  await openKeyring({ masterKey: freshMasterKey(), store, now });
  const rows = structuredClone(store.rows.slice(0, 1));
  const damagedStore = memoryStore(rows);
  await expect(openKeyring({ masterKey: freshMasterKey(), store: damagedStore, now })).rejects.toBeInstanceOf(
    WrongMasterKey,
  );
  expect(damagedStore.inserts).toBe(0);
});

test.each<{ name: string; change: (row: WrappedDataKey) => WrappedDataKey }>([
  {
    name: "bytes",
    change: (row) => ({ ...row, wrapped: row.wrapped.map((byte, at) => (at === 20 ? byte ^ 1 : byte)) }),
  },
  { name: "id", change: (row) => ({ ...row, id: row.id === 5 ? 6 : 5 }) },
  { name: "purpose", change: (row) => ({ ...row, purpose: "apikey-pepper" }) },
  { name: "age", change: (row) => ({ ...row, createdAtMs: epochMs(row.createdAtMs + 1) }) },
])("refuses a stored data key whose $name was changed", async ({ change }) => {
  const masterKey = freshMasterKey();
  const store = memoryStore();
  await openKeyring({ masterKey, store, now });
  const damaged = memoryStore(store.rows.slice(0, 1).map(change));
  await expect(openKeyring({ masterKey, store: damaged, now })).rejects.toBeInstanceOf(DataKeyDamaged);
  expect(damaged.inserts).toBe(0);
});

test("never stores a data key in the clear", async () => {
  const masterKey = freshMasterKey();
  const store = memoryStore();
  await openKeyring({ masterKey, store, now });
  for (const row of store.rows) expect(row.wrapped.length).toBe(12 + 32 + 16);
});

test("T-10.09 T-10.10 names what is wrong with an envelope, and never takes plain text for one", async () => {
  const masterKey = freshMasterKey();
  const keyring = await openKeyring({ masterKey, store: memoryStore(), now });
  const other = await openKeyring({ masterKey, store: memoryStore(), now });
  const sealed = keyring.seal("accounts", address, Buffer.from("canary"));
  expect(keyring.open("accounts", { ...address, generation: 2 }, sealed)).toEqual(err("tampered"));
  expect(other.open("accounts", address, sealed)).toEqual(err("unknown_key"));
  expect(keyring.open("apikey-pepper", address, sealed)).toEqual(err("unknown_key"));
  expect(keyring.open("accounts", address, Buffer.from("sk-ant-api03-stored-in-the-clear-by-a-thief"))).toEqual(
    err("malformed"),
  );
  expect(
    keyring.open(
      "accounts",
      address,
      sealed.map((byte, at) => (at === 1 ? 2 : byte)),
    ),
  ).toEqual(err("malformed"));
});

test("seals with the active key and still opens what an older key sealed", async () => {
  const masterKey = freshMasterKey();
  const store = memoryStore();
  const old = await openKeyring({ masterKey, store, now });
  const sealed = old.seal("accounts", address, Buffer.from("canary"));
  store.rows = store.rows.map((row) => ({ ...row, state: "decrypt_only" }));
  const rotated = await openKeyring({ masterKey, store, now });
  expect(store.rows.length).toBe(2 * DATA_KEY_PURPOSES.length);
  expect(rotated.open("accounts", address, sealed).ok).toBe(true);
  expect(rotated.macs("apikey-pepper").length).toBe(2);
  expect(old.open("accounts", address, rotated.seal("accounts", address, Buffer.from("x")))).toEqual(
    err("unknown_key"),
  );
});

test("the vault binds a credential to its account and generation", async () => {
  const vault = createAccountVault(await openKeyring({ masterKey: freshMasterKey(), store: memoryStore(), now }));
  const sealed = vault.sealCredential(accountId("a"), 1, new Secret("credential", "canary ü"));
  const opened = vault.openCredential(accountId("a"), 1, sealed);
  expect(opened.ok && opened.value.reveal()).toBe("canary ü");
  expect(opened.ok && String(opened.value)).toBe("[secret accounts.credential]");
  for (const refused of [
    vault.openCredential(accountId("b"), 1, sealed),
    vault.openCredential(accountId("a"), 2, sealed),
    vault.openCredential(accountId("a"), 1, sealed.subarray(0, 10)),
  ]) {
    expect(refused.ok).toBe(false);
    expect(JSON.stringify(refused)).not.toContain("canary");
  }
});

test("opens nothing once it is closed", async () => {
  const keyring = await openKeyring({ masterKey: freshMasterKey(), store: memoryStore(), now });
  const sealed = keyring.seal("accounts", address, Buffer.from("canary"));
  keyring.close();
  expect(keyring.open("accounts", address, sealed)).toEqual(err("tampered"));
});
