import { afterEach, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { ADD, cleanUp, KEY, run, startGateway, temporarySocket } from "./cli-world.test.ts";

afterEach(cleanUp);

describe("exit codes", () => {
  test.each([
    [["account", "list"]],
    [["account", "show", "a"]],
    [["key", "list", "--json"]],
    [["requests"]],
    [["stats"]],
    [["explain", "0197-a"]],
    [["strategy", "show"]],
    [["strategy", "set", "session"]],
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
    [["account", "add", "work", "--provider", "anthropic"]],
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

  test.each([
    [["account", "show", "ghost"]],
    [["account", "show", ".."]],
    [["account", "show", "a/../../keys"]],
    [["key", "revoke", "ghost"]],
  ])("%j exits 1: there is no such thing", async (argv) => {
    const { cli } = await startGateway();
    const { code, stdout, stderr } = await cli(argv);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^error: Cannot [^\n]+\n$/);
  });
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
