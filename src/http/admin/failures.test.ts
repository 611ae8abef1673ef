import { expect, test } from "bun:test";
import { createControlWorld, START } from "../../control/control-world.test.ts";
import { createPeopleWorld } from "../../control/people-world.test.ts";
import type { Principal } from "../../control/principal.ts";
import { StoreUnavailable } from "../../control/store-unavailable.ts";
import { parseUserId } from "../../domain/access/user-id.ts";
import { createAdminApp } from "./admin-app.ts";
import { SOCKET_VISITOR, type Visitor } from "./visitor.ts";

const ID = parseUserId("0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b");
if (ID === null) throw new Error("no user id");
const OWNER: Principal = {
  kind: "user",
  userId: ID,
  name: "anna",
  role: "owner",
  via: { kind: "token", tokenId: "t1" },
};
const OVER_TCP: Visitor = { ...SOCKET_VISITOR, principal: OWNER, ip: "192.0.2.7" };

async function answerOf(failure: Error, visitor: Visitor) {
  const world = await createControlWorld();
  const errors: Error[] = [];
  const app = createAdminApp({
    ...world,
    people: await createPeopleWorld(),
    keys: { ...world.keys, list: () => Promise.reject(failure) },
    version: "1.2.3",
    dataPlaneUrl: () => "http://127.0.0.1:8080",
    onError: (error) => void errors.push(error),
    now: () => START,
  });
  const answer = await app.fetch(new Request("http://localhost/api/keys"), visitor);
  expect(errors).toEqual([failure]);
  return { status: answer.status, text: await answer.text() };
}

const AWAY = new StoreUnavailable("Cannot use /data/gateway.db: the file was moved", {});

test("a store that is away is told by its file to the operator alone", async () => {
  const local = await answerOf(AWAY, SOCKET_VISITOR);
  expect(local.status).toBe(503);
  expect(local.text).toContain("/data/gateway.db");
  const remote = await answerOf(AWAY, OVER_TCP);
  expect(remote.status).toBe(503);
  expect(remote.text).toContain("store_unavailable");
  expect(remote.text).not.toContain("/data");
});

test("a bug is told to nobody, whatever it says", async () => {
  const bug = new TypeError("undefined is not an object (evaluating 'row.canary') at /src/http/admin/key-routes.ts:12");
  for (const visitor of [SOCKET_VISITOR, OVER_TCP]) {
    const { status, text } = await answerOf(bug, visitor);
    expect(status).toBe(500);
    expect(JSON.parse(text)).toEqual({
      error: { code: "internal", message: "Cannot answer: the gateway failed inside; its log says why" },
    });
  }
});
