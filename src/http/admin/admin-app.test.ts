import { describe, expect, test } from "bun:test";
import { z } from "zod";
import { accountListSchema } from "../../contract/accounts.ts";
import { errorAnswerSchema } from "../../contract/refusal.ts";
import { requestListSchema } from "../../contract/requests.ts";
import { createControlWorld, START } from "../../control/control-world.test.ts";
import { createPeopleWorld } from "../../control/people-world.test.ts";
import type { RequestRow } from "../../control/ports.ts";
import { clientKeyId } from "../../domain/access/client-key-id.ts";
import { accountId } from "../../domain/account/account.ts";
import { requestId } from "../../domain/ledger/record.ts";
import { durationMs, epochMs } from "../../kernel/time.ts";
import { handledEntries } from "../routes/handlers.ts";
import { ROUTES } from "../routes/route-rows.ts";
import { createAdminApp, MAX_ADMIN_BODY_BYTES } from "./admin-app.ts";
import { SOCKET_VISITOR } from "./visitor.ts";

const openApiSchema = z.object({
  openapi: z.string(),
  paths: z.record(z.string(), z.unknown()),
  components: z.object({ schemas: z.record(z.string(), z.unknown()) }),
});

const ADD = { name: "work", provider: "anthropic", credential: "sk-ant-api03-canary", credentialKind: "api_key" };

async function createWorld() {
  const world = await createControlWorld();
  const errors: Error[] = [];
  const app = createAdminApp({
    ...world,
    people: await createPeopleWorld(),
    now: () => START,
    version: "1.2.3",
    dataPlaneUrl: () => "http://127.0.0.1:8080",
    onError: (error) => void errors.push(error),
  });
  const call = (method: string, path: string, body?: unknown, contentType = "application/json") => {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const init = body === undefined ? {} : { body: text, headers: { "content-type": contentType } };
    return app.fetch(new Request(`http://localhost${path}`, { method, ...init }), SOCKET_VISITOR);
  };
  return { ...world, call, errors };
}

describe("accounts", () => {
  test("are listed in the shape that scripts rely on", async () => {
    const { call, accounts, conditions } = await createWorld();
    const added = await call("POST", "/api/accounts", { ...ADD, priority: 5, organization: "org-1" });
    expect(added.status).toBe(201);
    const id = accounts.snapshot()[0]?.id ?? accountId("");
    conditions.set(id, {
      state: "limited",
      reason: "429 until its reset",
      cause: "status 429, retry-after",
      untilMs: epochMs(START + 1000),
      windows: [
        {
          name: "5h",
          modelClass: null,
          status: "rejected",
          limit: null,
          remaining: null,
          usedRatio: 1,
          resetAtMs: epochMs(START + 1000),
          seenAtMs: START,
        },
      ],
    });
    const list: unknown = await (await call("GET", "/api/accounts")).json();
    expect<unknown>(accountListSchema.parse(list)).toEqual(list);
    expect(list).toEqual([
      {
        id,
        name: "work",
        provider: "anthropic",
        state: "limited",
        priority: 5,
        weight: 1,
        windows: [
          {
            name: "5h",
            modelClass: null,
            status: "rejected",
            limit: null,
            remaining: null,
            usedRatio: 1,
            leftRatio: 0,
            resetAt: "2026-11-23T12:00:01.000Z",
            pace: "on",
            exhaustsAt: "2026-11-23T12:00:00.000Z",
            seenAt: "2026-11-23T12:00:00.000Z",
          },
        ],
        baseUrl: "https://api.anthropic.com",
        credentialKind: "api_key",
        organization: "org-1",
        workspace: null,
        modelCount: 0,
        createdAt: "2026-11-23T12:00:00.000Z",
        reason: "429 until its reset",
        cause: "status 429, retry-after",
        until: "2026-11-23T12:00:01.000Z",
      },
    ]);
  });

  test("never give the credential back", async () => {
    const { call } = await createWorld();
    const answers = [
      await call("POST", "/api/accounts", ADD),
      await call("POST", "/api/accounts", ADD),
      await call("GET", "/api/accounts"),
      await call("GET", "/api/accounts/work"),
      await call("POST", "/api/accounts/work/test"),
      await call("POST", "/api/accounts/work/pause"),
      await call("DELETE", "/api/accounts/work"),
    ];
    expect(answers.map(({ status }) => status)).toEqual([201, 409, 200, 200, 200, 200, 200]);
    for (const answer of answers) {
      expect(await answer.text()).not.toContain("canary");
      expect(answer.headers.get("cache-control")).toBe("no-store");
    }
  });

  test.each([
    { change: { name: "a b" }, status: 400, code: "name_invalid", field: "name" },
    { change: { priority: 1001 }, status: 400, code: "priority_out_of_range", field: "priority" },
    { change: { baseUrl: "http://10.0.0.1" }, status: 400, code: "base_url_refused", field: "baseUrl" },
    { change: { workspace: "a b" }, status: 400, code: "label_invalid", field: "workspace" },
    { change: { credential: "" }, status: 400, code: "credential_invalid", field: "credential" },
    { change: { credential: "sk-ant-oat01-canary" }, status: 400, code: "credential_personal", field: "credential" },
    { change: { provider: "other" }, status: 400, code: "request_invalid", field: "provider" },
    { change: { priority: "5" }, status: 400, code: "request_invalid", field: "priority" },
    { change: { isPaused: true }, status: 400, code: "request_invalid", field: undefined },
    { change: { id: "mine" }, status: 400, code: "request_invalid", field: undefined },
  ])("refuse $change with $code", async ({ change, status, code, field }) => {
    const { call, accounts } = await createWorld();
    const answer = await call("POST", "/api/accounts", { ...ADD, ...change });
    expect(answer.status).toBe(status);
    const { error } = errorAnswerSchema.parse(await answer.json());
    expect(error.code).toBe(code);
    expect(error.field).toBe(field);
    expect(error.message).toStartWith("Cannot ");
    expect(error.message).not.toContain("canary");
    expect(accounts.snapshot()).toEqual([]);
  });

  test("that are not there are 404 on every route", async () => {
    const { call } = await createWorld();
    const routes = [
      "GET /api/accounts/x",
      "DELETE /api/accounts/x",
      ...["pause", "resume", "test"].map((v) => `POST /api/accounts/x/${v}`),
    ];
    for (const route of routes) {
      const [method = "", path = ""] = route.split(" ");
      expect((await call(method, path)).status).toBe(404);
    }
  });
});

describe("keys", () => {
  test("are shown in one answer only", async () => {
    const { call, verifier } = await createWorld();
    const created = await call("POST", "/api/keys", { name: "laptop", expiresIn: "90d" });
    expect(created.status).toBe(201);
    const body: unknown = await created.json();
    expect(Object.keys(body ?? {}).sort()).toEqual(["id", "key", "name"]);
    const { key } = body as { key: string };
    expect(verifier.verify(key)?.keyName).toBe("laptop");

    const list = await (await call("GET", "/api/keys")).text();
    expect(list).not.toContain(key);
    expect(list).not.toContain(key.slice(-8));
    expect(JSON.parse(list)).toMatchObject([
      { name: "laptop", state: "active", expiresAt: "2027-02-21T12:00:00.000Z" },
    ]);

    const revoked = await call("DELETE", "/api/keys/laptop");
    expect(await revoked.json()).toMatchObject({ state: "revoked", revokedAt: "2026-11-23T12:00:00.000Z" });
    expect(verifier.verify(key)).toBeNull();
    expect((await call("DELETE", "/api/keys/laptop")).status).toBe(409);
    expect((await call("DELETE", "/api/keys/ghost")).status).toBe(404);
  });
});

describe("requests", () => {
  const ROW: RequestRow = {
    id: requestId("0197-a"),
    startedAtMs: START,
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
    firstByteMs: durationMs(12.5),
    totalMs: durationMs(80),
    usage: {
      inputTokens: 1,
      cacheWrite5mTokens: 2,
      cacheWrite1hTokens: null,
      cacheReadTokens: 4,
      outputTokens: 5,
      webSearchRequests: null,
      webFetchRequests: null,
      serviceTier: "standard",
      isPartial: false,
    },
    errorType: null,
    upstreamRequestId: "req_1",
    costMicroUsd: 1234,
    thinkingDropped: 2,
  };

  test("have the shape that scripts rely on, newest first", async () => {
    const { call, stores } = await createWorld();
    const inFlight: RequestRow = {
      ...ROW,
      id: requestId("0197-b"),
      startedAtMs: epochMs(START + 1),
      outcome: "in_flight",
      status: null,
      usage: null,
      totalMs: null,
    };
    stores.ledger.rows.push(ROW, inFlight);
    const answered: unknown = await (await call("GET", "/api/requests?limit=2")).json();
    const list = requestListSchema.parse(answered);
    expect<unknown>(list).toEqual(answered);
    expect(list[0]).toMatchObject({ id: "0197-b", outcome: "in_flight", status: null, usage: { inputTokens: null } });
    expect(list[1]).toMatchObject({
      id: "0197-a",
      startedAt: "2026-11-23T12:00:00.000Z",
      status: 200,
      outcome: "completed",
      account: null,
      clientKey: "k",
      model: "claude-sonnet-5",
      stream: true,
      attempts: 1,
      usage: { inputTokens: 1, cacheWrite5mTokens: 2, cacheWrite1hTokens: null, cacheReadTokens: 4, outputTokens: 5 },
      costMicroUsd: 1234,
      thinkingDropped: 2,
      timing: { queueMs: 0, firstByteMs: 12.5, totalMs: 80 },
    });
    expect<unknown>(await (await call("GET", "/api/requests/0197-a")).json()).toEqual(list[1]);
  });

  test.each(["0", "1001", "-1", "1.5", "ten"])("refuse a limit of %s", async (limit) => {
    const { call } = await createWorld();
    expect((await call("GET", `/api/requests?limit=${limit}`)).status).toBe(400);
  });

  test("are added up over a span", async () => {
    const { call } = await createWorld();
    expect(await (await call("GET", "/api/stats?since=1h")).json()).toMatchObject({
      since: "2026-11-23T11:00:00.000Z",
    });
    expect(await (await call("GET", "/api/stats")).json()).toMatchObject({ since: "2026-11-22T12:00:00.000Z" });
    expect((await call("GET", "/api/stats?since=yesterday")).status).toBe(400);
  });
});

describe("the door", () => {
  test.each([
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "application/json;charset=utf-7",
  ])("takes no %s", async (contentType) => {
    const { call } = await createWorld();
    expect((await call("POST", "/api/keys", { name: "a" }, contentType)).status).toBe(415);
  });

  test.each(["{", "", "null", "[]", '"x"', "{} {}"])("answers 400 to the body %j", async (body) => {
    const { call, errors } = await createWorld();
    const answer = await call("POST", "/api/keys", body);
    expect(answer.status).toBe(400);
    expect(errorAnswerSchema.parse(await answer.json()).error.code).toBe("request_invalid");
    expect(errors).toEqual([]);
  });

  test("answers 400 to a body without a content type", async () => {
    const { call } = await createWorld();
    expect((await call("POST", "/api/keys")).status).toBe(400);
  });

  test("answers 413 to more than 1 MiB", async () => {
    const { call } = await createWorld();
    expect((await call("POST", "/api/keys", { name: "a".repeat(MAX_ADMIN_BODY_BYTES) })).status).toBe(413);
  });

  test("answers 404 to paths it does not know", async () => {
    const { call } = await createWorld();
    for (const path of ["/", "/api", "/v1/messages", "/api/accounts/a/explode"]) {
      const answer = await call("POST", path);
      expect(answer.status).toBe(404);
      expect(errorAnswerSchema.parse(await answer.json()).error.code).toBe("route_not_found");
    }
  });

  test("answers 500 without a detail when a store breaks, and reports it", async () => {
    const { call, stores, errors } = await createWorld();
    await call("POST", "/api/keys", { name: "laptop" });
    stores.keyStore.isBroken = true;
    const answer = await call("DELETE", "/api/keys/laptop");
    expect(answer.status).toBe(500);
    expect(await answer.text()).not.toContain("disk");
    expect(errors.map(({ message }) => message)).toEqual(["Cannot write the database: the disk is full"]);
  });

  test("tells its health, its findings and its own description", async () => {
    const { call } = await createWorld();
    expect(await (await call("GET", "/healthz")).json()).toEqual({ status: "ok", version: "1.2.3" });
    const doctor = await (await call("GET", "/api/doctor")).json();
    expect(doctor).toMatchObject({ version: "1.2.3", dataPlaneUrl: "http://127.0.0.1:8080" });
    const document = openApiSchema.parse(await (await call("GET", "/api/openapi.json")).json());
    expect(document.openapi).toBe("3.1.0");
    const declared = handledEntries(ROUTES).map(({ path }) => path);
    const described = new Set(declared.filter((path) => path !== "/api/openapi.json"));
    expect(Object.keys(document.paths).sort()).toEqual([...described].sort());
    expect(Object.keys(document.components.schemas)).toContain("Account");
  });
});
