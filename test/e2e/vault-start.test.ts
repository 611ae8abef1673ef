import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { createHash, randomBytes } from "node:crypto";
import { existsSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startSimulator } from "../../sim/simulator.ts";
import { startGateway } from "./gateway-process.ts";
import { refusedStart } from "./refused-start.ts";

setDefaultTimeout(40_000);

const root = mkdtempSync(join(tmpdir(), "bccf-vault-start-"));
let files = 0;
afterAll(() => rmSync(root, { recursive: true, force: true }));

function fresh(content?: string | Uint8Array): string {
  files += 1;
  const path = join(root, String(files));
  if (content !== undefined) writeFileSync(path, content, { mode: 0o600 });
  return path;
}

function fingerprint(directory: string): readonly string[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .toSorted()
    .map((name) => {
      const stats = lstatSync(join(directory, name));
      const content = stats.isFile() ? readFileSync(join(directory, name)) : "";
      return `${name} ${stats.isFile() ? stats.mtimeMs : ""} ${createHash("sha256").update(content).digest("hex")}`;
    });
}

test("T-10.17 T-10.11 a passphrase opens its data; another one, another source or no parameters are refused with exit 78 and nothing is written", async () => {
  const dataDir = fresh();
  const simulator = await startSimulator();
  simulator.account("sk-sim-passphrase");
  const right = { BETTER_CCFLARE_PASSPHRASE_FILE: fresh("CANARY correct horse battery\n") };
  const first = await startGateway({ dataDir, env: right });
  await first.addAccount("main", { baseUrl: simulator.url, credential: "sk-sim-passphrase" });
  expect((await first.cli(["keys", "status"])).stdout).toContain("(passphrase)");
  await first.stop();
  expect(existsSync(join(dataDir, "master.key"))).toBe(false);

  const before = fingerprint(dataDir);
  const wrong = ["CANARY wrong horse battery", "CANARY correct horse batter", "x".repeat(40)];
  const answers = [];
  for (const words of wrong) {
    const { code, output } = await refusedStart({ dataDir, env: { BETTER_CCFLARE_PASSPHRASE_FILE: fresh(words) } });
    expect(code).toBe(78);
    expect(output).toContain("wrong master key");
    expect(output).not.toContain("horse");
    // The id of a key differs with each; nothing says which guess was nearer.
    answers.push(output.replaceAll(/[0-9a-f]{16}/g, "ID"));
  }
  expect(new Set(answers).size).toBe(1);
  const key = randomBytes(32).toString("base64");
  expect(await refusedStart({ dataDir, env: { BETTER_CCFLARE_ENCRYPTION_KEY: key } })).toMatchObject({ code: 78 });
  // Without any source configured it looks for its own file, and makes none.
  const none = await refusedStart({ dataDir });
  expect(none.code).toBe(78);
  expect(none.output).toContain("there is no such file");
  expect(fingerprint(dataDir)).toEqual(before);

  const again = await startGateway({ dataDir, env: right });
  expect((await again.cli(["account", "test", "main"])).code).toBe(0);
  await again.stop();
  await simulator.stop();
});

test("a passphrase beside an encryption key, readable by others, or too short is a mistake of the configuration", async () => {
  const good = fresh("long enough words");
  const open = fresh("long enough words");
  Bun.spawnSync(["chmod", "644", open]);
  const cases: readonly (readonly [Readonly<Record<string, string>>, string])[] = [
    [{ BETTER_CCFLARE_PASSPHRASE_FILE: good, BETTER_CCFLARE_ENCRYPTION_KEY_FILE: good }, "given as well"],
    [{ BETTER_CCFLARE_PASSPHRASE_FILE: open }, "can be read by others"],
    [{ BETTER_CCFLARE_PASSPHRASE_FILE: fresh("short") }, "fewer than 12 characters"],
  ];
  for (const [env, says] of cases) {
    const dataDir = fresh();
    const { code, output } = await refusedStart({ dataDir, env });
    expect(code).toBe(2);
    expect(output).toContain(says);
    expect(existsSync(dataDir)).toBe(false);
  }
});

test("T-11.04 every key is rotated through the CLI while requests are served, and none fails", async () => {
  const dataDir = fresh();
  const simulator = await startSimulator();
  simulator.account("sk-sim-rotated");
  const gateway = await startGateway({ dataDir });
  await gateway.addAccount("main", { baseUrl: simulator.url, credential: "sk-sim-rotated" });
  const { key } = await gateway.createKey("laptop");
  const statuses: number[] = [];
  let isRotating = true;
  const traffic = async () => {
    while (isRotating) {
      const answer = await fetch(`${gateway.url}/v1/messages`, {
        method: "POST",
        headers: { "x-api-key": key, "content-type": "application/json" },
        body: JSON.stringify({
          model: "claude-sonnet-5-5",
          max_tokens: 8,
          messages: [{ role: "user", content: "hi" }],
        }),
      });
      await answer.arrayBuffer();
      statuses.push(answer.status);
    }
  };
  const running = Promise.all([traffic(), traffic()]);
  for (const purpose of [[], ["accounts"], ["apikey-pepper"]]) {
    expect(await gateway.cli(["keys", "rotate-data-key", ...purpose])).toMatchObject({ code: 0 });
  }
  const newKeyFile = fresh(randomBytes(32));
  const rotated = await gateway.cli(["keys", "rotate-master-key", "--new-key-file", newKeyFile]);
  expect(rotated).toMatchObject({ code: 0, stderr: "" });
  expect(await gateway.cli(["keys", "verify"])).toMatchObject({ code: 0, stderr: "" });
  isRotating = false;
  await running;
  expect(statuses.length).toBeGreaterThan(5);
  expect(new Set(statuses)).toEqual(new Set([200]));
  expect(await gateway.cli(["keys", "rotate-data-key", "other"])).toMatchObject({ code: 1 });
  await gateway.stop();

  expect(readFileSync(join(dataDir, "master.key"))).toEqual(readFileSync(newKeyFile));
  const again = await startGateway({ dataDir });
  expect((await again.cli(["account", "test", "main"])).code).toBe(0);
  const accounts = (await again.cli(["keys", "status"])).stdout
    .split("\n")
    .filter((line) => line.startsWith("accounts"));
  expect(accounts).toHaveLength(1);
  await again.stop();
  await simulator.stop();
});

test("after a rotation a key that the operator gives is wanted anew", async () => {
  const dataDir = fresh();
  const old = randomBytes(32).toString("base64");
  const newer = randomBytes(32).toString("base64");
  const gateway = await startGateway({ dataDir, env: { BETTER_CCFLARE_ENCRYPTION_KEY: old } });
  const newKeyFile = fresh(newer);
  const rotated = await gateway.cli(["keys", "rotate-master-key", "--new-key-file", newKeyFile]);
  expect(rotated.stderr).toContain("Before the next start: give the next start the new key");
  await gateway.stop();
  expect((await refusedStart({ dataDir, env: { BETTER_CCFLARE_ENCRYPTION_KEY: old } })).code).toBe(78);
  const again = await startGateway({ dataDir, env: { BETTER_CCFLARE_ENCRYPTION_KEY_FILE: newKeyFile } });
  expect((await again.cli(["keys", "verify"])).code).toBe(0);
  await again.stop();
});

test("T-10.21 under a umask of 000 nobody else can use a file, whatever the gateway makes", async () => {
  const dataDir = fresh();
  const before = process.umask(0);
  const simulator = await startSimulator();
  simulator.account("sk-sim-umask");
  const gateway = await startGateway({ dataDir, env: { BETTER_CCFLARE_PASSPHRASE_FILE: fresh("long enough words") } });
  await gateway.addAccount("main", { baseUrl: simulator.url, credential: "sk-sim-umask" });
  expect((await gateway.cli(["keys", "rotate-master-key", "--to", "file"])).code).toBe(0);
  await gateway.stop();
  process.umask(before);
  const paths = [
    dataDir,
    ...readdirSync(dataDir, { recursive: true, encoding: "utf8" }).map((name) => join(dataDir, name)),
  ];
  const open = paths.filter((path) => (lstatSync(path).mode & 0o077) !== 0);
  expect(paths.map((path) => path.slice(dataDir.length))).toEqual(
    expect.arrayContaining(["/gateway.db", "/master.key", "/master.kdf"]),
  );
  expect(open).toEqual([]);
  await simulator.stop();
});

test("T-10.20 SIGUSR1 opens no inspector and stops nothing", async () => {
  const gateway = await startGateway();
  for (let round = 0; round < 3; round += 1) gateway.signal("SIGUSR1");
  await Bun.sleep(300);
  const isListening = await new Promise<boolean>((resolve) => {
    const socket = connect(9229, "127.0.0.1", () => resolve(true));
    socket.on("error", () => resolve(false));
  });
  const listeners = readFileSync(`/proc/${gateway.pid}/net/tcp`, "latin1");
  expect(isListening).toBe(false);
  expect(listeners).not.toContain(":240D 00000000:0000 0A");
  expect(gateway.output()).not.toContain("ebugger");
  expect((await fetch(`${gateway.url}/readyz`)).status).not.toBe(500);
  expect(await gateway.stop()).toBe(0);
});
