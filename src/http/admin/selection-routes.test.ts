import { expect, test } from "bun:test";
import { addedAccountSchema } from "../../contract/accounts.ts";
import { explanationSchema } from "../../contract/explanation.ts";
import { errorAnswerSchema } from "../../contract/refusal.ts";
import { strategySchema } from "../../contract/strategy.ts";
import { traceSchema } from "../../contract/trace.ts";
import { createControlWorld, START } from "../../control/control-world.test.ts";
import { createPeopleWorld } from "../../control/people-world.test.ts";
import type { RequestRow } from "../../control/ports.ts";
import { clientKeyId } from "../../domain/access/client-key-id.ts";
import { accountId } from "../../domain/account/account.ts";
import type { Decision } from "../../domain/decision/decision.ts";
import { encodeDecision } from "../../domain/decision/decision.ts";
import { requestId } from "../../domain/ledger/record.ts";
import { durationMs, epochMs } from "../../kernel/time.ts";
import { createAdminApp } from "./admin-app.ts";
import { SOCKET_VISITOR } from "./visitor.ts";

async function createWorld() {
  const world = await createControlWorld();
  const app = createAdminApp({
    ...world,
    people: await createPeopleWorld(),
    now: () => START,
    version: "1.2.3",
    dataPlaneUrl: () => "",
    onError: () => undefined,
  });
  const call = async (method: string, path: string, body?: unknown) => {
    const init =
      body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } };
    return app.fetch(new Request(`http://localhost${path}`, { method, ...init }), SOCKET_VISITOR);
  };
  const add = async (name: string) => {
    const wire = { name, provider: "anthropic", credential: "sk-ant-api03-canary", credentialKind: "api_key" };
    return accountId(addedAccountSchema.parse(await (await call("POST", "/api/accounts", wire)).json()).id);
  };
  return { ...world, call, add };
}

function rowOf(id: string, changes: Partial<RequestRow> = {}): RequestRow {
  return {
    id: requestId(id),
    startedAtMs: START,
    clientKeyId: clientKeyId("k"),
    accountId: null,
    method: "POST",
    path: "/v1/messages",
    model: "claude-sonnet-5",
    isStream: true,
    outcome: "completed",
    status: 200,
    attempts: 2,
    queueMs: durationMs(0),
    firstByteMs: durationMs(12),
    totalMs: durationMs(80),
    usage: null,
    errorType: null,
    upstreamRequestId: null,
    costMicroUsd: null,
    thinkingDropped: null,
    ...changes,
  };
}

const refusalOf = async (answer: Response) => errorAnswerSchema.parse(await answer.json()).error;

test("the strategy is shown and set, and the next request is chosen by it", async () => {
  const { call, selection } = await createWorld();
  const shown = strategySchema.parse(await (await call("GET", "/api/strategy")).json());
  expect(shown).toMatchObject({ name: "session", source: "default", givenBy: null });
  expect(shown.strategies).toContain("drain-soonest");
  const set = await call("PUT", "/api/strategy", { name: "weighted" });
  expect(set.status).toBe(200);
  expect(strategySchema.parse(await set.json())).toMatchObject({ name: "weighted", source: "stored" });
  expect(selection.rule().strategy).toBe("weighted");
});

test("a strategy that is none is refused with the names of those that are", async () => {
  const { call } = await createWorld();
  const refused = await call("PUT", "/api/strategy", { name: "fastest" });
  expect(refused.status).toBe(400);
  expect(await refusalOf(refused)).toEqual({
    code: "strategy_unknown",
    message:
      'Cannot set strategy "fastest": it is none of session, least-used, weighted, drain-soonest, round-robin, priority',
    field: "name",
  });
  expect((await call("PUT", "/api/strategy", { name: 1 })).status).toBe(400);
  expect((await call("PUT", "/api/strategy", { name: "session", extra: 1 })).status).toBe(400);
});

test("a decision is explained with the names that accounts have, and their ids when they are gone", async () => {
  const { call, add, accounts, stores } = await createWorld();
  const work = await add("work");
  const gone = await add("gone");
  await accounts.remove("gone");
  const decision: Decision = {
    strategy: "session",
    conversation: "session_id",
    steps: [
      { kind: "waited", why: "home_returns", untilMs: epochMs(START + 9_000), ms: durationMs(9_000), move: null },
      {
        kind: "tried",
        accountId: work,
        why: "home_moved",
        move: {
          from: gone,
          kind: "other_organization",
          priceMicroUsd: 70_000,
          homeReturnsAtMs: epochMs(START + 3_600_000),
          setsHome: true,
        },
        skips: [
          {
            accountId: gone,
            reason: "rate_limited",
            untilMs: epochMs(START + 3_600_000),
            cause: "status 429, retry-after",
          },
        ],
        skipCount: 1,
        reason: "served",
        status: 200,
        cause: null,
      },
    ],
  };
  stores.ledger.rows.push(rowOf("0197-a", { accountId: work }));
  stores.ledger.decisions.set(requestId("0197-a"), encodeDecision(decision));
  const answered: unknown = await (await call("GET", "/api/requests/0197-a/explanation")).json();
  const explanation = explanationSchema.parse(answered);
  expect<unknown>(explanation).toEqual(answered);
  expect(explanation.request).toMatchObject({ id: "0197-a", account: "work", status: 200 });
  expect(explanation.sentences.join("\n")).toContain("work");
  expect(explanation.sentences.join("\n")).toContain("status 429, retry-after");
  expect(explanation.decision).toMatchObject({ strategy: "session", conversation: "session_id" });
  expect(explanation.decision?.steps).toEqual([
    { kind: "waited", why: "home_returns", until: "2026-11-23T12:00:09.000Z", ms: 9_000, move: null },
    {
      kind: "tried",
      account: "work",
      why: "home_moved",
      move: {
        from: gone,
        kind: "other_organization",
        priceMicroUsd: 70_000,
        homeReturnsAt: "2026-11-23T13:00:00.000Z",
        setsHome: true,
      },
      reason: "served",
      status: 200,
      cause: null,
      skipped: [
        { account: gone, reason: "rate_limited", until: "2026-11-23T13:00:00.000Z", cause: "status 429, retry-after" },
      ],
      skippedCount: 1,
    },
  ]);
});

test("a refusal is explained too", async () => {
  const { call, stores } = await createWorld();
  const step = { kind: "refused", code: "GW_NO_ACCOUNT", skips: [], skipCount: 0, untilMs: null } as const;
  stores.ledger.rows.push(rowOf("0197-a", { outcome: "refused", status: 529 }));
  stores.ledger.decisions.set(
    requestId("0197-a"),
    encodeDecision({ strategy: "priority", conversation: null, steps: [step] }),
  );
  const explanation = explanationSchema.parse(await (await call("GET", "/api/requests/0197-a/explanation")).json());
  expect(explanation.decision?.steps).toEqual([
    { kind: "refused", code: "GW_NO_ACCOUNT", until: null, skipped: [], skippedCount: 0 },
  ]);
});

test.each([
  { why: "of a release before decisions", row: {}, text: null, says: "the release that served it did not record any" },
  { why: "under way", row: { outcome: "in_flight" as const }, text: null, says: "still under way" },
  { why: "interrupted", row: { outcome: "interrupted" as const }, text: null, says: "ended before this request did" },
  { why: "of a later release", row: {}, text: '{"v":99}', says: "this release cannot read it" },
])("a request $why has no decision, and the one sentence says so", async ({ row, text, says }) => {
  const { call, stores } = await createWorld();
  stores.ledger.rows.push(rowOf("0197-a", row));
  if (text !== null) stores.ledger.decisions.set(requestId("0197-a"), text);
  const explanation = explanationSchema.parse(await (await call("GET", "/api/requests/0197-a/explanation")).json());
  expect(explanation.decision).toBeNull();
  expect(explanation.sentences).toEqual([expect.stringContaining(says)]);
});

test("a request that the ledger does not hold is refused by name", async () => {
  const { call } = await createWorld();
  const refused = await call("GET", "/api/requests/0197-ghost/explanation");
  expect(refused.status).toBe(404);
  expect(await refusalOf(refused)).toEqual({
    code: "request_not_found",
    message: 'Cannot explain request "0197-ghost": the ledger does not hold it',
  });
});

test("the trace is read page by page, oldest first, without a word of what was asked", async () => {
  const { call, stores } = await createWorld();
  for (const id of ["0197-a", "0197-b", "0197-c"]) stores.ledger.rows.push(rowOf(id));
  stores.ledger.rows.push(rowOf("0196-old", { startedAtMs: epochMs(START - 8 * 86_400_000) }));
  stores.ledger.conversations.set(requestId("0197-a"), "1x9");
  const read = async (query: string) =>
    traceSchema.parse(await (await call("GET", `/api/requests/trace?${query}`)).json());
  const first = await read("since=7d&limit=2");
  expect(first.requests.map(({ id, conversation }) => [id, conversation])).toEqual([
    ["0197-a", "1x9"],
    ["0197-b", null],
  ]);
  expect(first.next).toBe("0197-b");
  expect(Object.keys(first.requests[0] ?? {}).sort()).toEqual([
    "account",
    "clientKey",
    "conversation",
    "costMicroUsd",
    "id",
    "model",
    "outcome",
    "startedAt",
    "stream",
    "timing",
    "usage",
  ]);
  const last = await read(`since=7d&limit=2&after=${first.next}`);
  expect(last.requests.map(({ id }) => id)).toEqual(["0197-c"]);
  expect(last.next).toBeNull();
  expect((await call("GET", "/api/requests/trace?limit=5001")).status).toBe(400);
  expect((await call("GET", "/api/requests/trace?since=yesterday")).status).toBe(400);
});
