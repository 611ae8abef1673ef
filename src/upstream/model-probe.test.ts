import { describe, expect, test } from "bun:test";
import { createScriptedUpstream, type Reply } from "../../test/playbook/scripted-upstream.ts";
import { account } from "../../test/playbook/stage.ts";
import { Secret } from "../kernel/secret.ts";
import { createModelProbe } from "./model-probe.ts";

async function probed(reply: Reply) {
  const upstream = createScriptedUpstream();
  upstream.plan(reply);
  const result = await createModelProbe(upstream).listModels(account("a"), new Secret("key", "sk"));
  return { result, sending: await upstream.nth(0) };
}

const json = (value: unknown): Reply => ({ chunks: [JSON.stringify(value)] });
const MALFORMED = {
  ok: false,
  error: { status: 200, detail: "The provider's list of models cannot be read" },
} as const;

test("asks once for every model, with the account's own credential", async () => {
  const { result, sending } = await probed(json({ data: [{ id: "claude-x", display_name: "X" }] }));
  expect(result).toEqual({ ok: true, value: [{ id: "claude-x", displayName: "X" }] });
  expect(sending.request).toMatchObject({
    baseUrl: "https://a.example",
    method: "GET",
    target: "/v1/models?limit=1000",
    credentialKind: "api_key",
    body: null,
  });
});

describe("a list", () => {
  test.each([
    { what: "without names", data: [{ id: "m" }], expected: [{ id: "m", displayName: "m" }] },
    { what: "with odd entries", data: [null, 7, {}, { id: "" }, { id: 7 }, { id: "x".repeat(257) }], expected: [] },
    {
      what: "with a long name",
      data: [{ id: "m", display_name: "n".repeat(300) }],
      expected: [{ id: "m", displayName: "n".repeat(256) }],
    },
    { what: "that is empty", data: [], expected: [] },
  ])("$what gives what can be read of it", async ({ data, expected }) => {
    expect((await probed(json({ data }))).result).toEqual({ ok: true, value: expected });
  });

  test("of more than 1,000 models is cut", async () => {
    const data = Array.from({ length: 1_500 }, (_, index) => ({ id: `m${index}` }));
    const { result } = await probed(json({ data }));
    expect(result.ok && result.value.length).toBe(1_000);
  });

  test.each<{ what: string; reply: Reply }>([
    { what: "is no JSON", reply: { chunks: ["<html>"] } },
    { what: "is another shape", reply: json({ models: [] }) },
    { what: "is null", reply: json(null) },
    { what: "is empty", reply: { chunks: [] } },
    { what: "breaks off", reply: { chunks: ['{"data":['], ending: "reset" } },
    { what: "is larger than 1 MiB", reply: { chunks: [new Uint8Array(1_048_577)], ending: "open" } },
  ])("that $what cannot be read", async ({ reply }) => {
    const { result, sending } = await probed(reply);
    expect(result).toEqual(MALFORMED);
    expect(sending.body.isOver).toBe(true);
  });
});

test.each([401, 403, 500])("an answer with status %i names it, and drops the body", async (status) => {
  const { result, sending } = await probed({ status, chunks: ["no"], ending: "open" });
  expect(result).toEqual({ ok: false, error: { status, detail: `The provider answered with status ${status}` } });
  expect(sending.body.isCancelled).toBe(true);
});

test("no answer says why", async () => {
  const { result } = await probed("connect_timeout");
  expect(result).toEqual({ ok: false, error: { status: null, detail: "scripted connect_timeout" } });
});
