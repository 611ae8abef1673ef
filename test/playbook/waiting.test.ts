import { describe, expect, test } from "bun:test";
import { modelClassOf } from "../../src/domain/account/model-class.ts";
import { subjectOf } from "../../src/domain/pool/pool-event.ts";
import { after, durationMs } from "../../src/kernel/time.ts";
import { turns } from "./manual-clock.ts";
import { account, createStage, type Stage } from "./stage.ts";

/** A stage whose only account rests for `seconds` from now. */
async function resting(seconds: number, queue?: { maxWaitMs: number; maxWaiting: number }): Promise<Stage> {
  const stage = createStage({ accounts: [account("a")], ...(queue === undefined ? {} : { queue }) });
  stage.upstream.plan({ status: 429, headers: [["retry-after", String(seconds)]], chunks: ["{}"] });
  await stage.serve(stage.call());
  return stage;
}

/** Account a meets a limit through somebody else's request. */
function bench(stage: Stage, forMs: number): void {
  const nowMs = stage.clock.now();
  stage.rooms.pool.learn([
    {
      type: "benched",
      on: subjectOf(account("a"), null, modelClassOf("claude-sonnet-4-5")),
      untilMs: after(nowMs, durationMs(forMs)),
      reason: "rate_limited",
      cause: "status 429, retry-after",
      scope: "class",
      atMs: nowMs,
    },
  ]);
}

describe("while every account rests", () => {
  test("a request waits for the first to come back, and says how long it waited", async () => {
    const stage = await resting(10);
    const serving = stage.serve(stage.call());
    await turns();
    expect(stage.rooms.queue.waiting).toBe(1);
    expect(stage.upstream.sendings).toHaveLength(1);
    stage.upstream.plan({ chunks: ["{}"] });
    stage.clock.advance(10_000);
    expect((await serving).status).toBe(200);
    expect(stage.settled[1]).toMatchObject({ outcome: "completed", queueMs: 10_000, attempts: 1 });
    expect(stage.rooms.queue.waiting).toBe(0);
    expect(stage.clock.timers).toBe(0);
  });

  test("a wait that is too long is refused at once, with the seconds to wait", async () => {
    const stage = await resting(45);
    const client = await stage.serve(stage.call());
    expect(client.status).toBe(429);
    expect(client.header("retry-after")).toBe("45");
    expect(client.text).toContain("GW_ALL_LIMITED");
    expect(client.text).toContain("sonnet");
    expect(stage.settled[1]).toMatchObject({ status: 429, outcome: "refused", attempts: 0, accountId: null });
    expect(stage.rooms.budget.usedBytes).toBe(0);
  });

  test("never tells a client to wait for more than a minute", async () => {
    const stage = await resting(3_600);
    expect((await stage.serve(stage.call())).header("retry-after")).toBe("60");
  });

  test("more requests than may wait are refused", async () => {
    const stage = await resting(10, { maxWaitMs: 20_000, maxWaiting: 1 });
    const first = stage.serve(stage.call());
    await turns();
    const second = await stage.serve(stage.call());
    expect(second.status).toBe(429);
    expect(second.text).toContain("GW_QUEUE_FULL");
    expect(second.header("retry-after")).toBe("5");
    stage.upstream.plan({ chunks: ["{}"] });
    stage.clock.advance(10_000);
    expect((await first).status).toBe(200);
  });

  test("a client that leaves the queue frees its place", async () => {
    const stage = await resting(10);
    const call = stage.call();
    const serving = stage.serve(call);
    await turns();
    call.leave();
    expect((await serving).answer).toBeNull();
    expect(stage.settled[1]).toMatchObject({ outcome: "client_gone", attempts: 0, accountId: null });
    expect(stage.rooms.queue.waiting).toBe(0);
    expect(stage.clock.timers).toBe(0);
    expect(call.listeners).toBe(0);
  });

  test("waits that follow each other are bounded together", async () => {
    const stage = await resting(15);
    const serving = stage.serve(stage.call());
    await turns();
    // Somebody else's request meets the limit again, just before this one wakes.
    bench(stage, 30_000);
    stage.clock.advance(15_000);
    const client = await serving;
    expect(client.status).toBe(429);
    expect(client.header("retry-after")).toBe("15");
    expect(stage.settled[1]).toMatchObject({ outcome: "refused", queueMs: 15_000 });
  });
});

describe("a short limit that upstream stated", () => {
  test("is waited for, and so is another one that began meanwhile", async () => {
    const stage = createStage({ accounts: [account("a")] });
    stage.upstream.plan({ status: 429, headers: [["retry-after", "2"]], chunks: ["{}"] });
    const serving = stage.serve(stage.call());
    await turns();
    bench(stage, 12_000);
    stage.clock.advance(2_000);
    await turns();
    expect(stage.rooms.queue.waiting, "upstream's own 429 says what is over").toBe(1);
    stage.upstream.plan({ chunks: ["{}"] });
    stage.clock.advance(10_000);
    expect((await serving).status).toBe(200);
    expect(stage.settled[0]).toMatchObject({ outcome: "completed", queueMs: 12_000, attempts: 2 });
  });
});

describe("without a usable account", () => {
  test("a gateway that has none says how to add one", async () => {
    const stage = createStage({ accounts: [] });
    const client = await stage.serve(stage.call());
    expect(client.status).toBe(503);
    expect(client.text).toContain("better-ccflare account add");
    expect(stage.settled).toMatchObject([{ status: 503, outcome: "refused", errorType: "api_error" }]);
  });

  test("the reasons are counted, without the accounts' names", async () => {
    const stage = createStage({
      accounts: [account("secretive", { isPaused: true }), account("private", { isPaused: true })],
    });
    const client = await stage.serve(stage.call());
    expect(client.text).toContain("2 accounts: An operator paused the account");
    expect(client.text).not.toContain("secretive");
  });

  test("an account that was removed in the meantime is not tried again", async () => {
    const stage = createStage({ accounts: [account("a")] });
    stage.upstream.plan("connect");
    const serving = stage.serve(stage.call());
    await turns();
    stage.unreadable.add("a");
    stage.clock.advance(1_000);
    expect((await serving).text).toContain("GW_UPSTREAM_UNREACHABLE");
    expect(stage.upstream.sendings).toHaveLength(1);
  });

  test("whose only credential cannot be read says that somebody must act", async () => {
    const stage = createStage({ accounts: [account("a")] });
    stage.unreadable.add("a");
    const client = await stage.serve(stage.call());
    expect(client.status).toBe(503);
    expect(client.text).toContain("GW_NO_ACCOUNT");
    expect(stage.settled).toMatchObject([{ outcome: "refused", attempts: 0 }]);
  });
});

describe("a bug", () => {
  test("in a port still settles the request, and reaches whoever answers 500", async () => {
    const stage = createStage({
      overrides: {
        accounts: {
          snapshot: () => [account("a")],
          credential: () => {
            throw new Error("scripted bug");
          },
          learnOrganization: () => undefined,
        },
      },
    });
    const served = stage.serve(stage.call());
    await expect(served).rejects.toThrow("scripted bug");
    expect(stage.settled).toMatchObject([{ status: 500, outcome: "refused", errorType: "api_error" }]);
    expect(stage.rooms.budget.usedBytes).toBe(0);
  });

  test("while the body is read gives its bytes back", async () => {
    const stage = createStage();
    const served = stage.serve(stage.call({ problem: "throws" }));
    await expect(served).rejects.toThrow("Cannot read the body");
    expect(stage.rooms.budget.usedBytes).toBe(0);
  });
});
