import { describe, expect, test } from "bun:test";
import type { CallScript } from "../../test/playbook/scripted-call.ts";
import { createStage, type Stage } from "../../test/playbook/stage.ts";
import { read } from "./read.ts";
import { isRefusal, routeOf } from "./route.ts";

async function reading(script: CallScript, stage: Stage = createStage()) {
  const call = stage.call(script);
  const route = routeOf(call);
  if (isRefusal(route)) throw new Error("Cannot test the room: the route is refused");
  return { stage, result: await read(call, route, stage.rooms) };
}

const code = (code: string) => ({ ok: false, error: { code } });

describe("a body", () => {
  test("is kept as received, its facts found, its bytes taken from the budget", async () => {
    const body = ' {"stream": true,\n"model":"claude-opus-4" } ';
    const { stage, result } = await reading({ body });
    expect(result).toMatchObject({
      ok: true,
      value: { facts: { model: "claude-opus-4", isStream: true }, reservedBytes: body.length },
    });
    expect(result.ok && Buffer.from(result.value.body ?? []).toString()).toBe(body);
    expect(stage.rooms.budget.usedBytes).toBe(body.length);
  });

  test.each<CallScript>([
    { body: "{}" },
    { body: '{"model":"m"}', isChunked: true },
    { body: "{}", headers: [["content-encoding", "Identity"]] },
    { body: "[not json", path: "/v1/files" },
    { body: '{"model":"a","model":"b"}', path: "/v1/messages/batches" },
    { body: "", isChunked: true, path: "/v1/files" },
  ])("like %j is accepted", async (script) => {
    const { stage, result } = await reading(script);
    expect(result.ok).toBe(true);
    expect(stage.rooms.budget.usedBytes).toBe(result.ok ? result.value.reservedBytes : -1);
  });

  test("is not needed on other paths", async () => {
    const { result } = await reading({ method: "GET", path: "/v1/files" });
    expect(result).toMatchObject({ ok: true, value: { body: null, facts: { model: null }, reservedBytes: 0 } });
  });

  test.each<{ script: CallScript; expected: object }>([
    { script: { body: "" }, expected: code("GW_BODY_NOT_JSON") },
    { script: { body: "", isChunked: true }, expected: code("GW_BODY_NOT_JSON") },
    { script: { body: "[]" }, expected: code("GW_BODY_NOT_JSON") },
    { script: { body: '{"model":"m"' }, expected: code("GW_BODY_NOT_JSON") },
    { script: { body: '{"model":7}' }, expected: code("GW_BODY_NOT_JSON") },
    { script: { body: '{"model":"a","model":"b"}' }, expected: code("GW_DUPLICATE_MODEL") },
    { script: { headers: [["content-encoding", "gzip"]] }, expected: code("GW_BODY_ENCODED") },
    { script: { body: new Uint8Array(500_001) }, expected: code("GW_BODY_TOO_LARGE") },
    { script: { problem: "too_large" }, expected: code("GW_BODY_TOO_LARGE") },
    { script: { problem: "too_slow" }, expected: code("GW_BODY_TOO_SLOW") },
    { script: { problem: "client_gone" }, expected: { ok: false, error: "client_gone" } },
  ])("case %# is refused, and keeps no byte of the budget", async ({ script, expected }) => {
    const { stage, result } = await reading(script);
    expect(result).toMatchObject(expected);
    expect(stage.rooms.budget.usedBytes).toBe(0);
  });

  test("that the budget has no room for may come again in a second", async () => {
    const stage = createStage();
    stage.rooms.budget.reserve(999_999);
    const { result } = await reading({}, stage);
    expect(result).toMatchObject({ ok: false, error: { code: "GW_BODY_BUDGET", retryAfterSeconds: 1 } });
    expect(stage.rooms.budget.usedBytes).toBe(999_999);
  });
});
