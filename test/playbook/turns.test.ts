import { describe, expect, test } from "bun:test";
import { asked, failing, limitedFor, OK, stepsOf } from "./answers.ts";
import { turns } from "./manual-clock.ts";
import type { CallScript } from "./scripted-call.ts";
import { account, CLIENT_KEY, createStage, OTHER_KEY, type Stage } from "./stage.ts";

const ROOMY = { maxWaitMs: 20_000, maxWaiting: 100 };

/** A stage whose only account rests for 10 s, and then answers one request a time: the test says when. */
async function resting(): Promise<Stage> {
  const stage = createStage({ accounts: [account("a")], queue: ROOMY });
  stage.upstream.plan(limitedFor(10));
  await stage.serve(stage.call());
  return stage;
}

function waiter(requestClass: string, key = CLIENT_KEY): CallScript {
  return {
    headers: [
      ["x-api-key", key],
      ["x-claude-code-request-class", requestClass],
    ],
  };
}

/** Ids of the requests that were sent upstream, in order. */
function sent(stage: Stage): string[] {
  return stage.begun.slice(1).map(({ id }) => id);
}

describe("requests that wait for one account", () => {
  test("go main first, then subagents, then what runs beside", async () => {
    const stage = await resting();
    const classes = ["auxiliary", "subagent", "compaction", "workflow", "main"];
    const calls = classes.map((name) => stage.call(waiter(name)));
    const serving = calls.map((call) => stage.serve(call));
    await turns();
    expect(stage.rooms.queue.waiting).toBe(5);
    stage.upstream.plan(OK, OK, OK, OK, OK);
    stage.clock.advance(10_000);
    await Promise.all(serving);
    const order = sent(stage).map((id) => classes[calls.findIndex((call) => call.id === id)]);
    expect(order).toEqual(["compaction", "main", "subagent", "workflow", "auxiliary"]);
    expect(stage.waits.toSorted()).toEqual([
      ["auxiliary", 10_000],
      ["main", 10_000],
      ["main", 10_000],
      ["subagent", 10_000],
      ["subagent", 10_000],
    ] as never);
  });

  test("take turns between their client keys, however many one of them has", async () => {
    const stage = await resting();
    const keys = [CLIENT_KEY, CLIENT_KEY, CLIENT_KEY, CLIENT_KEY, OTHER_KEY, OTHER_KEY];
    const calls = keys.map((key) => stage.call(waiter("main", key)));
    const serving = calls.map((call) => stage.serve(call));
    await turns();
    stage.upstream.plan(OK, OK, OK, OK, OK, OK);
    stage.clock.advance(10_000);
    await Promise.all(serving);
    const order = sent(stage).map((id) => keys[calls.findIndex((call) => call.id === id)] === CLIENT_KEY);
    expect(order).toEqual([true, false, true, false, true, true]);
  });

  test("let one that leaves go at once, and its turn to the next", async () => {
    const stage = await resting();
    const [first, second] = [stage.call(waiter("main")), stage.call(waiter("main"))];
    const serving = [first, second].map((call) => stage.serve(call));
    await turns();
    first.leave();
    expect((await serving[0])?.answer).toBeNull();
    expect(stage.rooms.queue.waiting).toBe(1);
    stage.upstream.plan(OK);
    stage.clock.advance(10_000);
    expect((await serving[1])?.status).toBe(200);
    expect(stage.settled.map(({ outcome }) => outcome)).toEqual(["upstream_error", "client_gone", "completed"]);
    expect([first.listeners, second.listeners]).toEqual([0, 0]);
    expect(stage.clock.timers).toBe(0);
  });

  test("are no stampede when the account is limited again: the first finds out, the others wait on", async () => {
    const stage = await resting();
    const serving = Array.from({ length: 5 }, () => stage.serve(stage.call(waiter("main"))));
    await turns();
    stage.clock.advance(9_000);
    stage.rooms.pool.learn([]);
    // A probe of somebody else: the account rests for 5 s more.
    const [event] = stage.learned.filter(({ type }) => type === "benched");
    if (event?.type !== "benched") throw new Error("Cannot test: no bench");
    stage.rooms.pool.learn([{ ...event, untilMs: (event.untilMs + 5_000) as typeof event.untilMs }]);
    stage.clock.advance(1_000);
    await turns(3);
    expect(asked(stage)).toHaveLength(1);
    stage.upstream.plan(OK, OK, OK, OK, OK);
    stage.clock.advance(5_000);
    expect((await Promise.all(serving)).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect(stage.settled.slice(1).map(({ queueMs }) => queueMs as number)).toEqual([
      15_000, 15_000, 15_000, 15_000, 15_000,
    ]);
    expect(stepsOf(stage, 1)).toEqual(["waited all_rest", expect.stringContaining("tried id-a")] as never);
  });

  test("come before a newcomer when an operator resumes the account", async () => {
    const stage = await resting();
    const waiting = stage.call(waiter("main"));
    const serving = [stage.serve(waiting)];
    await turns();
    const known = account("a");
    stage.rooms.pool.learn([{ type: "reset_account", accountId: known.id, limitGroup: "account:id-a" as never }]);
    stage.upstream.plan(OK, OK);
    const newcomer = stage.call(waiter("main"));
    serving.push(stage.serve(newcomer));
    await Promise.all(serving);
    expect(sent(stage)).toEqual([waiting.id, newcomer.id]);
  });

  test("wait for the outcome of the one that tests whether the limit is over", async () => {
    const stage = createStage({ accounts: [account("a")], queue: ROOMY });
    stage.upstream.plan(failing(429));
    await stage.serve(stage.call());
    const serving = Array.from({ length: 3 }, () => stage.serve(stage.call()));
    await turns();
    stage.clock.advance(3_000);
    const probe = await stage.upstream.nth(1);
    await turns(3);
    expect(asked(stage)).toHaveLength(2);
    expect(stage.rooms.queue.waiting).toBe(2);
    stage.clock.advance(1_000);
    stage.upstream.plan(OK, OK);
    probe.reply(OK);
    expect((await Promise.all(serving)).map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(
      stage.settled
        .slice(1)
        .map(({ queueMs }) => queueMs / 1_000)
        .toSorted(),
    ).toEqual([3, 4, 4]);
  });

  test("go on with the test when the one that made it leaves", async () => {
    const stage = createStage({ accounts: [account("a")], queue: ROOMY });
    stage.upstream.plan(failing(429));
    await stage.serve(stage.call());
    const [prober, next] = [stage.call(), stage.call()];
    const serving = [prober, next].map((call) => stage.serve(call));
    await turns();
    stage.clock.advance(3_000);
    await stage.upstream.nth(1);
    await turns(3);
    expect(stage.rooms.queue.waiting).toBe(1);
    stage.upstream.plan(OK);
    prober.leave();
    expect((await serving[1])?.status).toBe(200);
  });

  test("are told why, for those that are refused", async () => {
    const stage = createStage({ accounts: [account("a")], queue: { maxWaitMs: 20_000, maxWaiting: 0 } });
    stage.upstream.plan(limitedFor(10), limitedFor(60));
    await stage.serve(stage.call());
    expect((await stage.serve(stage.call())).text).toContain("GW_QUEUE_FULL");
    expect(stepsOf(stage, 1)).toEqual(["refused GW_QUEUE_FULL"]);
    stage.clock.advance(10_000);
    await stage.serve(stage.call());
    expect((await stage.serve(stage.call())).text).toContain("GW_ALL_LIMITED");
    expect(stepsOf(stage, 3)).toEqual(["refused GW_ALL_LIMITED"]);
  });
});

describe("a burst", () => {
  test("does not run past a window: what is in flight counts before its answer comes", async () => {
    const stage = createStage({ accounts: [account("a")], queue: ROOMY });
    const resetAt = new Date(stage.clock.now() + 60_000).toISOString();
    const first = stage.serve(stage.call());
    const sending = await stage.upstream.nth(0);
    stage.clock.advance(100);
    sending.reply({
      headers: [
        ["content-type", "application/json"],
        ["anthropic-ratelimit-requests-limit", "10"],
        ["anthropic-ratelimit-requests-remaining", "3"],
        ["anthropic-ratelimit-requests-reset", resetAt],
      ],
      chunks: ["{}"],
    });
    await first;
    const serving = Array.from({ length: 5 }, () => stage.serve(stage.call()));
    await turns();
    expect(asked(stage)).toHaveLength(1 + 3);
    expect(stage.rooms.queue.waiting).toBe(2);
    for (let step = 0; step < 20 && stage.rooms.queue.waiting > 0; step += 1) {
      stage.clock.advance(1_000);
      await turns();
    }
    expect(stage.rooms.queue.waiting).toBe(0);
    for (const each of stage.upstream.sendings) each.reply(OK);
    expect((await Promise.all(serving)).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect(stepsOf(stage, 5)[0]).toBe("waited all_full");
  });
});

describe("the retry budget", () => {
  test("ends retries when upstream has a bad minute: the client gets upstream's own answer", async () => {
    const stage = createStage({ accounts: [account("a")], retryRatio: 0, queue: ROOMY });
    const serving = Array.from({ length: 12 }, () => stage.serve(stage.call()));
    await turns();
    for (let step = 0; step < 4; step += 1) {
      for (const sending of stage.upstream.sendings) sending.reply(failing(529));
      await turns(2);
      stage.clock.advance(600);
      await turns(2);
    }
    const clients = await Promise.all(serving);
    expect(clients.every(({ status, text }) => status === 529 && text.includes("scripted 529"))).toBe(true);
    expect(asked(stage)).toHaveLength(12 + 10);
    expect(stage.rooms.retryBudget.refused).toBe(2);
    const refused = stage.settled.filter((_, row) => stepsOf(stage, row).includes("refused retry_budget"));
    expect(refused.map(({ attempts }) => attempts)).toEqual([1, 1]);
  });
});
