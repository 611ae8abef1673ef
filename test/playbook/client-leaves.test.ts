import { describe, expect, test } from "bun:test";
import { turns } from "./manual-clock.ts";
import { STREAMED_MESSAGE } from "./scripted-call.ts";
import { createStage, type Stage } from "./stage.ts";

function nothingLeft(stage: Stage): void {
  expect(stage.rooms.budget.usedBytes).toBe(0);
  expect(stage.rooms.streams.active).toBe(0);
  expect(stage.rooms.queue.waiting).toBe(0);
  expect(stage.clock.timers).toBe(0);
}

describe("a client that leaves", () => {
  test.each(["during the wait before a retry", "during the second attempt"])(
    "%s drops what was held for it",
    async (when) => {
      const stage = createStage();
      const call = stage.call();
      const serving = stage.serve(call);
      const first = await stage.upstream.nth(0);
      first.reply({ status: 529, chunks: [new Uint8Array(1_100_000)], ending: "open" });
      await turns();
      if (when.includes("second")) {
        stage.clock.advance(1_000);
        await stage.upstream.nth(1);
      }
      call.leave();
      const client = await serving;
      expect(client.answer).toBeNull();
      expect(first.body.isOver).toBe(true);
      expect(stage.settled[0]).toMatchObject({ status: null, outcome: "client_gone", accountId: null });
      expect(call.listeners).toBe(0);
      nothingLeft(stage);
    },
  );

  test("before upstream answered is gone", async () => {
    const stage = createStage();
    const call = stage.call({ body: STREAMED_MESSAGE });
    const serving = stage.serve(call);
    await stage.upstream.nth(0);
    call.leave();
    expect((await serving).answer).toBeNull();
    expect(stage.settled[0]).toMatchObject({ outcome: "client_gone", attempts: 1 });
    nothingLeft(stage);
  });

  test("while its answer is held drops the answer", async () => {
    const stage = createStage();
    const call = stage.call();
    stage.upstream.plan({ chunks: ['{"type":'], ending: "open" });
    const serving = stage.serve(call);
    const { body } = await stage.upstream.nth(0);
    await turns();
    call.leave();
    expect((await serving).answer).toBeNull();
    expect(body.isOver).toBe(true);
    expect(call.listeners).toBe(0);
    nothingLeft(stage);
  });

  test("before its request was read is not asked upstream", async () => {
    const stage = createStage();
    const call = stage.call({ problem: "client_gone" });
    expect((await stage.serve(call)).answer).toBeNull();
    expect(stage.upstream.sendings).toHaveLength(0);
    nothingLeft(stage);
  });
});
