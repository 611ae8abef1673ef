import { expect, test } from "bun:test";
import { ok } from "../kernel/result.ts";
import { Secret } from "../kernel/secret.ts";
import { actingAs, OPERATOR } from "./acting.ts";
import type { AuditActor } from "./audit-port.ts";
import { createControlWorld } from "./control-world.test.ts";
import { OPEN_DRAFT } from "./key-draft.ts";

const ACCOUNT = {
  name: "work",
  provider: "anthropic",
  credential: new Secret("test", "sk-ant-api03-canary"),
  credentialKind: "api_key",
  baseUrl: null,
  priority: null,
  weight: null,
  organization: null,
  workspace: null,
} as const;

test("T-22.01 every change is exactly one entry, with who did it to what", async () => {
  const world = await createControlWorld();
  const { accounts, keys, selection, changes, provider } = world;
  const anna: AuditActor = { type: "user", id: "anna", ip: "192.0.2.7" };
  provider.answer = ok([{ id: "claude-sonnet-5", displayName: "Claude Sonnet 5" }]);
  await actingAs(OPERATOR, async () => {
    await accounts.add(ACCOUNT);
    await accounts.pause("work");
  });
  await actingAs(anna, async () => {
    await accounts.resume("work");
    await keys.create({ ...OPEN_DRAFT, name: "laptop" });
    await keys.revoke("laptop");
    await selection.setStrategy("weighted");
  });
  const [account] = accounts.snapshot();
  if (account === undefined) throw new Error("no account");
  accounts.learnOrganization(account.id, "org-1");
  await Bun.sleep(0);
  await actingAs(anna, () => accounts.remove("work"));

  expect(changes.drafts.map(({ code, actor, object }) => [code, actor.id, object.name])).toEqual([
    ["ACC001I", "socket", "work"],
    ["ACC006I", "socket", "work"],
    ["ACC002I", "socket", "work"],
    ["ACC003I", "anna", "work"],
    ["KEY001I", "anna", "laptop"],
    ["KEY002I", "anna", "laptop"],
    ["CFG001I", "anna", null],
    ["ACC005I", "gateway", "work"],
    ["ACC004I", "anna", "work"],
  ]);
  expect(changes.drafts[2]).toMatchObject({ before: { isPaused: false }, after: { isPaused: true } });
  expect(JSON.stringify(changes.drafts)).not.toContain("canary");
});
