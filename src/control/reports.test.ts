import { describe, expect, test } from "bun:test";
import { clientKeyId } from "../domain/access/client-key-id.ts";
import { accountId } from "../domain/account/account.ts";
import { type RequestOutcome, requestId } from "../domain/ledger/record.ts";
import { err } from "../kernel/result.ts";
import { Secret } from "../kernel/secret.ts";
import { durationMs, epochMs } from "../kernel/time.ts";
import { createControlWorld, START } from "./control-world.test.ts";
import { diagnose } from "./diagnosis.ts";
import { OPEN_DRAFT } from "./key-draft.ts";
import type { LedgerLag, RequestRow, RequestTally } from "./ports.ts";

const WORK = {
  name: "work",
  provider: "anthropic",
  credential: new Secret("test", "canary"),
  credentialKind: "api_key",
  baseUrl: null,
  priority: null,
  weight: null,
  organization: null,
  workspace: null,
} as const;

const ROW: RequestRow = {
  id: requestId("r1"),
  startedAtMs: START,
  clientKeyId: clientKeyId("gone000000"),
  accountId: null,
  method: "POST",
  path: "/v1/messages",
  model: null,
  isStream: false,
  outcome: "in_flight",
  status: null,
  attempts: 0,
  queueMs: null,
  firstByteMs: null,
  totalMs: null,
  usage: null,
  errorType: null,
  upstreamRequestId: null,
  costMicroUsd: null,
  thinkingDropped: null,
};

function tally(changes: Partial<RequestTally>): RequestTally {
  return {
    accountId: null,
    model: null,
    outcome: "completed",
    requestCount: 1,
    inputTokens: 1,
    cacheWrite5mTokens: 2,
    cacheWrite1hTokens: 3,
    cacheReadTokens: 4,
    outputTokens: 5,
    ...changes,
  };
}

describe("requests", () => {
  test("carry the names of account and key, and the id of what was removed", async () => {
    const world = await createControlWorld();
    const added = await world.accounts.add(WORK);
    const key = await world.keys.create({ ...OPEN_DRAFT, name: "laptop" });
    if (!added.ok || !key.ok) throw new Error("not added");
    world.stores.ledger.rows.push(
      ROW,
      {
        ...ROW,
        id: requestId("r2"),
        startedAtMs: epochMs(START + 1),
        accountId: added.value.account.id,
        clientKeyId: key.value.id,
      },
      { ...ROW, id: requestId("r3"), startedAtMs: epochMs(START + 2), accountId: accountId("removed") },
    );
    const reports = await world.requests.newest(10, "any");
    expect(
      reports.map(({ row, accountName, clientKeyName }) => [row.id as string, accountName, clientKeyName]),
    ).toEqual([
      ["r3", "removed", "gone000000"],
      ["r2", "work", "laptop"],
      ["r1", null, "gone000000"],
    ]);
  });

  test("one that the ledger does not hold is refused", async () => {
    const world = await createControlWorld();
    expect(await world.requests.get(requestId("r9"), "any")).toMatchObject({
      ok: false,
      error: { code: "request_not_found" },
    });
  });
});

describe("stats", () => {
  test("add up every tally once in the total, once by account and once by model, busiest first", async () => {
    const world = await createControlWorld();
    const added = await world.accounts.add(WORK);
    if (!added.ok) throw new Error("not added");
    world.stores.ledger.tallies = [
      tally({ accountId: added.value.account.id, model: "opus", requestCount: 2 }),
      tally({ accountId: added.value.account.id, model: "haiku", requestCount: 5 }),
      tally({ model: "opus", outcome: "refused" }),
    ];
    const { total, accounts, models, sinceMs } = await world.stats.over(durationMs(60_000), "any");
    expect(sinceMs).toBe(epochMs(START - 60_000));
    expect(total).toMatchObject({ requests: 8, completed: 7, failed: 1, inputTokens: 3, outputTokens: 15 });
    expect(accounts.map(({ account, requests }) => [account, requests])).toEqual([
      ["work", 7],
      [null, 1],
    ]);
    expect(models.map(({ model, requests }) => [model, requests])).toEqual([
      ["haiku", 5],
      ["opus", 3],
    ]);
  });

  const COLUMNS: readonly (readonly [RequestOutcome, string])[] = [
    ["completed", "completed"],
    ["client_gone", "clientGone"],
    ["in_flight", "inFlight"],
    ["upstream_error", "failed"],
    ["truncated", "failed"],
    ["refused", "failed"],
    ["interrupted", "failed"],
  ];
  test.each(COLUMNS)("count %s as %s", async (outcome, column) => {
    const world = await createControlWorld();
    world.stores.ledger.tallies = [tally({ outcome, requestCount: 3 })];
    const { total } = await world.stats.over(durationMs(60_000), "any");
    const counts = { completed: 0, failed: 0, clientGone: 0, inFlight: 0, [column]: 3 };
    expect(total).toMatchObject(counts);
  });

  test("of a span longer than time itself begin with it", async () => {
    const world = await createControlWorld();
    expect((await world.stats.over(durationMs(START * 2), "any")).sinceMs).toBe(epochMs(0));
  });
});

describe("diagnosis", () => {
  async function healthyWorld() {
    const world = await createControlWorld();
    await world.accounts.add(WORK);
    await world.keys.create({ ...OPEN_DRAFT, name: "laptop" });
    const failing = async () => (await diagnose(world)).filter(({ isOk }) => !isOk).map(({ name }) => name);
    return { world, failing };
  }

  test("finds nothing wrong with a gateway that can serve", async () => {
    const { world } = await healthyWorld();
    for (const check of await diagnose(world)) expect(check).toMatchObject({ isOk: true, fix: null });
  });

  test("names a missing account and a missing key, with the command that helps", async () => {
    const world = await createControlWorld();
    const checks = (await diagnose(world)).filter(({ isOk }) => !isOk);
    expect(checks.map(({ name }) => name)).toEqual(["accounts", "client keys"]);
    expect(checks.map(({ fix }) => fix)).toEqual([
      "Add one: better-ccflare account add NAME --provider anthropic --key-stdin",
      "Create one: better-ccflare key create NAME",
    ]);
  });

  test("names an account that only its owner can mend", async () => {
    const { world, failing } = await healthyWorld();
    await world.accounts.add({ ...WORK, name: "spare" });
    const work = world.accounts.snapshot().find(({ name }) => name === "work");
    if (work === undefined) throw new Error("not there");
    world.conditions.set(work.id, { state: "dead", windows: [], reason: "401", cause: null, untilMs: null });
    expect(await failing()).toEqual(["accounts"]);
  });

  test("tells that every account is paused", async () => {
    const { world, failing } = await healthyWorld();
    await world.accounts.pause("work");
    expect(await failing()).toEqual(["accounts"]);
  });

  test.each<[string, LedgerLag, readonly string[]]>([
    ["a short lag is work", { pendingEntries: 5000, oldestPendingMs: durationMs(60_000), droppedEntries: 0 }, []],
    [
      "a long lag is a fault",
      { pendingEntries: 1, oldestPendingMs: durationMs(60_001), droppedEntries: 0 },
      ["ledger"],
    ],
    ["a lost entry is a fault", { pendingEntries: 0, oldestPendingMs: null, droppedEntries: 1 }, ["ledger"]],
  ])("%s", async (_what, lag, expected) => {
    const { world, failing } = await healthyWorld();
    world.findings.lag = lag;
    expect(await failing()).toEqual([...expected]);
  });

  test("passes on what the database and the data directory complain about", async () => {
    const { world, failing } = await healthyWorld();
    world.findings.integrity = err("row 3 missing from index");
    world.findings.permissions = err("/data has mode 0755 instead of 0700");
    expect(await failing()).toEqual(["data directory", "database"]);
  });
});
