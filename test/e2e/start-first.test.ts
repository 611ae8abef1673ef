import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { lstatSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Anthropic from "@anthropic-ai/sdk";
import { startSimulator } from "../../sim/simulator.ts";
import { startGateway } from "./gateway-process.ts";

setDefaultTimeout(20_000);

const root = mkdtempSync(join(tmpdir(), "bccf-first-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Path and mode of everything below, the directory itself included. */
function modesBelow(directory: string): readonly { readonly path: string; readonly mode: string }[] {
  const paths = readdirSync(directory, { recursive: true, encoding: "utf8" }).map((name) => join(directory, name));
  return [directory, ...paths].map((path) => {
    const stats = lstatSync(path);
    return { path, mode: `${stats.isDirectory() ? "d" : "-"}${(stats.mode & 0o777).toString(8)}` };
  });
}

test("the first start prints a working key and how to use it, the second neither", async () => {
  const dataDir = join(root, "keys", "data");
  const simulator = await startSimulator();
  simulator.account("sk-sim-start");
  const first = await startGateway({ dataDir });
  expect(first.output()).toContain(`export ANTHROPIC_BASE_URL=${first.url}\n`);
  expect(first.output()).toMatch(/ {2}export ANTHROPIC_AUTH_TOKEN=bccf_sk_[0-9A-Za-z]+\n/);
  expect(first.output()).toContain("account add main --key-stdin");
  const key = first.firstKey;
  await first.addAccount("main", { baseUrl: simulator.url, credential: "sk-sim-start" });
  expect(await first.stop()).toBe(0);

  const second = await startGateway({ dataDir });
  expect(second.output()).not.toContain("export");
  expect(second.output()).not.toContain("bccf_sk_");
  expect(second.output()).not.toContain("account add");
  const sdk = new Anthropic({ baseURL: second.url, apiKey: null, authToken: key, maxRetries: 0 });
  const message = await sdk.messages.create({
    model: "claude-sonnet-5-5",
    max_tokens: 16,
    messages: [{ role: "user", content: "still there?" }],
  });
  expect(message.stop_reason).toBe("end_turn");
  expect(await second.stop()).toBe(0);
  await simulator.stop();
});

test("the data directory and everything in it is for its owner alone, whatever the umask", async () => {
  const dataDir = join(root, "modes", "data");
  const simulator = await startSimulator();
  simulator.account("sk-sim-modes");
  const before = process.umask(0);
  const gateway = await startGateway({ dataDir });
  process.umask(before);
  await gateway.addAccount("main", { baseUrl: simulator.url, credential: "sk-sim-modes" });
  const answer = await fetch(`${gateway.url}/v1/messages`, {
    method: "POST",
    headers: { "x-api-key": gateway.firstKey, "content-type": "application/json" },
    body: JSON.stringify({ model: "claude-sonnet-5-5", max_tokens: 16, messages: [{ role: "user", content: "hi" }] }),
  });
  expect(answer.status).toBe(200);
  await answer.text();
  await gateway.requests();
  const open = modesBelow(dataDir);
  await gateway.stop();
  const closed = modesBelow(dataDir);
  expect(open.map(({ path }) => path)).toContain(join(dataDir, "master.key"));
  expect(open.length).toBeGreaterThan(5);
  expect([...open, ...closed].filter(({ mode }) => mode !== "d700" && mode !== "-600")).toEqual([]);
  await simulator.stop();
});
