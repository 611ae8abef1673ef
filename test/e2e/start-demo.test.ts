import { expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Anthropic from "@anthropic-ai/sdk";
import { startGateway } from "./gateway-process.ts";

setDefaultTimeout(20_000);

test("--demo serves a request end to end and leaves nothing behind", async () => {
  const temporary = mkdtempSync(join(tmpdir(), "bccf-demo-"));
  const gateway = await startGateway({ args: ["--demo"], env: { TMPDIR: temporary } });
  const [made] = readdirSync(temporary);
  expect(made).toStartWith("better-ccflare-demo-");
  const sdk = new Anthropic({ baseURL: gateway.url, apiKey: null, authToken: gateway.firstKey, maxRetries: 0 });
  const request = { model: "claude-sonnet-5-5", max_tokens: 64, messages: [{ role: "user" as const, content: "hi" }] };
  expect((await sdk.messages.create(request)).stop_reason).toBe("end_turn");
  expect((await sdk.messages.stream(request).finalMessage()).content[0]?.type).toBe("text");
  const demo = ["--data-dir", join(temporary, made ?? "")];
  const names = (await gateway.json<{ name: string }[]>([...demo, "account", "list"])).map(({ name }) => name);
  expect(names).toEqual(["demo-main", "demo-second", "demo-spare"]);
  const lines = await gateway.json<{ outcome: string }[]>([...demo, "requests"]);
  expect(lines.map(({ outcome }) => outcome)).toEqual(["completed", "completed"]);
  // The operator's own data directory was not touched.
  expect(readdirSync(gateway.dataDir)).toEqual([]);
  expect(await gateway.stop()).toBe(0);
  expect(readdirSync(temporary)).toEqual([]);
  rmSync(temporary, { recursive: true });
});
