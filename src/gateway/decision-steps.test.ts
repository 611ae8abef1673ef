import { describe, expect, test } from "bun:test";
import { asked, limitedFor, OK, turnOf } from "../../test/playbook/answers.ts";
import { START_MS } from "../../test/playbook/manual-clock.ts";
import { account, createStage, type Stage } from "../../test/playbook/stage.ts";
import type { Decision } from "../domain/decision/decision.ts";
import { decodeDecision } from "../domain/decision/decode-decision.ts";

function last(stage: Stage): Decision {
  const decision = decodeDecision(stage.settled.at(-1)?.decision ?? "");
  if (decision === null) throw new Error("Cannot test: the last row has no decision");
  return decision;
}

/** Accounts in this order, of which the first `limited` were found to be limited for an hour. */
async function poolOf(count: number, limited: number): Promise<Stage> {
  const accounts = Array.from({ length: count }, (_, at) => account(String.fromCharCode(97 + at)));
  const stage = createStage({ accounts, rule: { strategy: "priority" } });
  for (let at = 0; at < limited; at += 1) {
    stage.upstream.plan(limitedFor(3_600), OK);
    await stage.serve(stage.call());
    // The retry budget lets ten retries leave in ten seconds.
    stage.clock.advance(2_000);
  }
  return stage;
}

describe("a decision", () => {
  test("says of each account before the chosen one why it was passed over", async () => {
    const stage = await poolOf(3, 1);
    stage.upstream.plan(OK);
    await stage.serve(stage.call());
    expect(last(stage).steps).toMatchObject([
      { kind: "tried", accountId: "id-b", why: "strategy", reason: "served", status: 200, cause: null, skipCount: 1 },
    ]);
    const [step] = last(stage).steps;
    if (step?.kind !== "tried") throw new Error("Cannot test: nothing was tried");
    expect(step.skips).toMatchObject([{ accountId: "id-a", reason: "rate_limited", cause: "status 429, retry-after" }]);
  });

  test("names the header that made an account rest", async () => {
    const stage = await poolOf(2, 0);
    stage.upstream.plan(limitedFor(3_600), OK);
    await stage.serve(stage.call());
    expect(last(stage).steps).toMatchObject([
      { accountId: "id-a", reason: "rate_limited", status: 429, cause: "status 429, retry-after" },
      { accountId: "id-b", reason: "served", skipCount: 1 },
    ]);
  });

  test("keeps eight of many reasons, and their number", async () => {
    const stage = await poolOf(12, 11);
    stage.upstream.plan(limitedFor(3_600));
    await stage.serve(stage.call());
    const client = await stage.serve(stage.call());
    expect(client.text).toContain("GW_ALL_LIMITED");
    expect(last(stage).steps).toMatchObject([{ kind: "refused", code: "GW_ALL_LIMITED", skipCount: 12 }]);
    expect(last(stage).steps[0]).toMatchObject({ untilMs: START_MS + 3_600_000 });
    const [refused] = last(stage).steps;
    if (refused?.kind !== "refused") throw new Error("Cannot test: nothing was refused");
    expect(refused.skips).toHaveLength(8);
  });

  test("of a request that simply went home looks at nobody else", async () => {
    const stage = createStage({ accounts: [account("a"), account("b", { isPaused: true })] });
    stage.upstream.plan(OK, OK);
    await stage.serve(stage.call(turnOf("s1")));
    expect(last(stage).steps).toMatchObject([{ why: "new_home", skipCount: 1 }]);
    await stage.serve(stage.call(turnOf("s1")));
    expect(last(stage).steps).toMatchObject([{ why: "home", skipCount: 0 }]);
    expect(asked(stage)).toEqual(["a", "a"]);
  });

  test("of a client that left while its answer was awaited says where it had gone", async () => {
    const stage = createStage();
    const call = stage.call();
    const serving = stage.serve(call);
    await stage.upstream.nth(0);
    call.leave();
    await serving;
    expect(last(stage).steps).toMatchObject([{ kind: "tried", accountId: "id-a", reason: "abandoned", status: null }]);
  });
});
