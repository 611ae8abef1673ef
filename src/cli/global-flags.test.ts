import { expect, test } from "bun:test";
import { splitGlobalFlags } from "./global-flags.ts";

test.each([
  { argv: [], flags: {}, rest: [] },
  { argv: ["account", "list", "--json"], flags: {}, rest: ["account", "list", "--json"] },
  { argv: ["--data-dir", "/d", "account", "list"], flags: { dataDir: "/d" }, rest: ["account", "list"] },
  { argv: ["account", "list", "--data-dir=/d"], flags: { dataDir: "/d" }, rest: ["account", "list"] },
  { argv: ["stats", "--config", "/c=1", "--since", "7d"], flags: { config: "/c=1" }, rest: ["stats", "--since", "7d"] },
  { argv: ["key", "create", "--", "--data-dir"], flags: {}, rest: ["key", "create", "--", "--data-dir"] },
  { argv: ["--data-dir", "/a", "--data-dir", "/b"], flags: { dataDir: "/b" }, rest: [] },
  { argv: ["--data-directory", "/a"], flags: {}, rest: ["--data-directory", "/a"] },
])("takes the global flags out of $argv", ({ argv, flags, rest }) => {
  expect(splitGlobalFlags(argv)).toEqual({ ok: true, value: { flags, rest } });
});

test.each([[["--data-dir"]], [["account", "--config="]]])("refuses %j: a path is missing", (argv) => {
  expect(splitGlobalFlags(argv)).toMatchObject({ ok: false, error: expect.stringContaining("needs a path") });
});
