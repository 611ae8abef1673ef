import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseScript } from "./script.ts";

test.each([
  { text: "{", problem: "it is not JSON" },
  { text: "[]", problem: '"accounts" is not an array' },
  { text: '{"accounts":[{}]}', problem: "accounts[0].credential is not a string" },
  { text: '{"accounts":[{"credential":"k","steps":{}}]}', problem: "accounts[0].steps is not an array" },
  { text: '{"accounts":[{"credential":"k","default":{"kind":"no"}}]}', problem: 'a step of unknown kind "no"' },
])("refuses the script $text", ({ text, problem }) => {
  const script = parseScript(text);
  expect(script.ok ? "" : script.error).toContain(problem);
});

test("runs alone from a script file and ends on SIGTERM", async () => {
  const folder = mkdtempSync(join(tmpdir(), "simulator-"));
  const path = join(folder, "script.json");
  const accounts = [
    { credential: "k", steps: [{ kind: "status", status: 529 }], default: { kind: "message", text: "later" } },
  ];
  writeFileSync(path, JSON.stringify({ accounts }));
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "main.ts"), "--port", "0", "--script", path], {
    stdout: "pipe",
  });
  const { value } = await child.stdout.getReader().read();
  const url = /http:\S+/.exec(Buffer.from(value ?? []).toString())?.[0] ?? "";
  const ask = () => fetch(`${url}/v1/messages`, { method: "POST", headers: { "x-api-key": "k" }, body: "{}" });
  expect((await ask()).status).toBe(529);
  expect(await (await ask()).text()).toContain("later");
  child.kill("SIGTERM");
  expect(await child.exited).toBe(0);
  rmSync(folder, { recursive: true });
});
