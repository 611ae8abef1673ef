import { expect, test } from "bun:test";
import { account } from "../test/playbook/stage.ts";
import { createInProcessCoordination } from "./cluster/in-process.ts";
import { modelClassOf } from "./domain/account/model-class.ts";
import { subjectOf } from "./domain/pool/pool-event.ts";
import { createPoolOwner } from "./gateway/pool-owner.ts";
import { epochMs } from "./kernel/time.ts";
import { createPoolView } from "./pool-view.ts";

const known = account("a");
const on = subjectOf(known, "claude-opus-4", modelClassOf("claude-opus-4"));

function viewOfPool() {
  const pool = createPoolOwner({
    coordination: createInProcessCoordination(),
    accounts: { learnOrganization: () => undefined },
    onLearned: () => undefined,
  });
  return {
    pool,
    view: createPoolView(
      pool,
      () => epochMs(1_000),
      (id) => (id === known.id ? known : null),
    ),
  };
}

test("shows an account that nothing speaks against as ready", () => {
  expect(viewOfPool().view.describe(known)).toEqual({
    state: "ready",
    reason: null,
    cause: null,
    untilMs: null,
    windows: [],
  });
});

test("shows a limit with its reason in words, and forgets it when an operator says so", () => {
  const { pool, view } = viewOfPool();
  pool.learn([
    {
      type: "benched",
      on,
      untilMs: epochMs(9_000),
      reason: "rate_limited",
      cause: "status 429, retry-after",
      scope: "class",
      atMs: epochMs(1_000),
    },
  ]);
  expect(view.describe(known)).toMatchObject({
    state: "limited",
    cause: "status 429, retry-after",
    reason: "The provider limits this account until a stated time",
    untilMs: epochMs(9_000),
  });
  view.reset(account("unknown").id);
  expect(view.describe(known).state).toBe("limited");
  view.reset(known.id);
  expect(view.describe(known).state).toBe("ready");
});
