import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SelectionRule } from "../domain/selection/choice.ts";
import { STRATEGIES } from "../domain/selection/strategy-name.ts";
import { durationMs, epochMs } from "../kernel/time.ts";
import { openStorage } from "../storage/storage.ts";
import { createControlWorld } from "./control-world.test.ts";
import { createSelectionService } from "./selection.ts";

const RULE: SelectionRule = {
  strategy: "session",
  waitPriceUsdPerHour: 60,
  crossOrganization: "allow",
  maxWaitMs: durationMs(20_000),
};

type Start = { readonly rule?: SelectionRule; readonly strategyGivenBy?: string | null };

/** Real storage; `start` is a start of the gateway over the same directory. */
async function inDirectory(
  act: (start: (given?: Start) => Promise<ReturnType<typeof createSelectionService>>) => Promise<void>,
): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), "selection-"));
  const storage = await openStorage({ dataDir });
  const changes = storage.auditedChanges({ now: () => epochMs(0), clean: (text) => text });
  try {
    await act(async ({ rule = RULE, strategyGivenBy = null } = {}) => {
      const service = createSelectionService({ store: storage.settings, changes, rule, strategyGivenBy });
      await service.load();
      return service;
    });
  } finally {
    await storage.close();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

test("is the default until somebody sets another, which holds at once and after a restart", async () => {
  await inDirectory(async (start) => {
    const service = await start();
    expect(service.strategy()).toEqual({ name: "session", source: "default", givenBy: null });
    expect(await service.setStrategy("weighted")).toMatchObject({ ok: true, value: { name: "weighted" } });
    expect(service.rule()).toEqual({ ...RULE, strategy: "weighted" });
    expect((await start()).strategy()).toEqual({ name: "weighted", source: "stored", givenBy: null });
    expect((await start()).rule().strategy).toBe("weighted");
  });
});

test.each([...STRATEGIES])("takes %s", async (name) => {
  await inDirectory(async (start) => {
    const service = await start();
    expect((await service.setStrategy(name)).ok).toBeTrue();
    expect(service.strategy().name).toBe(name);
  });
});

test.each(["", "Session", "fastest", "x".repeat(5000)])("refuses %j and names the valid ones", async (name) => {
  await inDirectory(async (start) => {
    const service = await start();
    const refused = await service.setStrategy(name);
    if (refused.ok) throw new Error("It was taken");
    expect(refused.error).toMatchObject({ code: "strategy_unknown", field: "name" });
    expect(refused.error.message).toEndWith(
      "it is none of session, least-used, weighted, drain-soonest, round-robin, priority",
    );
    expect(refused.error.message.length).toBeLessThan(250);
    expect(service.strategy().name).toBe("session");
  });
});

test("what the configuration gives wins over what was stored, and is not changed", async () => {
  await inDirectory(async (start) => {
    await (await start()).setStrategy("weighted");
    const given = { rule: { ...RULE, strategy: "priority" as const }, strategyGivenBy: "LB_STRATEGY" };
    const service = await start(given);
    expect(service.strategy()).toEqual({ name: "priority", source: "configuration", givenBy: "LB_STRATEGY" });
    expect(await service.setStrategy("round-robin")).toMatchObject({
      ok: false,
      error: { code: "strategy_fixed", message: expect.stringContaining("LB_STRATEGY gives priority") },
    });
    expect(service.rule().strategy).toBe("priority");
    expect((await start()).strategy().name).toBe("weighted");
  });
});

test("a stored name that this release does not know counts as none", async () => {
  const values = new Map([["selection.strategy", "of-a-later-release"]]);
  const store = { get: async (key: string) => values.get(key) ?? null, set: async () => undefined };
  const changes = (await createControlWorld()).changes;
  const service = createSelectionService({ store, changes, rule: RULE, strategyGivenBy: null });
  await service.load();
  expect(service.strategy()).toMatchObject({ name: "session", source: "default" });
});
