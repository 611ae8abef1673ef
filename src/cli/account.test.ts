import { afterEach, describe, expect, test } from "bun:test";
import { accountListSchema } from "../contract/accounts.ts";
import { err, ok } from "../kernel/result.ts";
import { ADD, cleanUp, KEY, startGateway } from "./cli-world.test.ts";

afterEach(cleanUp);

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
    expect(accountListSchema.parse(JSON.parse(list.stdout))).toMatchObject([
      { id, name: "work", state: "ready", windows: [] },
    ]);
    expect((await cli(["account", "list"])).stdout).toMatch(/^NAME +STATE +PRIORITY +WEIGHT .*\nwork +ready +100 +1 /);
    expect(JSON.parse((await cli(["account", "pause", id, "--json"])).stdout)).toMatchObject({ state: "paused" });
    expect((await cli(["account", "resume", "work"])).stdout).toBe('Resumed account "work"; it is ready\n');
    expect(await cli(["account", "test", "work"])).toEqual({
      code: 0,
      stdout: "ok  work  The provider lists 1 models\n",
      stderr: "",
    });
    expect((await cli(["account", "show", "work"])).stdout).toContain("Models:        claude-sonnet-5\n");
    expect(await cli(["account", "remove", id, "--yes"])).toMatchObject({
      code: 0,
      stdout: 'Removed account "work"\n',
    });
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
