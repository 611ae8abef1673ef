import { describe, expect, test } from "bun:test";
import { bunPackageFor } from "./find-bun.mjs";
import { installerFor } from "./install-locked.mjs";
import { COMMANDS, environmentFor, planFor } from "./launch-plan.mjs";

describe("a command line", () => {
  test.each([
    { argv: ["start"], level: "production", tail: ["src/main.ts", "start"] },
    { argv: ["start", "--demo"], level: "production", tail: ["src/main.ts", "start", "--demo"] },
    { argv: ["start", "--", "--demo"], level: "production", tail: ["src/main.ts", "start", "--demo"] },
    { argv: ["cli", "key", "list"], level: "production", tail: ["src/main.ts", "key", "list"] },
    { argv: ["test", "src/config"], level: "all", tail: ["test", "src/config"] },
  ])("$argv becomes $tail", ({ argv, level, tail }) => {
    const plan = planFor(argv);
    expect(String(plan?.level)).toBe(level);
    expect(plan?.args.slice(-tail.length)).toEqual([...tail]);
  });

  test.each([{ argv: [] }, { argv: ["strat"] }, { argv: ["toString"] }])("$argv is no command", ({ argv }) => {
    expect(planFor(argv)).toBeNull();
  });

  test("never reads a .env file where the gateway runs", () => {
    expect(planFor(["start"])?.args).toContain("--no-env-file");
    expect(planFor(["cli"])?.args).toContain("--no-env-file");
  });

  test("has a script in package.json, and every script a command", async () => {
    const { scripts } = await Bun.file("package.json").json();
    expect(Object.keys(scripts).toSorted()).toEqual(Object.keys(COMMANDS).toSorted());
    // exec, so that a signal to npm's child reaches the launcher: dash would die of it and leave the gateway running.
    for (const [name, script] of Object.entries(scripts)) expect(script).toBe(`exec node tools/launch.mjs ${name}`);
  });
});

describe("the environment", () => {
  test("lifts Bun's limit of 256 fetches, and keeps what the operator chose", () => {
    const chosen = { BUN_CONFIG_MAX_HTTP_REQUESTS: "9000" };
    expect(environmentFor({}, "start")).toMatchObject({ BUN_CONFIG_MAX_HTTP_REQUESTS: "65535" });
    expect(environmentFor(chosen, "start")).toMatchObject(chosen);
  });

  test("is that of production for the server alone", () => {
    expect(environmentFor({}, "start")).toMatchObject({ NODE_ENV: "production" });
    expect(environmentFor({ NODE_ENV: "test" }, "start")).toMatchObject({ NODE_ENV: "test" });
    expect(environmentFor({}, "test")).not.toHaveProperty("NODE_ENV");
  });

  test("tells the CLI how it was called", () => {
    const npm = { npm_execpath: "/usr/lib/node_modules/npm/bin/npm-cli.js" };
    expect(environmentFor(npm, "cli")).toMatchObject({ BETTER_CCFLARE_PROGRAM: "npm run cli --" });
    expect(environmentFor({}, "cli")).toMatchObject({ BETTER_CCFLARE_PROGRAM: "bun cli" });
    expect(environmentFor({}, "start")).not.toHaveProperty("BETTER_CCFLARE_PROGRAM");
  });
});

describe("the installer", () => {
  test.each([
    {
      level: "production",
      isBun: true,
      env: {},
      expected: ["install", "--frozen-lockfile", "--ignore-scripts", "--production"],
    },
    { level: "all", isBun: true, env: {}, expected: ["install", "--frozen-lockfile", "--ignore-scripts"] },
    { level: "production", isBun: false, env: {}, expected: ["ci", "--ignore-scripts", "--omit=dev"] },
    { level: "all", isBun: false, env: {}, expected: ["ci", "--ignore-scripts", "--include=dev"] },
  ] as const)("runs no install script and changes no lockfile: $expected", ({ level, isBun, env, expected }) => {
    expect(installerFor(level, isBun, env)).toEqual(expect.arrayContaining([...expected]));
  });

  test("is the npm that started us, where one did", () => {
    const env = { npm_execpath: "/usr/lib/node_modules/npm/bin/npm-cli.js" };
    expect(installerFor("all", false, env)[1]).toBe(env.npm_execpath);
    expect(installerFor("all", false, { npm_execpath: "/usr/bin/bun" })[0]).toBe("npm");
  });
});

test.each([
  ["linux", "x64", false, "bun-linux-x64"],
  ["linux", "arm64", true, "bun-linux-aarch64-musl"],
  ["darwin", "arm64", false, "bun-darwin-aarch64"],
  ["win32", "x64", false, "bun-windows-x64"],
])("Bun for %s on %s (musl: %p) is in %s", (platform, arch, isMusl, expected) => {
  expect(bunPackageFor({ platform, arch, isMusl })).toBe(expected);
});
