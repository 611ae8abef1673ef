import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startGateway } from "./gateway-process.ts";
import { HAS_KEYCHAIN, NO_KEYCHAIN, openKeychainWorld } from "./keychain-world.ts";
import { refusedStart } from "./refused-start.ts";

setDefaultTimeout(60_000);

const root = mkdtempSync(join(tmpdir(), "bccf-keychain-data-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const SOURCE = { BETTER_CCFLARE_MASTER_KEY_SOURCE: "keychain" };
const title = HAS_KEYCHAIN ? "a master key in the keychain" : `a master key in the keychain (${NO_KEYCHAIN})`;

describe.skipIf(!HAS_KEYCHAIN)(title, () => {
  test("T-30.11 T-10.18 is there at the next start; a locked or exchanged keychain is an error, and nothing else is tried", async () => {
    const keychain = await openKeychainWorld();
    const dataDir = join(root, "locked");
    const env = { ...keychain.env, HOME: keychain.env["HOME"] ?? "", ...SOURCE };
    const first = await startGateway({ dataDir, env });
    expect((await first.cli(["keys", "status"])).stdout).toContain("(keychain)");
    expect((await first.cli(["keys", "rotate-master-key"])).stdout).toContain("(keychain; it was ");
    await first.stop();
    const again = await startGateway({ dataDir, env });
    expect((await again.cli(["keys", "verify"])).code).toBe(0);
    await again.stop();

    await keychain.lock();
    const locked = await refusedStart({ dataDir, env });
    expect(locked.code).toBe(78);
    expect(locked.output).toContain("it is locked: unlock it and start again; no other source is tried");
    expect(existsSync(join(dataDir, "master.key"))).toBe(false);
    keychain.close();

    const other = await openKeychainWorld();
    const absent = await refusedStart({ dataDir, env: { ...other.env, ...SOURCE } });
    expect(absent.code).toBe(78);
    expect(absent.output).toContain("there is no such entry");
    other.close();
  });
});

test.skipIf(Bun.which("secret-tool") === null)(
  "T-30.12 T-10.18 without a session bus the start is refused, and no file is made instead",
  async () => {
    const dataDir = join(root, "no-bus");
    const refused = await refusedStart({ dataDir, env: SOURCE });
    expect(refused.code).toBe(78);
    expect(refused.output).toContain("no other source is tried");
    expect(readdirSync(dataDir).filter((name) => name.startsWith("master"))).toEqual([]);
  },
);

test("T-10.18 without the command the start is refused", async () => {
  const refused = await refusedStart({ dataDir: join(root, "no-command"), env: { ...SOURCE, PATH: "/nowhere" } });
  expect(refused.code).toBe(78);
  expect(refused.output).toMatch(/the command (secret-tool|security) is not installed/);
});

test("T-10.12 a command that the gateway runs sees neither its secrets nor its settings", async () => {
  // A stand-in for secret-tool of the operating system: it writes down its environment and what it was asked.
  const bin = mkdtempSync(join(root, "bin-"));
  const seen = join(bin, "seen");
  await Bun.write(join(bin, "secret-tool"), `#!/bin/sh\nenv >> ${seen}\necho "$@" >> ${seen}\nexit 1\n`);
  Bun.spawnSync(["chmod", "755", join(bin, "secret-tool")]);
  const env = { ...SOURCE, PATH: `${bin}:/usr/bin:/bin`, ANTHROPIC_API_KEY: "sk-ant-api03-CANARY-environment" };
  expect((await refusedStart({ dataDir: join(root, "seen"), env })).code).toBe(78);
  const text = readFileSync(seen, "utf8");
  expect(text).toContain("store --label=better-ccflare master key");
  expect(text).not.toContain("CANARY");
  expect(text).not.toContain("BETTER_CCFLARE");
});
