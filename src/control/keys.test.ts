import { expect, test } from "bun:test";
import { durationMs, epochMs } from "../kernel/time.ts";
import { type ControlWorld, createControlWorld, START } from "./control-world.test.ts";
import { OPEN_DRAFT } from "./key-draft.ts";

const DAY_MS = 86_400_000;

async function createKey(world: ControlWorld, name = "laptop", expiresInMs: number | null = null) {
  const created = await world.keys.create({
    ...OPEN_DRAFT,
    name,
    expiresInMs: expiresInMs === null ? "never" : durationMs(expiresInMs),
  });
  if (!created.ok) throw new Error(created.error.message);
  return created.value;
}

test("a new key opens the gateway at once, and only its HMAC is kept", async () => {
  const world = await createControlWorld();
  const created = await createKey(world);
  const text = created.disclose();
  expect(world.verifier.verify(text)).toMatchObject({ keyId: created.id, keyName: "laptop" });
  expect(JSON.stringify([...world.stores.keyStore.rows.values()])).not.toContain(text);
  expect(JSON.stringify(created)).not.toContain(text);
});

test("a restart accepts the keys that are stored", async () => {
  const world = await createControlWorld();
  const { id, disclose } = await createKey(world);
  world.verifier.remove(id);
  expect(await world.openKeys().load(() => true)).toBe(1);
  expect(world.verifier.verify(disclose())?.keyId).toBe(id);
});

test.each(["laptop", "by id"])("revoking %s is refused from the next look on, also after a restart", async (how) => {
  const world = await createControlWorld();
  const { id, disclose } = await createKey(world);
  const revoked = await world.keys.revoke(how === "by id" ? id : "laptop");
  expect(revoked.ok && revoked.value.state).toBe("revoked");
  expect(world.verifier.verify(disclose())).toBeNull();
  expect(await world.openKeys().load(() => true)).toBe(0);
  expect(world.verifier.verify(disclose())).toBeNull();
});

test("a store that fails does not keep a revoked key alive, and the revocation can be tried again", async () => {
  const world = await createControlWorld();
  const { disclose } = await createKey(world);
  world.stores.keyStore.isBroken = true;
  await expect(world.keys.revoke("laptop")).rejects.toThrow("Cannot write the database");
  expect(world.verifier.verify(disclose())).toBeNull();
  world.stores.keyStore.isBroken = false;
  expect((await world.keys.revoke("laptop")).ok).toBeTrue();
});

test("a key that is revoked frees its name; the name then means the new key", async () => {
  const world = await createControlWorld();
  const old = await createKey(world);
  await world.keys.revoke("laptop");
  const fresh = await createKey(world);
  const revoked = await world.keys.revoke("laptop");
  expect(revoked.ok && revoked.value.record.id).toBe(fresh.id);
  expect(await world.keys.revoke(old.id)).toMatchObject({ ok: false, error: { code: "key_already_revoked" } });
});

test("refuses a name in use, a bad name, and a key that is not there", async () => {
  const world = await createControlWorld();
  await createKey(world);
  expect(await world.keys.create({ ...OPEN_DRAFT, name: "laptop" })).toMatchObject({
    ok: false,
    error: { code: "name_taken", field: "name" },
  });
  const [{ record } = { record: { id: "" } }] = await world.keys.list();
  expect(await world.keys.create({ ...OPEN_DRAFT, name: record.id })).toMatchObject({
    ok: false,
    error: { code: "name_taken" },
  });
  expect(await world.keys.create({ ...OPEN_DRAFT, name: "a b" })).toMatchObject({
    ok: false,
    error: { code: "name_invalid" },
  });
  expect(await world.keys.revoke("ghost")).toMatchObject({ ok: false, error: { code: "key_not_found" } });
});

test("a key is refused from its expiry on", async () => {
  const world = await createControlWorld();
  const { disclose } = await createKey(world, "ci", DAY_MS);
  world.clock.nowMs = epochMs(START + DAY_MS - 1);
  expect((await world.keys.list())[0]?.state).toBe("active");
  expect(world.verifier.verify(disclose())).not.toBeNull();
  world.clock.nowMs = epochMs(START + DAY_MS);
  expect((await world.keys.list())[0]?.state).toBe("expired");
  expect(world.verifier.verify(disclose())).toBeNull();
});

test.each([0, 59_999, 365 * DAY_MS + 1])("refuses an expiry after %d ms", async (expiresInMs) => {
  const world = await createControlWorld();
  const created = await world.keys.create({ ...OPEN_DRAFT, name: "ci", expiresInMs: durationMs(expiresInMs) });
  expect(created).toMatchObject({ ok: false, error: { code: "expiry_out_of_range", field: "expiresIn" } });
});

test("knows the names of keys for reports, revoked ones included", async () => {
  const world = await createControlWorld();
  const { id } = await createKey(world);
  await world.keys.revoke(id);
  expect(world.keys.nameOf(id)).toBe("laptop");
});
