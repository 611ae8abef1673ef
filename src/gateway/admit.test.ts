import { describe, expect, test } from "bun:test";
import { clientKeyId } from "../domain/access/client-key-id.ts";
import { admit } from "./admit.ts";
import type { Call } from "./call.ts";
import type { Caller, ClientKeys } from "./ports.ts";

const CALLER: Caller = { keyId: clientKeyId("k1"), keyName: "laptop" };
const KEYS: ClientKeys = { verify: (presented) => (presented === "good" ? CALLER : null) };

function admitted(headers: Readonly<Record<string, string>>) {
  const call: Pick<Call, "header"> = { header: (name) => headers[name] ?? null };
  return admit(call, KEYS);
}

describe("a request", () => {
  test.each([
    { headers: { authorization: "Bearer good" } },
    { headers: { authorization: "bearer  good" } },
    { headers: { authorization: "BEARER good" } },
    { headers: { authorization: "good" } },
    { headers: { "x-api-key": "good" } },
    { headers: { "x-api-key": "good", authorization: "Bearer good" } },
    { headers: { "x-api-key": "", authorization: "Bearer good" } },
    { headers: { "x-api-key": "good", authorization: "" } },
  ])("like %j is let in", ({ headers }) => {
    expect(admitted(headers)).toEqual({ ok: true, value: CALLER });
  });

  test.each([
    { headers: {}, code: "GW_NO_KEY", says: "ANTHROPIC_AUTH_TOKEN" },
    { headers: { "x-api-key": "" }, code: "GW_NO_KEY", says: "no client key" },
    { headers: { authorization: "Bearer " }, code: "GW_NO_KEY", says: "key create" },
    { headers: { authorization: "Bearer bad" }, code: "GW_BAD_KEY", says: "revoked" },
    { headers: { authorization: "Basic Z29vZA==" }, code: "GW_BAD_KEY", says: "malformed" },
    { headers: { "x-api-key": "good, good" }, code: "GW_BAD_KEY", says: "malformed" },
    { headers: { "x-api-key": "good", authorization: "Bearer bad" }, code: "GW_TWO_KEYS", says: "Send one" },
    { headers: { authorization: "Bearer sk-ant-oat01-x" }, code: "GW_PROVIDER_CREDENTIAL", says: "claude.ai login" },
    { headers: { "x-api-key": "sk-ant-ort01-x" }, code: "GW_PROVIDER_CREDENTIAL", says: "claude.ai login" },
    { headers: { "x-api-key": "sk-ant-api03-x" }, code: "GW_PROVIDER_CREDENTIAL", says: "provider API key" },
  ])("like %j is refused", ({ headers, code, says }) => {
    const result = admitted(headers);
    expect(result).toMatchObject({ ok: false, error: { code } });
    expect(result.ok ? "" : result.error.message).toContain(says);
  });

  test("never sees its credential in the refusal", () => {
    const result = admitted({ "x-api-key": "sk-ant-api03-hidden" });
    expect(JSON.stringify(result)).not.toContain("hidden");
  });
});
