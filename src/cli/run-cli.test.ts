import { afterEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { accountListSchema } from "../contract/accounts.ts";
import { createdKeySchema } from "../contract/keys.ts";
import { createControlWorld, START } from "../control/control-world.test.ts";
import { clientKeyId } from "../domain/access/client-key-id.ts";
import { requestId } from "../domain/ledger/record.ts";
import { createAdminApp } from "../http/admin/admin-app.ts";
import { listenAdmin } from "../http/admin/admin-listener.ts";
import { err, ok } from "../kernel/result.ts";
import { durationMs } from "../kernel/time.ts";
import type { CliIo } from "./cli-io.ts";
import { runCli } from "./run-cli.ts";

const KEY = "sk-ant-api03-canary";
const ADD = ["account", "add", "work", "--provider", "anthropic"];

const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

type Typed = { readonly stdin?: string; readonly answers?: readonly string[]; readonly io?: Partial<CliIo> };
type Run = { readonly code: number; readonly stdout: string; readonly stderr: string };

function temporarySocket(): string {
  const directory = mkdtempSync(join(tmpdir(), "cli-"));
  cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, "admin.sock");
}

async function run(socketPath: string, argv: readonly string[], { stdin = "", answers, io = {} }: Typed = {}): Promise<Run> {
  let stdout = "";
  let stderr = "";
  const typed = [...(answers ?? [])];
  const code = await runCli(argv, {
    stdout: (text) => void (stdout += text),
    stderr: (text) => void (stderr += text),
    stdin: async () => stdin,
    isTty: answers !== undefined,
    async ask(question) {
      stderr += question;
      return typed.shift() ?? "";
    },
    socketPath,
    version: "1.2.3",
    programName: "better-ccflare",
    configCheck: async () => ({ isOk: true, text: "port 8080", data: { port: 8080 } }),
    ...io,
  });
  return { code, stdout, stderr };
}

async function startGateway() {
  const world = await createControlWorld();
  const socketPath = temporarySocket();
  const app = createAdminApp({
    ...world,
    version: "1.2.3",
    dataPlaneUrl: () => "http://127.0.0.1:8080",
    onError: (error) => console.error(error),
  });
  const listener = await listenAdmin({ socketPath, app });
  cleanups.push(() => listener.stop());
  const cli = (argv: readonly string[], typed?: Typed) => run(socketPath, argv, typed);
  return { ...world, socketPath, cli };
}

describe("account", () => {
  test("is added with the key from standard input, and the key appears nowhere", async () => {
    const { cli, provider, accounts } = await startGateway();
    const added = await cli([...ADD, "--key-stdin", "--priority", "7", "--json"], { stdin: `${KEY}\n` });
    expect(added).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(added.stdout)).toMatchObject({ name: "work", priority: 7, credentialKind: "api_key" });
    expect(provider.askedWith).toEqual([KEY]);
    expect(accounts.snapshot()).toHaveLength(1);
    expect(added.stdout).not.toContain("canary");
  });

  test.each(["\n", "\r\n", ""])("is added whatever ends the line (%j)", async (end) => {
    const { cli, provider } = await startGateway();
    expect((await cli([...ADD, "--bearer-stdin"], { stdin: KEY + end })).code).toBe(0);
    expect(provider.askedWith).toEqual([KEY]);
  });

  test("is refused when the input holds more than one line", async () => {
    const { cli } = await startGateway();
    const refused = await cli([...ADD, "--key-stdin"], { stdin: `${KEY}\n\n` });
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toStartWith("error: Cannot use this credential: ");
    expect(refused.stderr).not.toContain("canary");
  });

  test("is added with the key that a person types unseen", async () => {
    const { cli, provider } = await startGateway();
    const added = await cli([...ADD, "--key-stdin"], { answers: [KEY] });
    expect(added.code).toBe(0);
    expect(provider.askedWith).toEqual([KEY]);
    expect(added.stdout + added.stderr).not.toContain("canary");
  });

  test("is added with a warning on stderr when the provider does not answer", async () => {
    const { cli, provider } = await startGateway();
    provider.answer = err({ status: null, detail: "Connection refused" });
    const added = await cli([...ADD, "--key-stdin", "--json"], { stdin: KEY });
    expect(added.code).toBe(0);
    expect(added.stderr).toBe('warning: Cannot list the models of "work": Connection refused\n');
    expect(JSON.parse(added.stdout)).toMatchObject({ name: "work" });
  });

  test("with a personal claude.ai token is refused with the reason", async () => {
    const { cli, accounts } = await startGateway();
    const refused = await cli([...ADD, "--bearer-stdin"], { stdin: "sk-ant-oat01-canary" });
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toContain("personal claude.ai login token");
    expect(accounts.snapshot()).toEqual([]);
  });

  test("is listed, shown, paused, resumed, tested and removed by name or id", async () => {
    const { cli, accounts, provider } = await startGateway();
    await cli([...ADD, "--key-stdin"], { stdin: KEY });
    const id = accounts.snapshot()[0]?.id ?? "";
    provider.answer = ok([{ id: "claude-sonnet-5", displayName: "Claude Sonnet 5" }]);

    const list = await cli(["account", "list", "--json"]);
    expect(accountListSchema.parse(JSON.parse(list.stdout))).toMatchObject([{ id, name: "work", state: "ready", windows: [] }]);
    expect((await cli(["account", "list"])).stdout).toMatch(/^NAME +STATE +PRIORITY .*\nwork +ready +100 /);
    expect(JSON.parse((await cli(["account", "pause", id, "--json"])).stdout)).toMatchObject({ state: "paused" });
    expect((await cli(["account", "resume", "work"])).stdout).toBe('Resumed account "work"; it is ready\n');
    expect(await cli(["account", "test", "work"])).toEqual({ code: 0, stdout: "ok  work  The provider lists 1 models\n", stderr: "" });
    expect((await cli(["account", "show", "work"])).stdout).toContain("Models:        claude-sonnet-5\n");
    expect(await cli(["account", "remove", id, "--yes"])).toMatchObject({ code: 0, stdout: 'Removed account "work"\n' });
    expect(JSON.parse((await cli(["account", "list", "--json"])).stdout)).toEqual([]);
  });

  test("that fails its test exits 1, with the finding as data", async () => {
    const { cli, provider } = await startGateway();
    await cli([...ADD, "--key-stdin"], { stdin: KEY });
    provider.answer = err({ status: 401, detail: "The provider refuses the credential" });
    const tested = await cli(["account", "test", "work", "--json"]);
    expect(tested.code).toBe(1);
    expect(JSON.parse(tested.stdout)).toMatchObject({ isOk: false, status: 401 });
  });

  test("is removed only when someone says yes", async () => {
    const { cli, accounts } = await startGateway();
    await cli([...ADD, "--key-stdin"], { stdin: KEY });
    expect((await cli(["account", "remove", "work"])).code).toBe(2);
    expect((await cli(["account", "remove", "work"], { answers: ["n"] })).code).toBe(1);
    expect((await cli(["account", "remove", "work"], { answers: [""] })).code).toBe(1);
    expect(accounts.snapshot()).toHaveLength(1);
    expect((await cli(["account", "remove", "work"], { answers: ["y"] })).code).toBe(0);
    expect(accounts.snapshot()).toEqual([]);
  });
});

describe("key", () => {
  test("is created as exactly id, name and key", async () => {
    const { cli, verifier } = await startGateway();
    const created = await cli(["key", "create", "laptop", "--expires", "90d", "--json"]);
    expect(created).toMatchObject({ code: 0, stderr: "" });
    const data: unknown = JSON.parse(created.stdout);
    expect(Object.keys(data ?? {})).toEqual(["id", "name", "key"]);
    const { key } = createdKeySchema.parse(data);
    expect(verifier.verify(key)?.keyName).toBe("laptop");

    const list = await cli(["key", "list", "--json"]);
    expect(JSON.parse(list.stdout)).toMatchObject([{ name: "laptop", state: "active" }]);
    expect(list.stdout).not.toContain(key);
    expect((await cli(["key", "revoke", "laptop"])).code).toBe(0);
    expect(verifier.verify(key)).toBeNull();
  });

  test("alone is on stdout, so that it can be put into a variable", async () => {
    const { cli, verifier } = await startGateway();
    const created = await cli(["key", "create", "laptop"]);
    expect(verifier.verify(created.stdout.trimEnd())).not.toBeNull();
    expect(created.stderr).toContain("cannot be shown again");
  });

  test("whose name is taken is refused in one line", async () => {
    const { cli } = await startGateway();
    await cli(["key", "create", "laptop"]);
    expect(await cli(["key", "create", "laptop", "--json"])).toEqual({
      code: 1,
      stdout: "",
      stderr: 'error: Cannot create key "laptop": another key has this name\n',
    });
  });
});

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
    expect(JSON.parse((await cli(["stats", "--since", "7d", "--json"])).stdout)).toMatchObject({ total: { requests: 3, completed: 3 } });
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
    expect(failed.map(({ name }: { name: string }) => name)).toEqual(["server", "admin socket", "accounts", "client keys"]);
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
    expect(await run(socketPath, ["config", "check", "--json"])).toEqual({ code: 0, stdout: '{\n  "port": 8080\n}\n', stderr: "" });
    expect((await run(socketPath, ["config", "check"])).stdout).toBe("port 8080\n");
    const broken = async () => ({ isOk: false, text: "Cannot use PORT", data: { problems: [] } });
    expect((await run(socketPath, ["config", "check"], { io: { configCheck: broken } })).code).toBe(1);
  });
});

describe("exit codes", () => {
  test.each([
    [["account", "list"]],
    [["account", "show", "a"]],
    [["key", "list", "--json"]],
    [["requests"]],
    [["stats"]],
  ])("%j exits 3 and says how to start when no gateway runs", async (argv) => {
    const socketPath = temporarySocket();
    for (const leaveFile of [false, true]) {
      if (leaveFile) writeFileSync(socketPath, "");
      const { code, stdout, stderr } = await run(socketPath, argv);
      expect({ code, stdout }).toEqual({ code: 3, stdout: "" });
      expect(stderr).toStartWith(`error: Cannot reach the gateway at ${socketPath}: it is not running`);
      expect(stderr).toContain("npm start");
    }
  });

  test.each([
    [[]],
    [["frobnicate"]],
    [["account"]],
    [["account", "frobnicate"]],
    [["account", "list", "--wat"]],
    [["account", "show"]],
    [["account", "show", "a", "b"]],
    [["account", "add", "work", "--key-stdin"]],
    [["account", "add", "work", "--provider", "other", "--key-stdin"]],
    [[...ADD]],
    [[...ADD, "--key-stdin", "--bearer-stdin"]],
    [[...ADD, "--key-stdin", "--priority", "high"]],
    [["key", "create"]],
    [["key", "create", "a", "--expires", "soon"]],
    [["requests", "--limit", "0"]],
    [["requests", "--limit", "1001"]],
    [["stats", "--since", "yesterday"]],
  ])("%j exits 2 with nothing on stdout", async (argv) => {
    const { code, stdout, stderr } = await run("/nonexistent/admin.sock", argv, { stdin: KEY });
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).not.toBe("");
  });

  test.each([[["--help"]], [["account", "add", "--help"]], [["--version"]], [["help"]]])("%j exits 0", async (argv) => {
    const { code, stdout } = await run("/nonexistent/admin.sock", argv);
    expect(code).toBe(0);
    expect(stdout).not.toBe("");
  });

  test.each([[["account", "show", "ghost"]], [["account", "show", ".."]], [["account", "show", "a/../../keys"]], [["key", "revoke", "ghost"]]])(
    "%j exits 1: there is no such thing",
    async (argv) => {
      const { cli } = await startGateway();
      const { code, stdout, stderr } = await cli(argv);
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
      expect(stderr).toMatch(/^error: Cannot [^\n]+\n$/);
    },
  );
});

describe("a key in the wrong place", () => {
  test.each([
    [[...ADD, `--key=${KEY}`]],
    [[...ADD, "--key-stdin", KEY]],
    [["account", "add", KEY, "--provider", "anthropic", "--wat"]],
    [["account", KEY]],
    [[KEY]],
    [["account", "add", "work", "--provider", KEY]],
    [[...ADD, "--key-stdin", "--priority", KEY]],
  ])("is not repeated (case %#)", async (argv) => {
    const { code, stdout, stderr } = await run("/nonexistent/admin.sock", argv, { stdin: "x" });
    expect(code).toBe(2);
    expect(stdout + stderr).not.toContain("canary");
  });
});
