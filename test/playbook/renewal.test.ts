import { describe, expect, test } from "bun:test";
import type { Renewal } from "../../src/domain/failover/judge.ts";
import { accountState } from "../../src/domain/pool/pool-state.ts";
import type { HeaderField } from "../../src/gateway/ports.ts";
import { Secret } from "../../src/kernel/secret.ts";
import { turns } from "./manual-clock.ts";
import type { Reply } from "./scripted-upstream.ts";
import { account, createStage } from "./stage.ts";

const JSON_HEADERS: readonly HeaderField[] = [["content-type", "application/json"]];
const OK: Reply = { headers: JSON_HEADERS, chunks: ['{"type":"message"}'] };
const REFUSED: Reply = {
  status: 401,
  headers: JSON_HEADERS,
  chunks: ['{"type":"error","error":{"type":"authentication_error","message":"expired"}}'],
};

/** Account "login" first, with a token that `answers` renew in turn; null never answers. Then "key". */
function stageWith(...answers: readonly (Renewal | null | "hangs")[]) {
  const login = { ...account("login"), credentialKind: "bearer" as const, priority: 1 };
  const accounts = [login, account("key")];
  let generation = 1;
  const refused: string[] = [];
  const stage = createStage({
    overrides: {
      accounts: {
        snapshot: () => accounts,
        credential: ({ name }) => new Secret(name === "login" ? `login-${generation}` : name, "secret"),
        learnOrganization: () => undefined,
        renew(_account, credential) {
          const answer = answers[refused.length] ?? null;
          refused.push(credential.label);
          if (answer === "renewed") generation += 1;
          return answer === "hangs" ? new Promise(() => undefined) : Promise.resolve(answer);
        },
      },
    },
  });
  const serve = async () => {
    const serving = stage.serve(stage.call());
    for (let step = 0; step < 5; step += 1) {
      await turns();
      if (stage.clock.sleeping > 0) stage.clock.advance(5_000);
    }
    return serving;
  };
  const asked = () => stage.upstream.sendings.map(({ request }) => request.credential?.label);
  const state = () => accountState(stage.rooms.pool.state, login, stage.clock.now());
  return { stage, serve, asked, refused, state };
}

describe("T-12.18 a login that upstream refuses before its time", () => {
  test("is renewed once, and the request is sent again with the new token", async () => {
    const { stage, serve, asked, refused, state } = stageWith("renewed");
    stage.upstream.plan(REFUSED, OK);
    expect((await serve()).status).toBe(200);
    expect(asked()).toEqual(["login-1", "login-2"]);
    expect(refused).toEqual(["login-1"]);
    expect(state()).toBe("ready");
    expect(stage.clock.timers).toBe(0);
  });

  test("and refused again with the new token needs its owner; another account serves the request", async () => {
    const { stage, serve, asked, refused, state } = stageWith("renewed", "renewed");
    stage.upstream.plan(REFUSED, REFUSED, OK);
    expect((await serve()).status).toBe(200);
    expect(asked()).toEqual(["login-1", "login-2", "key"]);
    expect(refused).toHaveLength(1);
    expect(state()).toBe("needs_reauth");
  });

  test("and that cannot be renewed just now rests for a moment and is not given up", async () => {
    const { stage, serve, asked, state } = stageWith("later");
    stage.upstream.plan(REFUSED, OK);
    expect((await serve()).status).toBe(200);
    expect(asked()).toEqual(["login-1", "key"]);
    expect(state()).toBe("limited");
    stage.clock.advance(10_000);
    expect(state()).toBe("ready");
  });

  test("and whose token endpoint hangs holds a request up for 5 s at most", async () => {
    const { stage, serve, asked } = stageWith("hangs");
    stage.upstream.plan(REFUSED, OK);
    const startedAtMs = stage.clock.now();
    expect((await serve()).status).toBe(200);
    expect(asked()).toEqual(["login-1", "key"]);
    expect(stage.clock.now() - startedAtMs).toBe(5_000);
  });

  test.each(["over" as const, null])("and that cannot be renewed at all (%s) needs its owner", async (answer) => {
    const { stage, serve, asked, state } = stageWith(answer);
    stage.upstream.plan(REFUSED, OK);
    expect((await serve()).status).toBe(200);
    expect(asked()).toEqual(["login-1", "key"]);
    expect(state()).toBe("needs_reauth");
  });
});
