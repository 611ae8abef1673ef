import { describe, expect, test } from "bun:test";
import { err, ok } from "../kernel/result.ts";
import { Secret } from "../kernel/secret.ts";
import { epochMs } from "../kernel/time.ts";
import type { AddAccountCommand } from "./account-draft.ts";
import { type ControlWorld, createControlWorld } from "./control-world.test.ts";

const MODELS = [{ id: "claude-sonnet-5", displayName: "Claude Sonnet 5" }];

function command(changes: Partial<AddAccountCommand> = {}): AddAccountCommand {
  return {
    name: "work",
    provider: "anthropic",
    credential: new Secret("test", "sk-ant-api03-canary"),
    credentialKind: "api_key",
    baseUrl: null,
    priority: null,
    weight: null,
    organization: null,
    workspace: null,
    ...changes,
  };
}

async function addWork(world: ControlWorld) {
  const added = await world.accounts.add(command());
  if (!added.ok) throw new Error(added.error.message);
  return added.value.account;
}

describe("adding", () => {
  test("makes the account usable at once and learns its models", async () => {
    const world = await createControlWorld();
    world.provider.answer = ok(MODELS);
    const account = await addWork(world);
    expect(world.accounts.snapshot()).toEqual([account]);
    expect(account.models).toEqual(MODELS);
    expect(world.accounts.credential(account)?.reveal()).toBe("sk-ant-api03-canary");
    expect(world.provider.askedWith).toEqual(["sk-ant-api03-canary"]);
  });

  test("keeps only the sealed credential in the store", async () => {
    const world = await createControlWorld();
    const account = await addWork(world);
    const stored = world.stores.accountStore.rows.get(account.id);
    expect(Buffer.from(stored?.credential ?? []).toString("latin1")).not.toContain("canary");
    expect(stored?.generation).toBe(1);
    expect(JSON.stringify([...world.stores.accountStore.rows.values()])).not.toContain("canary");
  });

  test("warns, and adds nevertheless, when the provider does not list its models", async () => {
    const world = await createControlWorld();
    world.provider.answer = err({ status: 503, detail: "The provider answered 503" });
    const added = await world.accounts.add(command());
    expect(added.ok && added.value.warning).toBe('Cannot list the models of "work": The provider answered 503');
    expect(world.accounts.snapshot()).toHaveLength(1);
  });

  test("refuses a name that another account has, or has as its id", async () => {
    const world = await createControlWorld();
    const account = await addWork(world);
    for (const name of ["work", account.id]) {
      expect(await world.accounts.add(command({ name }))).toMatchObject({ ok: false, error: { code: "name_taken" } });
    }
    expect(world.accounts.snapshot()).toHaveLength(1);
  });

  test("gives the name to one of two who ask at the same time", async () => {
    const world = await createControlWorld();
    const both = await Promise.all([world.accounts.add(command()), world.accounts.add(command())]);
    expect(both.map(({ ok: isOk }) => isOk).sort()).toEqual([false, true]);
    expect(world.accounts.snapshot()).toHaveLength(1);
  });

  test("orders the snapshot by priority, then name, and replaces the array", async () => {
    const world = await createControlWorld();
    const before = world.accounts.snapshot();
    await world.accounts.add(command({ name: "b" }));
    await world.accounts.add(command({ name: "a" }));
    await world.accounts.add(command({ name: "first", priority: 0 }));
    expect(world.accounts.snapshot().map(({ name }) => name)).toEqual(["first", "a", "b"]);
    expect(before).toEqual([]);
  });
});

describe("after a restart", () => {
  test("opens every stored credential again", async () => {
    const world = await createControlWorld();
    const account = await addWork(world);
    const reopened = world.openAccounts();
    expect(await reopened.load()).toEqual([]);
    expect(reopened.snapshot()).toEqual([account]);
    expect(reopened.credential(account)?.reveal()).toBe("sk-ant-api03-canary");
  });

  test("reports an account whose credential was changed, and serves the others", async () => {
    const world = await createControlWorld();
    const account = await addWork(world);
    await world.accounts.add(command({ name: "other" }));
    const stored = world.stores.accountStore.rows.get(account.id);
    if (stored === undefined) throw new Error("not stored");
    world.stores.accountStore.rows.set(account.id, { ...stored, generation: 2 });

    const reopened = world.openAccounts();
    expect((await reopened.load()).map(({ name }) => name)).toEqual(["work"]);
    expect(reopened.credential(account)).toBeNull();
    const shown = reopened.show("work");
    expect(shown.ok && shown.value.condition.state).toBe("dead");
    expect(shown.ok && shown.value.condition.reason).toStartWith("Cannot open its credential: ");
    const tested = await reopened.test("work");
    expect(tested).toMatchObject({ ok: true, value: { isOk: false, status: null } });
    const other = reopened.show("other");
    expect(other.ok && other.value.condition.state).toBe("ready");
  });
});

describe("pausing and resuming", () => {
  test("reaches the snapshot and the store, by name or by id", async () => {
    const world = await createControlWorld();
    const { id } = await addWork(world);
    const paused = await world.accounts.pause("work");
    expect(paused.ok && paused.value.condition).toMatchObject({ state: "paused", reason: "Paused by an operator" });
    expect(world.accounts.snapshot()[0]?.isPaused).toBeTrue();
    expect(world.stores.accountStore.rows.get(id)?.isPaused).toBeTrue();

    const resumed = await world.accounts.resume(id);
    expect(resumed.ok && resumed.value.condition.state).toBe("ready");
    expect(world.stores.accountStore.rows.get(id)?.isPaused).toBeFalse();
  });

  test("resuming forgets a bench", async () => {
    const world = await createControlWorld();
    const { id } = await addWork(world);
    world.conditions.set(id, { state: "limited", windows: [], reason: "429", cause: null, untilMs: epochMs(1) });
    const resumed = await world.accounts.resume("work");
    expect(world.resets).toEqual([id]);
    expect(resumed.ok && resumed.value.condition.state).toBe("ready");
  });
});

describe("removing", () => {
  test("forgets the account and its credential everywhere", async () => {
    const world = await createControlWorld();
    const account = await addWork(world);
    expect((await world.accounts.remove("work")).ok).toBeTrue();
    expect(world.accounts.snapshot()).toEqual([]);
    expect(world.accounts.credential(account)).toBeNull();
    expect(world.stores.accountStore.rows.size).toBe(0);
    expect((await world.accounts.add(command())).ok).toBeTrue();
  });
});

describe("testing", () => {
  test("keeps the models that the provider lists", async () => {
    const world = await createControlWorld();
    const { id } = await addWork(world);
    world.provider.answer = ok(MODELS);
    expect(await world.accounts.test("work")).toMatchObject({
      ok: true,
      value: { isOk: true, status: 200, modelCount: 1 },
    });
    expect(world.stores.accountStore.rows.get(id)?.models).toEqual(MODELS);
  });

  test("says what the provider said", async () => {
    const world = await createControlWorld();
    await addWork(world);
    world.provider.answer = err({ status: 401, detail: "The provider refuses the credential" });
    const tested = await world.accounts.test("work");
    expect(tested).toMatchObject({
      ok: true,
      value: { isOk: false, status: 401, detail: "The provider refuses the credential" },
    });
  });
});

test("refuses what concerns an account that is not there", async () => {
  const { accounts } = await createControlWorld();
  for (const answer of [
    accounts.show("ghost"),
    await accounts.pause("ghost"),
    await accounts.resume("ghost"),
    await accounts.remove("ghost"),
    await accounts.test("ghost"),
  ]) {
    expect(answer).toMatchObject({ ok: false, error: { code: "account_not_found" } });
    if (!answer.ok)
      expect(answer.error.message).toMatch(/^Cannot [a-z]+ account "ghost": no account has this name or id$/);
  }
});

describe("learning an organization", () => {
  test("holds at once, and after a restart", async () => {
    const world = await createControlWorld();
    const account = await addWork(world);
    const before = world.accounts.snapshot();
    world.accounts.learnOrganization(account.id, "org-9");
    expect(world.accounts.snapshot()).toMatchObject([{ organization: "org-9" }]);
    expect(before).toMatchObject([{ organization: null }]);
    await Promise.resolve();
    const reopened = world.openAccounts();
    await reopened.load();
    expect(reopened.snapshot()).toMatchObject([{ organization: "org-9" }]);
  });

  test("never replaces what an operator declared, nor what was learned before", async () => {
    const world = await createControlWorld();
    const declared = await world.accounts.add(command({ organization: "declared" }));
    if (!declared.ok) throw new Error(declared.error.message);
    world.accounts.learnOrganization(declared.value.account.id, "other");
    expect(world.accounts.snapshot()).toMatchObject([{ organization: "declared" }]);
    const rows = [...world.stores.accountStore.rows.values()];
    expect(rows).toMatchObject([{ declaredOrganization: "declared", learnedOrganization: null }]);
  });

  test.each(["", "two words", "x".repeat(129), "org\n"])("takes no text that is no id (%j)", async (text) => {
    const world = await createControlWorld();
    const account = await addWork(world);
    world.accounts.learnOrganization(account.id, text);
    expect(world.accounts.snapshot()).toMatchObject([{ organization: null }]);
  });

  test("goes on in memory, and says so, when the store refuses", async () => {
    const world = await createControlWorld();
    const account = await addWork(world);
    world.stores.accountStore.update = () => Promise.reject(new Error("the disk is full"));
    world.accounts.learnOrganization(account.id, "org-9");
    await Bun.sleep(0);
    expect(world.accounts.snapshot()).toMatchObject([{ organization: "org-9" }]);
    expect(world.unstored).toEqual([new Error("the disk is full")]);
  });
});
