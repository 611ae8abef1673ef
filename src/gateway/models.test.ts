import { describe, expect, test } from "bun:test";
import { account, createStage } from "../../test/playbook/stage.ts";

const opus = { id: "claude-opus-x", displayName: "Opus X" };
const sonnet = { id: "claude-sonnet-x", displayName: "Sonnet X" };

function stageWithModels() {
  return createStage({
    accounts: [
      account("a", { models: [opus] }),
      account("b", { models: [sonnet, opus] }),
      account("c", { isPaused: true, models: [{ id: "claude-hidden", displayName: "Hidden" }] }),
    ],
  });
}

async function get(path: string, method = "GET") {
  const stage = stageWithModels();
  const call = stage.call({ method, path });
  const client = await stage.serve(call);
  return { stage, call, client };
}

describe("the list of models", () => {
  test("is the union of what usable accounts offer, without a trip upstream or a row", async () => {
    const { stage, call, client } = await get("/v1/models");
    expect(client.status).toBe(200);
    expect(JSON.parse(client.text)).toEqual({
      data: [
        { type: "model", id: opus.id, display_name: "Opus X", created_at: "1970-01-01T00:00:00Z" },
        { type: "model", id: sonnet.id, display_name: "Sonnet X", created_at: "1970-01-01T00:00:00Z" },
      ],
      has_more: false,
      first_id: opus.id,
      last_id: sonnet.id,
    });
    expect(client.header("x-better-ccflare-attempts")).toBe("0");
    expect(call.isAdmitted).toBe(true);
    expect(stage.upstream.sendings).toHaveLength(0);
    expect(stage.begun).toHaveLength(0);
  });

  test("is empty, not broken, when no account knows its models", async () => {
    const stage = createStage();
    const client = await stage.serve(stage.call({ method: "GET", path: "/v1/models" }));
    expect(JSON.parse(client.text)).toEqual({ data: [], has_more: false, first_id: null, last_id: null });
  });
});

test("one model is found by its id", async () => {
  const { client } = await get(`/v1/models/${sonnet.id}`);
  expect(JSON.parse(client.text)).toMatchObject({ id: sonnet.id, display_name: "Sonnet X" });
});

test.each(["claude-hidden", "nothing"])("the model %s that nobody offers is refused", async (id) => {
  const { client } = await get(`/v1/models/${id}`);
  expect(client.status).toBe(404);
  expect(client.text).toContain("GW_UNKNOWN_MODEL");
});
