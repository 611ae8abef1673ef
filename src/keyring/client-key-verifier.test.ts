import { expect, test } from "bun:test";
import { composeClientKey } from "../domain/access/client-key.ts";
import { clientKeyId } from "../domain/access/client-key-id.ts";
import { OPEN_GRANT } from "../domain/access/key-grant.ts";
import { NO_LIMITS } from "../domain/access/key-limits.ts";
import { type EpochMs, epochMs } from "../kernel/time.ts";
import { createClientKeyMint } from "./client-key-mint.ts";
import { type ClientKeyVerifier, createClientKeyVerifier, type VerifiableKey } from "./client-key-verifier.ts";
import { type Keyring, openKeyring } from "./keyring.ts";
import { masterKeyFromBytes } from "./master-key.ts";

const at = (value: number): EpochMs => epochMs(value);

async function freshKeyring(): Promise<Keyring> {
  const masterKey = masterKeyFromBytes(Buffer.from(crypto.getRandomValues(new Uint8Array(32))));
  return openKeyring({
    masterKey,
    store: { list: async () => [], insert: async () => undefined, reserve: async () => undefined },
    now: () => at(0),
  });
}

async function setUp() {
  const keyring = await freshKeyring();
  const clock = { nowMs: at(1_000) };
  const verifier: ClientKeyVerifier = createClientKeyVerifier(keyring, () => clock.nowMs);
  const mint = createClientKeyMint(keyring);
  const create = (name: string, changes: Partial<VerifiableKey> = {}) => {
    const minted = mint.create();
    const { id, hmac, pepperVersion } = minted;
    const access = { grant: OPEN_GRANT, limits: NO_LIMITS, meterId: id };
    const record: VerifiableKey = {
      ...{ id, name, hmac, pepperVersion, access, revokedAtMs: null, expiresAtMs: null },
      ...changes,
    };
    verifier.set(record);
    return { record, text: mint.disclose(minted) };
  };
  return { clock, verifier, create };
}

test("lets a key in under its own name", async () => {
  const { verifier, create } = await setUp();
  const laptop = create("laptop");
  const server = create("server");
  expect(verifier.verify(laptop.text)).toMatchObject({ keyId: laptop.record.id, keyName: "laptop" });
  expect(verifier.verify(server.text)).toMatchObject({ keyId: server.record.id, keyName: "server" });
});

test("refuses a well-formed key that was never made, noise, and keys of other types", async () => {
  const { verifier, create } = await setUp();
  const { text } = create("laptop");
  const stranger = composeClientKey("sk", crypto.getRandomValues(new Uint8Array(96)));
  const adminKey = composeClientKey("ad", crypto.getRandomValues(new Uint8Array(96)));
  for (const presented of [stranger, adminKey, "", text.slice(0, -1), `${text}x`, text.toUpperCase()]) {
    expect(verifier.verify(presented)).toBeNull();
  }
});

test("refuses a key whose public id is known and whose secret is not", async () => {
  const { verifier, create } = await setUp();
  const { record, text } = create("laptop");
  verifier.set({ ...record, hmac: new Uint8Array(32) });
  expect(verifier.verify(text)).toBeNull();
});

test("T-2.05 a stolen HMAC in another row opens neither that row nor closes its own", async () => {
  const { verifier, create } = await setUp();
  const owner = create("owner");
  const thief = create("thief");
  verifier.set({ ...thief.record, hmac: owner.record.hmac });
  expect(verifier.verify(owner.text)?.keyName).toBe("owner");
  expect(verifier.verify(thief.text)).toBeNull();
});

test("T-2.04 refuses keys of a database that was copied under another pepper", async () => {
  const one = await setUp();
  const other = await setUp();
  const { record, text } = one.create("laptop");
  other.verifier.set(record);
  expect(other.verifier.verify(text)).toBeNull();
});

test("a revoked or removed key is refused at once", async () => {
  const { verifier, create } = await setUp();
  const one = create("one");
  const two = create("two");
  verifier.set({ ...one.record, revokedAtMs: at(999) });
  verifier.remove(two.record.id);
  expect([verifier.verify(one.text), verifier.verify(two.text)]).toEqual([null, null]);
});

test("T-2.08 an expired key stays expired when the clock goes back", async () => {
  const { clock, verifier, create } = await setUp();
  const { text } = create("laptop", { expiresAtMs: at(2_000) });
  clock.nowMs = at(1_999);
  expect(verifier.verify(text)).not.toBeNull();
  clock.nowMs = at(2_000);
  expect(verifier.verify(text)).toBeNull();
  clock.nowMs = at(1_000);
  expect(verifier.verify(text)).toBeNull();
});

test("replaceAll forgets what is not in the list", async () => {
  const { verifier, create } = await setUp();
  const kept = create("kept");
  const dropped = create("dropped");
  verifier.replaceAll([kept.record]);
  expect(verifier.verify(kept.text)?.keyName).toBe("kept");
  expect(verifier.verify(dropped.text)).toBeNull();
});

test("T-2.15 10,000 right and 10,000 wrong keys are checked in a second: no slow hash is behind any of them", async () => {
  const { verifier, create } = await setUp();
  const { text } = create("laptop");
  const wrong = composeClientKey("sk", crypto.getRandomValues(new Uint8Array(96)));
  const startMs = performance.now();
  for (let round = 0; round < 10_000; round += 1) {
    verifier.verify(text);
    verifier.verify(wrong);
  }
  expect(performance.now() - startMs).toBeLessThan(1000);
});

test("ignores a damaged record", async () => {
  const { verifier, create } = await setUp();
  const { record, text } = create("laptop");
  verifier.set({ ...record, hmac: record.hmac.subarray(0, 31) });
  expect(verifier.verify(text)).toBeNull();
  verifier.remove(clientKeyId("not-there0"));
});

test("a key outlives the rotation of the pepper, and counts under the pepper that made it alone", async () => {
  const keyring = await freshKeyring();
  const verifier = createClientKeyVerifier(keyring, () => at(0));
  const minted = createClientKeyMint(keyring).create();
  const text = createClientKeyMint(keyring).disclose(minted);
  const { id, hmac, pepperVersion } = minted;
  const access = { grant: OPEN_GRANT, limits: NO_LIMITS, meterId: id };
  const record: VerifiableKey = { id, name: "old", hmac, pepperVersion, access, revokedAtMs: null, expiresAtMs: null };
  verifier.set(record);
  keyring.ring.promote((await keyring.ring.draw("apikey-pepper", at(1))).open);
  expect(verifier.verify(text)?.keyName).toBe("old");
  verifier.set({ ...record, pepperVersion: keyring.macs("apikey-pepper")[0].version });
  expect(verifier.verify(text)).toBeNull();
});

test("T-2.05 copies of one HMAC in many rows leave its owner alone, in whatever order they come and go", async () => {
  const { verifier, create } = await setUp();
  const owner = create("owner");
  const thieves = ["one", "two", "three"].map((name) => create(name).record);
  for (const order of [
    [0, 1, 2],
    [2, 1, 0],
    [1, 0, 2],
  ]) {
    for (const at of order) verifier.set({ ...(thieves[at] ?? owner.record), hmac: owner.record.hmac });
    verifier.set(owner.record);
    expect(verifier.verify(owner.text)?.keyName).toBe("owner");
    for (const at of order) {
      verifier.remove(thieves[at]?.id ?? owner.record.id);
      expect(verifier.verify(owner.text)?.keyName).toBe("owner");
    }
    verifier.remove(owner.record.id);
    expect(verifier.verify(owner.text)).toBeNull();
  }
});
