import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { type SimulatedAccount, type Simulator, startSimulator } from "../../sim/simulator.ts";
import { type GatewayProcess, runCli, startGateway } from "./gateway-process.ts";

// The commands of the README, in its order, against a running gateway. Later tests build on earlier ones.

setDefaultTimeout(20_000);

type Account = {
  readonly name: string;
  readonly state: string;
  readonly priority: number;
  readonly windows: unknown[];
};
type Key = { readonly id: string; readonly name: string; readonly state: string; readonly revokedAt: string | null };

let simulator: Simulator;
let gateway: GatewayProcess;
let main: SimulatedAccount;
let spare: SimulatedAccount;
let key: string;

beforeAll(async () => {
  simulator = await startSimulator();
  main = simulator.account("sk-sim-main", { limits: { requests: 1000 } });
  spare = simulator.account("token-sim-spare", { kind: "bearer" });
  gateway = await startGateway();
  key = gateway.firstKey;
});
afterAll(async () => {
  await gateway.stop();
  await simulator.stop();
});

function ask(presented = key): Promise<Response> {
  return fetch(`${gateway.url}/v1/messages`, {
    method: "POST",
    headers: { authorization: `Bearer ${presented}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "claude-sonnet-5-5", max_tokens: 16, messages: [{ role: "user", content: "hi" }] }),
  });
}

/** Which account answered the newest request. */
async function servedBy(): Promise<string | null> {
  const answer = await ask();
  expect(answer.status).toBe(200);
  await answer.text();
  return (await gateway.requests(1))[0]?.account ?? null;
}

describe("before there is an account", () => {
  test("a request is refused and says which command is missing", async () => {
    const answer = await ask();
    expect(answer.status).toBe(503);
    expect(await answer.text()).toContain("better-ccflare account add");
  });

  test("doctor says so and exits with 1", async () => {
    const { code, stdout, stderr } = await gateway.cli(["doctor"]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^FAIL {2}account/m);
    expect(stderr).toContain("Cannot call this gateway healthy");
  });
});

describe("account", () => {
  test("add takes the key from standard input and asks the provider for its models", async () => {
    const target = ["--base-url", simulator.url, "--organization", "org-1"];
    const added = await gateway.cli(["account", "add", "main", ...target, "--key-stdin"], "sk-sim-main\n");
    expect(added).toMatchObject({ code: 0, stderr: "" });
    expect(added.stdout).toMatch(/^Added account "main" \(.+\); [1-9]\d* models\n$/);
    const bearer = ["--priority", "200", "--bearer-stdin", "--json"];
    const { code, stdout } = await gateway.cli(
      ["account", "add", "spare", "--base-url", simulator.url, ...bearer],
      "token-sim-spare",
    );
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ name: "spare", priority: 200, credentialKind: "bearer", warning: null });
  });

  test("add takes no key from the command line and does not repeat it: exit 2", async () => {
    const mistakes = [
      ["--key", "sk-ant-CANARY"],
      ["--key-stdin=sk-ant-CANARY"],
      ["--key-stdin", "sk-ant-CANARY"],
      [],
      ["--key-stdin", "--bearer-stdin"],
      ["--provider", "openai", "--key-stdin"],
    ];
    const results = mistakes.map((argv) => gateway.cli(["account", "add", "third", ...argv], "sk-from-stdin"));
    for (const { code, stdout, stderr } of await Promise.all(results)) {
      expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
      expect(stderr).not.toBe("");
      expect(stderr).not.toContain("CANARY");
    }
  });

  test.each([
    { why: "a name that is taken", argv: ["main"], stdin: "sk-x", says: "another account has this name" },
    { why: "an empty key", argv: ["third"], stdin: "\n", says: "it is empty" },
    { why: "a bad name", argv: ["../third"], stdin: "sk-x", says: "Cannot add account" },
  ])("add refuses $why with exit 1", async ({ argv, stdin, says }) => {
    const result = await gateway.cli(["account", "add", ...argv, "--key-stdin"], stdin);
    expect(result).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining(says) });
  });

  test("add warns when the provider refuses the key, and test says why", async () => {
    const added = await gateway.cli(
      ["account", "add", "dud", "--base-url", simulator.url, "--key-stdin"],
      "sk-unknown",
    );
    expect(added.code).toBe(0);
    expect(added.stderr).toContain("warning: ");
    const tested = await gateway.cli(["account", "test", "dud"]);
    expect(tested.code).toBe(1);
    expect(tested.stdout).toStartWith("FAIL  dud");
    expect((await gateway.cli(["account", "remove", "dud", "--yes"])).code).toBe(0);
    expect((await gateway.cli(["account", "test", "main"])).code).toBe(0);
  });

  test("list and show print the contract's fields, first used first", async () => {
    const accounts = await gateway.json<Account[]>(["account", "list"]);
    expect(accounts).toMatchObject([
      { name: "main", provider: "anthropic", state: "ready", priority: 100, windows: [] },
      { name: "spare", provider: "anthropic", state: "ready", priority: 200 },
    ]);
    expect(await gateway.json(["account", "show", "main"])).toMatchObject({ name: "main", organization: "org-1" });
    expect((await gateway.cli(["account", "list"])).stdout).toMatch(/main.*ready.*\n.*spare/);
  });

  test("a request goes to the first one, and its windows are shown afterwards", async () => {
    expect(await servedBy()).toBe("main");
    const [first] = await gateway.json<Account[]>(["account", "list"]);
    expect(first?.windows).not.toEqual([]);
  });

  test("a paused account is skipped until it is resumed", async () => {
    // By the default strategy a conversation stays where it went.
    expect((await gateway.cli(["strategy", "set", "priority"])).code).toBe(0);
    expect((await gateway.cli(["account", "pause", "main"])).stdout).toContain("it is paused");
    const asked = main.requests.length;
    expect(await servedBy()).toBe("spare");
    const head = Buffer.from(spare.requests.at(-1)?.rawHead ?? []).toString("latin1");
    expect(head).toContain("Bearer token-sim-spare");
    expect(head.toLowerCase()).not.toContain("x-api-key");
    expect(main.requests).toHaveLength(asked);
    expect((await gateway.json<Account[]>(["account", "list"]))[0]).toMatchObject({ name: "main", state: "paused" });
    expect((await gateway.cli(["account", "resume", "main"])).code).toBe(0);
    expect(await servedBy()).toBe("main");
  });

  test("a removed account is used no more, and its old requests keep their line", async () => {
    const asked = await gateway.cli(["account", "remove", "main"]);
    expect(asked).toMatchObject({ code: 2, stderr: expect.stringContaining("--yes") });
    expect((await gateway.cli(["account", "remove", "main", "--yes"])).stdout).toContain('Removed account "main"');
    const before = main.requests.length;
    expect(await servedBy()).toBe("spare");
    expect(main.requests).toHaveLength(before);
    expect((await gateway.json<Account[]>(["account", "list"])).map(({ name }) => name)).toEqual(["spare"]);
    expect((await gateway.requests()).length).toBeGreaterThanOrEqual(4);
    expect((await gateway.cli(["account", "show", "main"])).code).toBe(1);
  });
});

describe("key", () => {
  test("create prints a key that works, alone on stdout, and list never shows it", async () => {
    const made = await gateway.cli(["key", "create", "laptop"]);
    expect(made.stdout).toMatch(/^bccf_sk_[0-9A-Za-z]+\n$/);
    expect(made.stderr).toContain("cannot be shown again");
    const presented = made.stdout.trim();
    expect((await ask(presented)).status).toBe(200);
    const { stdout } = await gateway.cli(["key", "list"]);
    expect(stdout).toContain("laptop");
    expect(stdout).not.toContain(presented);
    expect((await gateway.cli(["key", "list", "--json"])).stdout).not.toContain(presented);
    expect((await gateway.cli(["key", "create", "laptop"])).code).toBe(1);
  });

  test("a revoked key is refused within a second, also on a connection that it opened", async () => {
    const { id, key: presented } = await gateway.createKey("thief");
    let isRevoked = false;
    const revoking = gateway.json<Key>(["key", "revoke", "thief"]).finally(() => {
      isRevoked = true;
    });
    let wasRevoked = isRevoked;
    let answer = await ask(presented);
    expect(answer.status).toBe(200);
    // One request after the other on the same connection; the one that begins after the CLI is back must be refused.
    while (answer.status === 200 && !wasRevoked) {
      await answer.text();
      wasRevoked = isRevoked;
      answer = await ask(presented);
    }
    const refusedAtMs = Date.now();
    expect(answer.status).toBe(401);
    expect(await answer.text()).toMatch(/GW_BAD_KEY|GW_KEY_REVOKED/);
    const { revokedAt } = await revoking;
    expect(refusedAtMs - Date.parse(revokedAt ?? "")).toBeLessThan(1_000);
    expect((await ask(presented)).status).toBe(401);
    const keys = await gateway.json<Key[]>(["key", "list"]);
    expect(keys.find((each) => each.id === id)).toMatchObject({ name: "thief", state: "revoked" });
    expect((await ask()).status).toBe(200);
  });
});

describe("reports", () => {
  test("requests and stats agree with what was asked", async () => {
    const lines = await gateway.requests(1000);
    const served = lines.filter(({ status }) => status === 200);
    const stats = await gateway.json<{ total: Record<string, number> }>(["stats", "--since", "1h"]);
    expect(stats.total).toMatchObject({ requests: lines.length, completed: served.length });
    const tokens = served.reduce((sum, { usage }) => sum + (usage?.["outputTokens"] ?? 0), 0);
    expect(stats.total["outputTokens"]).toBe(tokens);
    expect(await gateway.requests(1)).toEqual([expect.objectContaining({ id: lines[0]?.id })]);
  });

  test("doctor is content and prints the client's setup", async () => {
    const { code, stdout } = await gateway.cli(["doctor"]);
    expect(code).toBe(0);
    expect(stdout).not.toContain("FAIL");
    expect(stdout).toContain(`export ANTHROPIC_BASE_URL=${gateway.url}`);
    expect(await gateway.json(["doctor"])).toMatchObject({ isOk: true });
  });

  test("--json prints one JSON value on stdout and nothing else, whatever the command", async () => {
    const commands = ["account list", "account show spare", "key list", "requests", "stats", "doctor", "config check"];
    const results = await Promise.all(commands.map((command) => gateway.cli([...command.split(" "), "--json"])));
    for (const { code, stdout, stderr } of results) {
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(typeof JSON.parse(stdout)).toBe("object");
    }
  });
});

describe("exit codes", () => {
  const nowhere = {
    PATH: process.env["PATH"] ?? "",
    HOME: "/nonexistent",
    BETTER_CCFLARE_DATA_DIR: "/nonexistent/data",
  };

  test("3 when no gateway runs, with the command that starts one", async () => {
    const result = await runCli(["account", "list", "--json"], nowhere);
    expect(result).toMatchObject({ code: 3, stdout: "" });
    expect(result.stderr).toContain("it is not running");
    expect(result.stderr).toContain("fix: start the gateway");
  });

  test("0 for what was done, 1 for what was refused, 2 for what was not understood", async () => {
    const expected = [
      { argv: ["--help"], code: 0 },
      { argv: ["--version"], code: 0 },
      { argv: ["key", "revoke", "nobody"], code: 1 },
      { argv: ["account", "pause", "nobody"], code: 1 },
      { argv: ["acount", "list"], code: 2 },
      { argv: ["requests", "--limit", "0"], code: 2 },
      { argv: ["key", "create"], code: 2 },
      { argv: ["--data-dir"], code: 2 },
    ];
    const seen = expected.map(async ({ argv }) => ({ argv, code: (await gateway.cli(argv)).code }));
    expect(await Promise.all(seen)).toEqual(expected);
  });

  test("config check lists every mistake and exits with 1", async () => {
    const env = { ...nowhere, PORT: "http", BETTER_CCFLARE_HOTS: "x" };
    const result = await runCli(["config", "check", "--json"], env);
    expect(result.code).toBe(1);
    const { problems } = JSON.parse(result.stdout);
    expect(problems.map(({ key: name }: { key: string }) => name).toSorted()).toEqual(["BETTER_CCFLARE_HOTS", "PORT"]);
  });
});
