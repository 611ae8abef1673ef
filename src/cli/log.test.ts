import { afterEach, expect, test } from "bun:test";
import { cleanUp, startGateway } from "./cli-world.test.ts";

afterEach(cleanUp);

test("T-23.14 a change of the log level is in the audit log, with who and from what to what", async () => {
  const { cli, changes, logLevels } = await startGateway();
  expect((await cli(["log", "level"])).stdout).toBe("The log prints info and above\n");
  const set = await cli(["log", "level", "debug"]);
  expect(set.stdout).toBe("The log prints debug and above; a restart goes back to info\n");
  expect(logLevels.report().level).toBe("debug");
  expect(changes.drafts).toMatchObject([
    { code: "CFG002I", actor: { id: "socket" }, before: { level: "info" }, after: { level: "debug" } },
  ]);
});

test("a level that there is not is refused, and nothing changes", async () => {
  const { cli, changes } = await startGateway();
  const set = await cli(["log", "level", "loud"]);
  expect(set.code).toBe(1);
  expect(set.stderr).toContain("level");
  expect(changes.drafts).toEqual([]);
});
