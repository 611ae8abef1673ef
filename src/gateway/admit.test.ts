import { describe, expect, test } from "bun:test";
import { clientKeyId } from "../domain/access/client-key-id.ts";
import { OPEN_GRANT } from "../domain/access/key-grant.ts";
import { NO_LIMITS } from "../domain/access/key-limits.ts";
import { ok } from "../kernel/result.ts";
import { epochMs } from "../kernel/time.ts";
import { admit } from "./admit.ts";
import type { Call } from "./call.ts";
import { createFailedKeys } from "./failed-keys.ts";
import type { Caller, ClientKeys } from "./ports.ts";

const KEY_ID = clientKeyId("k1");
const ACCESS = { grant: OPEN_GRANT, limits: NO_LIMITS, meterId: KEY_ID };
const CALLER: Caller = { keyId: KEY_ID, keyName: "laptop", access: ACCESS };
const KEYS: ClientKeys = { verify: (presented) => (presented === "good" ? CALLER : null) };

function admitted(headers: Readonly<Record<string, string>>) {
  const call: Pick<Call, "header" | "client" | "acceptedAtMs"> = {
    header: (name) => headers[name] ?? null,
    client: ok(null),
    acceptedAtMs: epochMs(0),
  };
  return admit(call, { keys: KEYS, failedKeys: createFailedKeys({ perMinute: 20 }), passthrough: null });
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
    expect(admitted(headers)).toEqual({ ok: true, value: CALLER, own: null });
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
