import { expect, test } from "bun:test";
import { clientKeyId } from "../../src/domain/access/client-key-id.ts";
import { turns } from "./manual-clock.ts";
import { STREAMED_MESSAGE } from "./scripted-call.ts";
import { BLOCK_START, MESSAGE_START, SSE_HEADERS, WHOLE_STREAM } from "./sse.ts";
import { CLIENT_KEY, createStage, OTHER_KEY, type Stage } from "./stage.ts";

const KEY_ID = clientKeyId("k1");
const OTHER_ID = clientKeyId("k2");

function nothingLeft(stage: Stage): void {
  expect(stage.rooms.budget.usedBytes).toBe(0);
  expect(stage.rooms.streams.active).toBe(0);
  expect(stage.rooms.queue.waiting).toBe(0);
  expect(stage.rooms.presences.countOf(KEY_ID)).toBe(0);
  expect(stage.clock.timers).toBe(0);
}

async function streaming(stage: Stage, key: string) {
  const call = stage.call({ body: STREAMED_MESSAGE, headers: [["x-api-key", key]] });
  stage.upstream.plan({ headers: SSE_HEADERS, chunks: [MESSAGE_START, BLOCK_START], ending: "open" });
  return { call, client: await stage.serve(call) };
}

test("T-2.07 a stream whose key is revoked ends with an error event at once, and others go on", async () => {
  const stage = createStage();
  const mine = await streaming(stage, CLIENT_KEY);
  const other = await streaming(stage, OTHER_KEY);
  stage.rooms.presences.revoked(KEY_ID);
  expect(mine.client.text).toStartWith(`${MESSAGE_START}${BLOCK_START}event: error\n`);
  expect(mine.client.text).toContain("GW_KEY_REVOKED");
  expect(mine.client.end).not.toBe("open");
  expect(mine.client.late).toEqual([]);
  expect(stage.settled).toMatchObject([{ status: 200, outcome: "revoked", usage: { inputTokens: 10 } }]);
  expect((await stage.upstream.nth(0)).body.isCancelled).toBe(true);
  expect(other.client.end).toBe("open");
  const source = (await stage.upstream.nth(1)).body;
  for (const event of WHOLE_STREAM.slice(2)) source.push(event);
  source.end();
  expect(stage.settled[1]).toMatchObject({ outcome: "completed" });
  nothingLeft(stage);
});

test("T-2.07 a stream that is revoked after its message was complete counts as completed", async () => {
  const stage = createStage();
  const call = stage.call({ body: STREAMED_MESSAGE });
  stage.upstream.plan({ headers: SSE_HEADERS, chunks: WHOLE_STREAM, ending: "open" });
  const client = await stage.serve(call);
  stage.rooms.presences.revoked(KEY_ID);
  expect(client.text).toBe(WHOLE_STREAM.join(""));
  expect(client.end).toBe("end");
  expect(stage.settled).toMatchObject([{ outcome: "completed" }]);
  nothingLeft(stage);
});

test("T-2.06 a request that waits for upstream when its key is revoked gets 401, and upstream is left", async () => {
  const stage = createStage();
  const serving = stage.serve(stage.call());
  const sending = await stage.upstream.nth(0);
  stage.rooms.presences.revoked(KEY_ID);
  const client = await serving;
  expect(client.status).toBe(401);
  expect(client.text).toContain("GW_KEY_REVOKED");
  expect(sending.signal.aborted).toBe(true);
  expect(stage.settled).toMatchObject([{ status: 401, outcome: "revoked", attempts: 1 }]);
  nothingLeft(stage);
});

test("T-2.06 a request in the queue when its key is revoked gets 401, and nothing is sent", async () => {
  const stage = createStage();
  for (const name of ["a", "b", "c"]) {
    stage.upstream.plan({
      status: 429,
      headers: [["retry-after", "5"]],
      chunks: [`{"type":"error","name":"${name}"}`],
    });
  }
  await stage.serve(stage.call());
  const sent = stage.upstream.sendings.length;
  const serving = stage.serve(stage.call());
  await turns();
  expect(stage.rooms.queue.waiting).toBe(1);
  stage.rooms.presences.revoked(OTHER_ID);
  expect(stage.rooms.queue.waiting).toBe(1);
  stage.rooms.presences.revoked(KEY_ID);
  const client = await serving;
  expect(client.status).toBe(401);
  expect(stage.upstream.sendings).toHaveLength(sent);
  expect(stage.settled[1]).toMatchObject({ status: 401, outcome: "revoked", attempts: 0 });
  nothingLeft(stage);
});

test("T-2.06 a request whose key is revoked while its body arrives gets 401, and nothing is sent", async () => {
  const stage = createStage();
  const call = stage.call();
  const { readBody } = call;
  const arrival = Promise.withResolvers<void>();
  call.readBody = async (limitBytes, reserve) => {
    await arrival.promise;
    return readBody(limitBytes, reserve);
  };
  const serving = stage.serve(call);
  stage.rooms.presences.revoked(KEY_ID);
  arrival.resolve();
  expect((await serving).status).toBe(401);
  expect(stage.upstream.sendings).toHaveLength(0);
  nothingLeft(stage);
});

test("a request that is refused before it is read leaves no trace of its presence", async () => {
  const stage = createStage();
  await stage.serve(stage.call({ body: "no" }));
  await expect(stage.serve(stage.call({ problem: "throws" }))).rejects.toThrow("scripted");
  nothingLeft(stage);
});

test("T-2.07 a large plain answer whose key is revoked breaks off", async () => {
  const stage = createStage();
  stage.upstream.plan({ chunks: ["x".repeat(300_000)], ending: "open" });
  const client = await stage.serve(stage.call());
  expect(client.end).toBe("open");
  stage.rooms.presences.revoked(KEY_ID);
  expect(client.end).toMatchObject({ kind: "aborted" });
  await stage.background();
  expect(stage.settled).toMatchObject([{ status: 200, outcome: "revoked" }]);
  nothingLeft(stage);
});
