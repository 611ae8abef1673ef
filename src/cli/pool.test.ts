import { afterEach, describe, expect, test } from "bun:test";
import { accountListSchema } from "../contract/accounts.ts";
import { explanationSchema } from "../contract/explanation.ts";
import { START } from "../control/control-world.test.ts";
import { clientKeyId } from "../domain/access/client-key-id.ts";
import { encodeDecision } from "../domain/decision/decision.ts";
import { requestId } from "../domain/ledger/record.ts";
import { durationMs, epochMs } from "../kernel/time.ts";
import { simulate } from "../simulate.ts";
import type { SimulationOrder } from "./cli-io.ts";
import { ADD, cleanUp, KEY, startGateway } from "./cli-world.test.ts";

afterEach(cleanUp);

const HOUR_MS = 3_600_000;

describe("explain", () => {
  async function startWithRequest() {
    const world = await startGateway();
    await world.cli([...ADD, "--key-stdin"], { stdin: KEY });
    const [work] = world.accounts.snapshot();
    if (work === undefined) throw new Error("The account was not added");
    world.stores.ledger.rows.push({
      id: requestId("0197-a"),
      startedAtMs: START,
      clientKeyId: clientKeyId("k"),
      accountId: work.id,
      method: "POST",
      path: "/v1/messages",
      model: "evil\u001b[2Jmodel",
      isStream: true,
      outcome: "completed",
      status: 200,
      attempts: 1,
      queueMs: durationMs(1_500.4),
      firstByteMs: durationMs(12),
      totalMs: durationMs(80),
      usage: null,
      errorType: null,
      upstreamRequestId: null,
      costMicroUsd: 12_345,
      thinkingDropped: 3,
    });
    return { ...world, work };
  }

  test("prints the request and its reasons for a person", async () => {
    const { cli, stores, work } = await startWithRequest();
    const tried = { kind: "tried", accountId: work.id, why: "new_home", move: null, skips: [], skipCount: 0 } as const;
    stores.ledger.decisions.set(
      requestId("0197-a"),
      encodeDecision({
        strategy: "session",
        conversation: "user_id",
        steps: [{ ...tried, reason: "served", status: 200, cause: null }],
      }),
    );
    const { code, stdout } = await cli(["explain", "0197-a"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Request: +0197-a\n/);
    expect(stdout).toMatch(/\nOutcome: +completed, status 200\nAccount: +work\n/);
    expect(stdout).toMatch(/\nModel: +evil\?\[2Jmodel\n/);
    expect(stdout).toMatch(/\nWaited: +1500 ms\n/);
    expect(stdout).toMatch(/\nThinking dropped: +3 blocks\nCost: +\$0\.012345\n\n/);
    expect(stdout).toContain("The strategy was session");
    expect(stdout.split("\n\n")[1]).toContain("work");
    const data = explanationSchema.parse(JSON.parse((await cli(["explain", "0197-a", "--json"])).stdout));
    expect(data.decision?.steps).toMatchObject([{ kind: "tried", account: "work", why: "new_home" }]);
  });

  test("says honestly that an old request has no decision", async () => {
    const { cli } = await startWithRequest();
    const { code, stdout } = await cli(["explain", "0197-a"]);
    expect(code).toBe(0);
    expect(stdout).toEndWith("the release that served it did not record any.\n");
  });

  test("exits 1 with one sentence for an id that the ledger does not hold", async () => {
    const { cli } = await startGateway();
    expect(await cli(["explain", "0197-ghost", "--json"])).toEqual({
      code: 1,
      stdout: "",
      stderr: 'error: Cannot explain request "0197-ghost": the ledger does not hold it\n',
    });
    expect((await cli(["explain", "../accounts"])).code).toBe(1);
  });
});

describe("strategy", () => {
  test("is shown with who gave it, and set for the next request", async () => {
    const { cli, selection } = await startGateway();
    expect((await cli(["strategy", "show"])).stdout).toBe(
      "session (the default)\nOf: session, least-used, weighted, drain-soonest, round-robin, priority\n",
    );
    expect((await cli(["strategy", "set", "drain-soonest"])).stdout).toBe(
      "The strategy is drain-soonest from the next request on\n",
    );
    expect(selection.rule().strategy).toBe("drain-soonest");
    expect(JSON.parse((await cli(["strategy", "show", "--json"])).stdout)).toMatchObject({
      name: "drain-soonest",
      source: "stored",
    });
  });

  test("that is none is refused with the names of those that are", async () => {
    const { cli } = await startGateway();
    expect(await cli(["strategy", "set", "fastest"])).toEqual({
      code: 1,
      stdout: "",
      stderr:
        'error: Cannot set strategy "fastest": it is none of session, least-used, weighted, drain-soonest, round-robin, priority\n',
    });
    expect((await cli(["strategy", "set"])).code).toBe(2);
  });
});

describe("account", () => {
  test("is added with its weight, and a weight out of range is refused with the limits", async () => {
    const { cli, accounts } = await startGateway();
    await cli([...ADD, "--key-stdin", "--weight", "250"], { stdin: KEY });
    expect(accounts.snapshot()).toMatchObject([{ weight: 250 }]);
    for (const weight of ["0", "1001"]) {
      const refused = await cli(["account", "add", "other", "--key-stdin", "--weight", weight], { stdin: KEY });
      expect(refused.code).toBe(1);
      expect(refused.stderr).toContain(`weight must be a whole number from 1 to 1000, not ${weight}`);
    }
    expect((await cli(["account", "add", "other", "--key-stdin", "--weight", "-1"], { stdin: KEY })).code).toBe(2);
  });

  test("is listed with what each window used, leaves and when it will be used up", async () => {
    const { cli, accounts, conditions } = await startGateway();
    await cli([...ADD, "--key-stdin"], { stdin: KEY });
    const id = accounts.snapshot()[0]?.id;
    if (id === undefined) throw new Error("The account was not added");
    // Two of five hours have passed, and half is used.
    conditions.set(id, {
      state: "limited",
      reason: "Limited",
      cause: "status 429, retry-after",
      untilMs: epochMs(START + HOUR_MS),
      windows: [
        {
          name: "5h",
          modelClass: null,
          status: "allowed",
          limit: null,
          remaining: null,
          usedRatio: 0.5,
          resetAtMs: epochMs(START + 3 * HOUR_MS),
          seenAtMs: START,
        },
        {
          name: "input-tokens",
          modelClass: "opus",
          status: null,
          limit: 1_000,
          remaining: 250,
          usedRatio: null,
          resetAtMs: epochMs(START + 60_000),
          seenAtMs: START,
        },
      ],
    });
    const [account] = accountListSchema.parse(JSON.parse((await cli(["account", "list", "--json"])).stdout));
    expect(account?.windows).toMatchObject([
      { name: "5h", usedRatio: 0.5, leftRatio: 0.5, pace: "ahead", exhaustsAt: "2026-11-23T14:00:00.000Z" },
      { name: "input-tokens", usedRatio: 0.75, leftRatio: 0.25, pace: null, exhaustsAt: null },
    ]);
    for (const argv of [
      ["account", "list"],
      ["account", "show", "work"],
    ]) {
      const { stdout } = await cli(argv);
      expect(stdout).toContain("Limited (status 429, retry-after)");
      expect(stdout).toMatch(
        /\n(work +)?5h +all +50 % +50 % +- +2026-11-23 15:00:00 +ahead +2026-11-23 14:00:00 +allowed\n/,
      );
      expect(stdout).toMatch(/\n(work +)?input-tokens +opus +75 % +25 % +250 of 1000 +2026-11-23 12:01:00 +- +- +-\n/);
    }
  });
});

describe("simulate", () => {
  const io = { simulate };

  async function startWithWork(requests: number) {
    const world = await startGateway();
    await world.cli([...ADD, "--key-stdin"], { stdin: KEY });
    for (let index = 0; index < requests; index += 1) {
      const startedAtMs = epochMs(START - HOUR_MS + index * 60_000);
      world.stores.ledger.rows.push({
        id: requestId(`0197-${String(index).padStart(6, "0")}`),
        startedAtMs,
        clientKeyId: clientKeyId("k"),
        accountId: null,
        method: "POST",
        path: "/v1/messages",
        model: "claude-sonnet-5",
        isStream: true,
        outcome: "completed",
        status: 200,
        attempts: 1,
        queueMs: durationMs(0),
        firstByteMs: durationMs(500),
        totalMs: durationMs(2_000),
        usage: {
          inputTokens: 1_000,
          cacheWrite5mTokens: 0,
          cacheWrite1hTokens: null,
          cacheReadTokens: index * 1_500,
          outputTokens: 500,
          webSearchRequests: null,
          webFetchRequests: null,
          serviceTier: null,
          isPartial: false,
        },
        errorType: null,
        upstreamRequestId: null,
        costMicroUsd: 10_500,
        thinkingDropped: null,
      });
    }
    return world;
  }

  test("shows another strategy beside the one that holds, and says what it could not know", async () => {
    const { cli } = await startWithWork(12);
    const { code, stdout, stderr } = await cli(["simulate", "--since", "2h", "--strategy", "weighted"], { io });
    expect(code).toBe(0);
    expect(stderr).toBe("note: No limit is known of work: taken as unlimited\n");
    expect(stdout).toMatch(/\nsession +.*\nweighted +/);
    expect(stdout).not.toContain("round-robin");
    expect(stdout).toEndWith("The strategy that holds is session\n");
    const data = JSON.parse((await cli(["simulate", "--json"], { io })).stdout);
    expect(data.results[0].reports).toHaveLength(6);
    expect(data.results[0].reports[0]).toMatchObject({ strategy: "session", requests: 12, refusals: 0 });
  });

  test("reads a ledger of more than one page, whole", async () => {
    const { cli } = await startWithWork(5_001);
    let counted = 0;
    const count = {
      async simulate({ requests }: SimulationOrder) {
        counted = requests.length;
        return null;
      },
    };
    expect((await cli(["simulate"], { io: count })).code).toBe(1);
    expect(counted).toBe(5_001);
  });

  test("exits 1 when there is nothing to replay, and 2 for a strategy that is none", async () => {
    const { cli } = await startGateway();
    const empty = await cli(["simulate"], { io });
    expect(empty).toMatchObject({ code: 1, stdout: "" });
    expect(empty.stderr).toStartWith("error: Cannot replay the ledger of the last 7d: it holds no request with usage");
    const wrong = await cli(["simulate", "--strategy", "fastest"], { io });
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toContain("session, least-used, weighted, drain-soonest, round-robin, priority");
  });
});
