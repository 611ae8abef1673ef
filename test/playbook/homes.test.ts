import { describe, expect, test } from "bun:test";
import { modelClassOf } from "../../src/domain/account/model-class.ts";
import { asked, cached, decisionOf, limitedFor, OK, stepsOf, turnOf } from "./answers.ts";
import { turns } from "./manual-clock.ts";
import { errorEvent, MESSAGE_START, SSE_HEADERS, WHOLE_STREAM } from "./sse.ts";
import { account, createStage, OTHER_KEY, type Stage } from "./stage.ts";

const HOUR_S = 3_600;
const LARGE = 100_000;

/** A conversation whose home is `a`, with a prompt cache that is dear to move. */
async function atHome(stage: Stage = createStage({ accounts: [account("a"), account("b")] })): Promise<Stage> {
  stage.upstream.plan(cached(LARGE));
  await stage.serve(stage.call(turnOf("s1")));
  return stage;
}

describe("a conversation", () => {
  test("stays where its cache is, while others go to the account that does least", async () => {
    const stage = await atHome();
    const long = stage.upstream;
    long.plan({ headers: SSE_HEADERS, chunks: WHOLE_STREAM.slice(0, 2), ending: "open" }, OK, OK);
    await stage.serve(stage.call({ ...turnOf("s1"), body: '{"model":"claude-sonnet-4-5","stream":true}' }));
    await stage.serve(stage.call(turnOf("s2")));
    await stage.serve(stage.call(turnOf("s1")));
    expect(asked(stage)).toEqual(["a", "a", "b", "a"]);
    expect(stepsOf(stage, 0)).toEqual(["tried id-a new_home served"]);
    expect(stepsOf(stage, 2)).toEqual(["tried id-a home served"]);
    expect(decisionOf(stage, 2)).toMatchObject({ strategy: "session", conversation: "session_id" });
  });

  test("of another client key with the same id is another one", async () => {
    const stage = await atHome();
    stage.upstream.plan(limitedFor(3 * HOUR_S), OK, OK);
    await stage.serve(stage.call(turnOf("s1")));
    stage.clock.advance(3 * HOUR_S * 1000);
    await stage.serve(stage.call(turnOf("s1", [["x-api-key", OTHER_KEY]])));
    expect(stepsOf(stage, 2)[0]).toContain("new_home");
  });

  test("without a session id is told by the user id, or by how its prompt begins", async () => {
    const stage = createStage();
    stage.upstream.plan(OK, OK, OK);
    const user = '"metadata":{"user_id":"u1"}';
    await stage.serve(stage.call({ body: `{"model":"claude-sonnet-4-5",${user},"messages":[]}` }));
    await stage.serve(
      stage.call({ body: '{"model":"claude-sonnet-4-5","messages":[{"role":"user","content":"hi"}]}' }),
    );
    expect(decisionOf(stage, 0).conversation).toBe("user_id");
    expect(decisionOf(stage, 1).conversation).toBe("prefix");
  });
});

describe("a home that rests", () => {
  test("for 10 s is waited for, because that is cheaper than a move", async () => {
    const stage = await atHome();
    stage.upstream.plan(limitedFor(10));
    const serving = stage.serve(stage.call(turnOf("s1")));
    await turns();
    expect(asked(stage)).toEqual(["a", "a"]);
    expect(stage.rooms.queue.waiting).toBe(1);
    stage.clock.advance(9_999);
    await turns();
    expect(asked(stage)).toEqual(["a", "a"]);
    stage.upstream.plan(OK);
    stage.clock.advance(1);
    expect((await serving).status).toBe(200);
    expect(asked(stage)).toEqual(["a", "a", "a"]);
    expect(stage.settled[1]).toMatchObject({ outcome: "completed", attempts: 2, queueMs: 10_000, accountId: "id-a" });
    expect(stepsOf(stage, 1)).toEqual([
      "tried id-a home rate_limited",
      "waited home_returns",
      "tried id-a home served",
    ]);
    expect(decisionOf(stage, 1).steps[1]).toMatchObject({ move: { from: "id-a", kind: "other_platform" } });
  });

  test("for 10 s is left at once when the move costs nothing: nothing is cached, or it was compacted away", async () => {
    const stage = await atHome();
    stage.upstream.plan(limitedFor(10), OK);
    await stage.serve(stage.call(turnOf("s1", [["x-claude-code-context-compacted", "1"]])));
    expect(asked(stage)).toEqual(["a", "a", "b"]);
    expect(stage.settled[1]).toMatchObject({ queueMs: 0 });
  });

  test("for 3 h is left, and the conversation stays where it went", async () => {
    const stage = await atHome();
    stage.upstream.plan(limitedFor(3 * HOUR_S), cached(LARGE), OK);
    await stage.serve(stage.call(turnOf("s1")));
    stage.clock.advance(3 * HOUR_S * 1000 + 1);
    await stage.serve(stage.call(turnOf("s1")));
    expect(asked(stage)).toEqual(["a", "a", "b", "b"]);
    expect(stepsOf(stage, 1)).toEqual(["tried id-a home rate_limited", "tried id-b home_moved served"]);
    expect(stepsOf(stage, 2)).toEqual(["tried id-b home served"]);
    expect(stage.attempted.map(({ move }) => move?.setsHome ?? null)).toEqual([null, null, true, null]);
  });

  test("for a minute is left for a minute: the conversation comes back to its cache", async () => {
    const stage = await atHome();
    stage.upstream.plan(limitedFor(60), cached(LARGE), OK, OK);
    await stage.serve(stage.call(turnOf("s1")));
    await stage.serve(stage.call(turnOf("s1")));
    stage.clock.advance(60_000);
    await stage.serve(stage.call(turnOf("s1")));
    expect(asked(stage)).toEqual(["a", "a", "b", "b", "a"]);
    expect(stepsOf(stage, 1)[1]).toBe("tried id-b spill served");
    expect(stepsOf(stage, 3)).toEqual(["tried id-a home served"]);
  });
});

test("two keys of one organization share a bench as soon as answers name it", async () => {
  const named = [["anthropic-organization-id", "org-1"]] as const;
  const stage = createStage({ accounts: [account("a"), account("b")], rule: { strategy: "round-robin" } });
  stage.upstream.plan(cached(0, named), cached(0, named), limitedFor(45));
  await stage.serve(stage.call());
  await stage.serve(stage.call());
  expect(asked(stage)).toEqual(["a", "b"]);
  expect(stage.rooms.accounts.snapshot().map(({ organization }) => organization)).toEqual(["org-1", "org-1"]);
  const client = await stage.serve(stage.call());
  expect(client.status).toBe(429);
  expect(asked(stage)).toHaveLength(3);
  expect((await stage.serve(stage.call())).text).toContain("GW_ALL_LIMITED");
});

test("an answer that names the organization and then breaks off with a limit benches the organization", async () => {
  const stage = createStage({ accounts: [account("a"), account("b")], rule: { strategy: "priority" } });
  const named = [...SSE_HEADERS, ["anthropic-organization-id", "org-1"] as const];
  stage.upstream.plan({ headers: named, chunks: [MESSAGE_START, errorEvent("rate_limit_error")] }, OK);
  await stage.serve(stage.call({ body: '{"model":"claude-sonnet-4-5","stream":true}' }));
  await stage.serve(stage.call());
  expect(asked(stage)).toEqual(["a", "b"]);
});

describe("those who must move to another account", () => {
  test("do not all go there at once", async () => {
    const stage = createStage({
      accounts: [account("a"), account("b")],
      rule: { strategy: "priority" },
      queue: { maxWaitMs: 20_000, maxWaiting: 100 },
    });
    stage.upstream.plan(limitedFor(3 * HOUR_S));
    const serving = Array.from({ length: 60 }, () => stage.serve(stage.call()));
    await turns();
    const answerAll = async () => {
      for (const sending of stage.upstream.sendings) sending.reply(OK);
      await turns(2);
    };
    // All sixty left for `a` together; it limits the first, the others were under way.
    expect(asked(stage).filter((name) => name === "b")).toHaveLength(1);
    await answerAll();
    const late = Array.from({ length: 60 }, () => stage.serve(stage.call()));
    await turns();
    expect(asked(stage).filter((name) => name === "b").length).toBeWithin(19, 22);
    expect(stage.rooms.queue.waiting).toBeGreaterThan(30);
    stage.clock.advance(5_000);
    await turns(3);
    expect(asked(stage).filter((name) => name === "b").length).toBeWithin(40, 63);
    for (let step = 0; step < 4; step += 1) {
      await answerAll();
      stage.clock.advance(5_000);
      await turns(3);
    }
    await answerAll();
    const all = await Promise.all([...serving, ...late]);
    expect(all.filter(({ status }) => status !== 200)).toEqual([]);
    expect(stage.reservations.inFlight("account:id-b" as never, modelClassOf("claude-sonnet-4-5"))).toBe(0);
  });
});
