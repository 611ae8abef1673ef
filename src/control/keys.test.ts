import { expect, test } from "bun:test";
import { clientKeyId } from "../domain/access/client-key-id.ts";
import { parseUserId } from "../domain/access/user-id.ts";
import { durationMs, epochMs } from "../kernel/time.ts";
import { type ControlWorld, createControlWorld, START } from "./control-world.test.ts";
import { type KeyDraft, OPEN_DRAFT } from "./key-draft.ts";
import type { ClientKeyRecord } from "./ports.ts";

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

const USER = parseUserId("01939f6e-6f00-7abc-8def-0123456789ab");
const OTHER = parseUserId("01939f6e-6f00-7abc-8def-0123456789ac");

test("T-2.09 a rotated key has the same rights; both are accepted for the overlap, then the new one alone", async () => {
  const world = await createControlWorld();
  const draft = { ...OPEN_DRAFT, models: ["claude-a"], networks: ["10.0.0.0/8"], limits: { requestsPerMinute: 7 } };
  const old = await world.keys.create({ ...draft, name: "laptop", expiresInMs: durationMs(10 * DAY_MS) });
  if (!old.ok) throw new Error(old.error.message);
  world.clock.nowMs = epochMs(START + DAY_MS);
  const fresh = await world.keys.rotate("laptop", durationMs(60_000));
  if (!fresh.ok) throw new Error(fresh.error.message);
  const accepted = () => [old, fresh].map(({ value }) => world.verifier.verify(value.disclose()) !== null);
  expect(accepted()).toEqual([true, true]);
  expect(world.verifier.verify(fresh.value.disclose())?.access).toEqual(
    world.verifier.verify(old.value.disclose())?.access as never,
  );
  const reports = await world.keys.list();
  expect(reports.map(({ state, record }) => [record.name, state, record.expiresAtMs])).toEqual([
    ["laptop", "active", epochMs(START + 11 * DAY_MS)],
    ["laptop", "rotated", epochMs(START + DAY_MS + 60_000)],
  ]);
  world.clock.nowMs = epochMs(START + DAY_MS + 60_000);
  expect(accepted()).toEqual([false, true]);
  expect(await world.openKeys().load(() => true)).toBe(2);
  expect(accepted()).toEqual([false, true]);
});

test("T-2.09 without an overlap the old key is refused at once, and an overlap has an end", async () => {
  const world = await createControlWorld();
  const old = await createKey(world);
  expect(await world.keys.rotate("laptop", durationMs(DAY_MS + 1))).toMatchObject({
    error: { code: "overlap_out_of_range", field: "overlap" },
  });
  expect((await world.keys.rotate("laptop", durationMs(0))).ok).toBeTrue();
  expect(world.verifier.verify(old.disclose())).toBeNull();
  expect(await world.keys.rotate(old.id, durationMs(0))).toMatchObject({ error: { code: "key_not_active" } });
  expect(await world.keys.rotate("ghost", durationMs(0))).toMatchObject({ error: { code: "key_not_found" } });
});

test("revoking a name takes the key in its overlap along, revoking an id does not", async () => {
  const world = await createControlWorld();
  const old = await createKey(world);
  const fresh = await world.keys.rotate("laptop", durationMs(DAY_MS));
  if (!fresh.ok) throw new Error(fresh.error.message);
  await world.keys.revoke("laptop");
  expect([old.disclose(), fresh.value.disclose()].map((text) => world.verifier.verify(text))).toEqual([null, null]);
  const next = await createKey(world, "next");
  const last = await world.keys.rotate("next", durationMs(DAY_MS));
  if (!last.ok) throw new Error(last.error.message);
  await world.keys.revoke(last.value.id);
  expect(world.verifier.verify(next.disclose())).not.toBeNull();
});

test.each<{ what: string; draft: Partial<KeyDraft>; code: string; field: string }>([
  {
    what: "never expires",
    draft: { expiresInMs: "never", isOperator: false },
    code: "expiry_out_of_range",
    field: "expiresIn",
  },
  {
    what: "passes keys through",
    draft: { scopes: ["passthrough"], mayGrantMore: false },
    code: "grant_not_held",
    field: "scopes",
  },
  {
    what: "takes more than a user may",
    draft: { isOperator: false, mayGrantMore: false, limits: { requestsPerMinute: 601 } },
    code: "grant_not_held",
    field: "limits",
  },
  {
    what: "has no limit, of a user",
    draft: { isOperator: false, mayGrantMore: false, limits: { concurrency: null } },
    code: "grant_not_held",
    field: "limits",
  },
  { what: "has a wildcard inside a model", draft: { models: ["claude-*-x"] }, code: "grant_invalid", field: "models" },
  { what: "has an empty model", draft: { models: [""] }, code: "grant_invalid", field: "models" },
  { what: "has a range with host bits", draft: { networks: ["10.0.0.1/8"] }, code: "grant_invalid", field: "networks" },
  { what: "has a name as network", draft: { networks: ["localhost"] }, code: "grant_invalid", field: "networks" },
  {
    what: "has 101 networks",
    draft: { networks: Array.from({ length: 101 }, () => "10.0.0.1") },
    code: "grant_invalid",
    field: "networks",
  },
])("T-2.10 a key that $what is refused", async ({ draft, code, field }) => {
  const world = await createControlWorld();
  const created = await world.keys.create({ ...OPEN_DRAFT, name: "ci", ...draft });
  expect(created).toMatchObject({ ok: false, error: { code, field } });
  expect(await world.keys.list()).toEqual([]);
});

test.each([
  { who: "the operator", draft: {}, requestsPerMinute: null, concurrency: null },
  { who: "a user", draft: { isOperator: false, mayGrantMore: false }, requestsPerMinute: 600, concurrency: 50 },
  {
    who: "an admin who says so",
    draft: { isOperator: false, limits: { requestsPerMinute: null } },
    requestsPerMinute: null,
    concurrency: 50,
  },
])("a key of $who has its default limits", async ({ draft, requestsPerMinute, concurrency }) => {
  const { keys } = await createControlWorld();
  await keys.create({ ...OPEN_DRAFT, name: "ci", ...draft });
  expect((await keys.list())[0]?.record.access.limits).toMatchObject({ requestsPerMinute, concurrency });
});

test.each([-1, 0, 1.5, 2 ** 53, Number.POSITIVE_INFINITY, Number.NaN])(
  "T-7.16 a limit of %d is refused",
  async (value) => {
    const world = await createControlWorld();
    for (const name of ["requestsPerMinute", "inputTokensPerMinute", "outputTokensPerMinute", "concurrency"] as const) {
      const created = await world.keys.create({ ...OPEN_DRAFT, name: "ci", limits: { [name]: value } });
      expect(created).toMatchObject({ ok: false, error: { code: "grant_invalid", field: "limits" } });
    }
  },
);

test("T-2.11 a user who may not use the proxy any more loses their keys at once, also after a restart, and gets them back", async () => {
  const world = await createControlWorld();
  const mine = await world.keys.create({ ...OPEN_DRAFT, name: "mine", ownerId: USER });
  const other = await world.keys.create({ ...OPEN_DRAFT, name: "other", ownerId: OTHER });
  if (!mine.ok || !other.ok || USER === null) throw new Error("Cannot test");
  const accepted = () => [mine, other].map(({ value }) => world.verifier.verify(value.disclose()) !== null);
  world.keys.ownerChanged(USER, false);
  expect(accepted()).toEqual([false, true]);
  expect((await world.keys.list({ ownerId: USER }))[0]?.state).toBe("suspended");
  expect((await world.keys.rotate("mine", durationMs(0))).ok).toBeTrue();
  expect(accepted()).toEqual([false, true]);
  expect(await world.openKeys().load((owner) => owner !== USER)).toBe(1);
  world.keys.ownerChanged(USER, true);
  expect((await world.keys.list({ ownerId: USER })).map(({ state }) => state)).toEqual(["active", "expired"]);
});

test("another owner's key is as little there as one that does not exist", async () => {
  const world = await createControlWorld();
  await world.keys.create({ ...OPEN_DRAFT, name: "mine", ownerId: USER });
  const filter = { ownerId: OTHER };
  const missing = { ok: false, error: { code: "key_not_found" } };
  expect(await world.keys.show("mine", filter)).toMatchObject(missing);
  expect(await world.keys.revoke("mine", filter)).toMatchObject(missing);
  expect(await world.keys.rotate("mine", durationMs(0), filter)).toMatchObject(missing);
  expect(await world.keys.list(filter)).toEqual([]);
  expect((await world.keys.show("mine", { ownerId: USER })).ok).toBeTrue();
});

const FORGERIES: readonly { what: string; forge: (row: ClientKeyRecord) => Partial<ClientKeyRecord> }[] = [
  {
    what: "other scopes",
    forge: ({ access }) => ({ access: { ...access, grant: { ...access.grant, scopes: null } } }),
  },
  {
    what: "other models",
    forge: ({ access }) => ({ access: { ...access, grant: { ...access.grant, models: null } } }),
  },
  {
    what: "other networks",
    forge: ({ access }) => ({ access: { ...access, grant: { ...access.grant, networks: null } } }),
  },
  {
    what: "other limits",
    forge: ({ access }) => ({ access: { ...access, limits: { ...access.limits, concurrency: 7 } } }),
  },
  { what: "a later end", forge: () => ({ expiresAtMs: null }) },
  { what: "another owner", forge: () => ({ ownerId: OTHER }) },
  { what: "another name", forge: () => ({ name: "root" }) },
  { what: "no seal", forge: () => ({ seal: null }) },
];

test.each(FORGERIES)("T-2.05 a row that was given $what in the database is refused and told of", async ({ forge }) => {
  const world = await createControlWorld();
  const draft = {
    ...OPEN_DRAFT,
    scopes: ["messages" as const],
    models: ["a"],
    networks: ["10.0.0.0/8"],
    ownerId: USER,
  };
  const key = await world.keys.create({ ...draft, name: "laptop" });
  if (!key.ok) throw new Error(key.error.message);
  expect(await world.openKeys().load(() => true)).toBe(1);
  const row = world.stores.keyStore.rows.get(key.value.id);
  if (row === undefined) throw new Error("no row");
  world.stores.keyStore.rows.set(row.id, { ...row, ...forge(row) });
  world.verifier.remove(row.id);
  expect(await world.openKeys().load(() => true)).toBe(0);
  expect(world.verifier.verify(key.value.disclose())).toBeNull();
  expect(world.foreignRows).toEqual([row.id]);
  expect(world.changes.drafts.at(-1)).toMatchObject({ code: "KEY005E", object: { id: row.id } });
});

test("T-2.05 a revoked key whose row was made valid again stays refused", async () => {
  const world = await createControlWorld();
  const { id, disclose } = await createKey(world);
  await world.openKeys().load(() => true);
  await world.keys.revoke("laptop");
  const row = world.stores.keyStore.rows.get(id);
  if (row === undefined) throw new Error("no row");
  world.stores.keyStore.rows.set(id, { ...row, revokedAtMs: null });
  expect(await world.openKeys().load(() => true)).toBe(0);
  expect(world.verifier.verify(disclose())).toBeNull();
});

test("T-2.04 rows that were copied under another pepper open nothing", async () => {
  const [one, other] = [await createControlWorld(), await createControlWorld()];
  const { id, disclose } = await createKey(one);
  await other.openKeys().load(() => true);
  const row = one.stores.keyStore.rows.get(id);
  if (row === undefined) throw new Error("no row");
  other.stores.keyStore.rows.set(id, row);
  expect(await other.openKeys().load(() => true)).toBe(0);
  expect(other.verifier.verify(disclose())).toBeNull();
});

test("keys of a version without seals are sealed once, and keep what they could do", async () => {
  const world = await createControlWorld();
  const { id, disclose } = await createKey(world);
  const row = world.stores.keyStore.rows.get(id);
  if (row === undefined) throw new Error("no row");
  world.stores.keyStore.rows.set(id, { ...row, seal: null });
  expect(await world.openKeys().load(() => true)).toBe(1);
  expect(world.stores.keyStore.rows.get(id)?.seal).not.toBeNull();
  expect(await world.openKeys().load(() => true)).toBe(1);
  expect(world.verifier.verify(disclose())).not.toBeNull();
});

test("a database full of forged rows is told of in a few entries", async () => {
  const world = await createControlWorld();
  await createKey(world);
  await world.openKeys().load(() => true);
  const [row] = world.stores.keyStore.rows.values();
  if (row === undefined) throw new Error("no row");
  for (let count = 0; count < 500; count += 1) {
    const forged = { ...row, id: clientKeyId(`f${String(count).padStart(9, "0")}`), name: `f${count}` };
    world.stores.keyStore.rows.set(forged.id, forged);
  }
  expect(await world.openKeys().load(() => true)).toBe(1);
  const told = world.changes.drafts.filter(({ code }) => code === "KEY005E");
  expect(told).toHaveLength(11);
  expect(told.at(-1)?.after).toEqual({ count: 490 });
});
