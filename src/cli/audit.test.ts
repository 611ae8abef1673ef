import { afterEach, expect, test } from "bun:test";
import { cleanUp, run, startGateway, temporarySocket } from "./cli-world.test.ts";

afterEach(cleanUp);

test("audit list shows who did what, newest first, and --json gives the entries", async () => {
  const { cli } = await startGateway();
  await cli(["key", "create", "laptop"]);
  await cli(["key", "revoke", "laptop"]);
  const { stdout } = await cli(["audit", "list"]);
  const [header, first, second] = stdout.split("\n");
  expect(header).toStartWith("SEQ  AT (UTC)");
  expect(first).toContain("KEY002I  operator socket  client_key laptop");
  expect(second).toContain("KEY001I");
  const { stdout: json } = await cli(["audit", "list", "--limit", "1", "--json"]);
  expect(JSON.parse(json)).toMatchObject([{ seq: 2, code: "KEY002I", actor: { type: "operator" } }]);
  expect((await cli(["audit", "list", "--limit", "0"])).code).toBe(2);
});

test("audit export prints every page, one line each", async () => {
  const { cli } = await startGateway();
  expect(await cli(["audit", "export"])).toEqual({ code: 0, stdout: "first\nlast\n", stderr: "" });
});

test("audit verify needs no gateway; what is not intact is exit code 1", async () => {
  const socket = temporarySocket();
  expect(await run(socket, ["audit", "verify"])).toMatchObject({ code: 0, stdout: "intact\n" });
  const broken = { isOk: false, text: "The audit log is not intact at entry 3: gone", data: { ok: false } };
  const io = { verifyAudit: async () => broken };
  expect(await run(socket, ["audit", "verify"], { io })).toMatchObject({
    code: 1,
    stdout: "",
    stderr: `error: ${broken.text}\n`,
  });
  const asJson = await run(socket, ["audit", "verify", "--json"], { io });
  expect({ ...asJson, stdout: JSON.parse(asJson.stdout) }).toMatchObject({ code: 1, stdout: { ok: false } });
  const absent = { verifyAudit: () => Promise.reject(new Error("no such file")) };
  expect(await run(socket, ["audit", "verify"], { io: absent })).toMatchObject({
    code: 1,
    stderr: "error: Cannot verify: no such file\n",
  });
  expect(await run(socket, ["audit", "verify", "--file", "x"])).toMatchObject({ code: 2 });
});

test("audit sinks and audit prune say what is there and what is removed", async () => {
  const { cli } = await startGateway();
  const { stdout } = await cli(["audit", "sinks"]);
  expect(stdout).toMatch(/^SINK +TARGET +STATE +HAS +WAITING/);
  expect(stdout).toMatch(/\nfile +audit\.log +ok +0 +0 +- +-\n$/);
  expect((await cli(["audit", "prune", "--dry-run"])).stdout).toStartWith(
    "Would remove 7 entries, up to 7: older than",
  );
  expect((await cli(["audit", "prune", "--older-than", "500d"])).stdout).toStartWith("Removed 7 entries");
  const early = await cli(["audit", "prune", "--older-than", "10d"]);
  expect(early).toMatchObject({ code: 1, stderr: "error: Cannot prune: it is kept for 400 days\n" });
  expect((await cli(["audit", "prune", "--older-than", "soon"])).code).toBe(2);
});
