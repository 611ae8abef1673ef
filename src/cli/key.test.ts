import { afterEach, describe, expect, test } from "bun:test";
import { createdKeySchema } from "../contract/keys.ts";
import { cleanUp, startGateway } from "./cli-world.test.ts";

afterEach(cleanUp);

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
