import { afterEach, describe, expect, test } from "bun:test";
import { chmodSync } from "node:fs";
import { START } from "../control/control-world.test.ts";
import { clientKeyId } from "../domain/access/client-key-id.ts";
import { requestId } from "../domain/ledger/record.ts";
import { durationMs } from "../kernel/time.ts";
import { ADD, cleanUp, KEY, run, startGateway, temporarySocket } from "./cli-world.test.ts";

afterEach(cleanUp);

describe("requests and stats", () => {
  test("print the ledger as data and as a table that no client can break", async () => {
    const { cli, stores } = await startGateway();
    stores.ledger.rows.push({
      id: requestId("0197-a"),
      startedAtMs: START,
      clientKeyId: clientKeyId("k"),
      accountId: null,
      method: "POST",
      path: "/v1/messages",
      model: "evil\u001b[2J\nmodel",
      isStream: true,
      outcome: "refused",
      status: 429,
      attempts: 0,
      queueMs: durationMs(0),
      firstByteMs: null,
      totalMs: durationMs(3.2),
      usage: null,
      errorType: "rate_limit_error",
      upstreamRequestId: null,
      costMicroUsd: null,
      thinkingDropped: null,
    });
    const asJson = await cli(["requests", "--json", "--limit", "5"]);
    expect(JSON.parse(asJson.stdout)).toMatchObject([{ id: "0197-a", status: 429, model: "evil\u001b[2J\nmodel" }]);
    const table = (await cli(["requests"])).stdout;
    expect(table).toContain("evil?[2J?model");
    expect(table.split("\n")).toHaveLength(3);

    stores.ledger.tallies = [
      {
        accountId: null,
        model: "opus",
        outcome: "completed",
        requestCount: 3,
        inputTokens: 1,
        cacheWrite5mTokens: 0,
        cacheWrite1hTokens: 0,
        cacheReadTokens: 0,
        outputTokens: 9,
      },
    ];
    expect(JSON.parse((await cli(["stats", "--since", "7d", "--json"])).stdout)).toMatchObject({
      total: { requests: 3, completed: 3 },
    });
    expect((await cli(["stats"])).stdout).toMatch(/\nopus +3 +3 +0 +0 +0 +1 +0 +0 +9\n/);
  });
});

describe("doctor", () => {
  test("exits 0 and prints what the client needs when all is well", async () => {
    const { cli } = await startGateway();
    await cli([...ADD, "--key-stdin"], { stdin: KEY });
    await cli(["key", "create", "laptop"]);
    const found = await cli(["doctor"]);
    expect(found).toMatchObject({ code: 0, stderr: "" });
    expect(found.stdout).toContain("export ANTHROPIC_BASE_URL=http://127.0.0.1:8080\n");
    expect(found.stdout).toContain("export ANTHROPIC_AUTH_TOKEN=");
    expect(found.stdout).toContain("export ENABLE_TOOL_SEARCH=true");
    expect(found.stdout).not.toContain("FAIL");
  });

  test("exits 1 with each fault and its fix, in the words of the program that was called", async () => {
    const { cli, socketPath } = await startGateway();
    chmodSync(socketPath, 0o666);
    const found = await cli(["doctor", "--json"], { io: { version: "9.9.9", programName: "npm run cli --" } });
    expect(found.code).toBe(1);
    const report = JSON.parse(found.stdout);
    const failed = report.checks.filter(({ isOk }: { isOk: boolean }) => !isOk);
    expect(failed.map(({ name }: { name: string }) => name)).toEqual([
      "server",
      "admin socket",
      "accounts",
      "client keys",
    ]);
    expect(failed[1].fix).toBe(`chmod 600 ${socketPath}`);
    expect(failed[3].fix).toBe("Create one: npm run cli -- key create NAME");
  });

  test("says that the gateway is not running, and exits 3", async () => {
    const found = await run(temporarySocket(), ["doctor", "--json"]);
    expect(found.code).toBe(3);
    expect(JSON.parse(found.stdout)).toMatchObject({ isOk: false, checks: [{ name: "server", isOk: false }] });
  });
});

describe("config check", () => {
  test("prints what the configuration reader found, without a gateway", async () => {
    const socketPath = temporarySocket();
    expect(await run(socketPath, ["config", "check", "--json"])).toEqual({
      code: 0,
      stdout: '{\n  "port": 8080\n}\n',
      stderr: "",
    });
    expect((await run(socketPath, ["config", "check"])).stdout).toBe("port 8080\n");
    const broken = async () => ({ isOk: false, text: "Cannot use PORT", data: { problems: [] } });
    expect((await run(socketPath, ["config", "check"], { io: { configCheck: broken } })).code).toBe(1);
  });
});
