import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ok } from "../kernel/result.ts";
import { Secret } from "../kernel/secret.ts";
import { openStorage } from "../storage/storage.ts";
import { createControlWorld } from "./control-world.test.ts";
import { OPEN_DRAFT } from "./key-draft.ts";

const MODELS = [{ id: "claude-sonnet-5", displayName: "Claude Sonnet 5" }];

let directory = "";

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "control-"));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

test("accounts, keys and their state survive a restart on SQLite", async () => {
  const storage = await openStorage({ dataDir: directory });
  const world = await createControlWorld({ accountStore: storage.accounts, keyStore: storage.clientKeys });
  try {
    world.provider.answer = ok(MODELS);
    const command = {
      provider: "anthropic",
      credential: new Secret("test", "sk-ant-api03-canary"),
      credentialKind: "api_key",
      baseUrl: null,
      priority: null,
      weight: null,
      organization: "org-1",
      workspace: null,
    } as const;
    for (const name of ["spare", "work"]) expect((await world.accounts.add({ ...command, name })).ok).toBeTrue();
    expect(await world.accounts.add({ ...command, name: "work" })).toMatchObject({ error: { code: "name_taken" } });
    await world.accounts.pause("spare");
    await world.accounts.remove("work");

    const reopened = world.openAccounts();
    expect(await reopened.load()).toEqual([]);
    expect(reopened.snapshot()).toEqual(world.accounts.snapshot());
    const [spare] = reopened.snapshot();
    expect(spare).toMatchObject({ name: "spare", isPaused: true, organization: "org-1", models: MODELS });
    expect(spare && reopened.credential(spare)?.reveal()).toBe("sk-ant-api03-canary");

    for (const name of ["laptop", "ci"]) expect((await world.keys.create({ ...OPEN_DRAFT, name })).ok).toBeTrue();
    expect(await world.keys.create({ ...OPEN_DRAFT, name: "ci" })).toMatchObject({ error: { code: "name_taken" } });
    await world.keys.revoke("ci");
    const fresh = await world.keys.create({ ...OPEN_DRAFT, name: "ci" });
    expect(await world.openKeys().load(() => true)).toBe(2);
    expect(fresh.ok && world.verifier.verify(fresh.value.disclose())?.keyName).toBe("ci");
    expect((await world.keys.list()).map(({ state }) => state).sort()).toEqual(["active", "active", "revoked"]);
  } finally {
    await storage.close();
  }
});
