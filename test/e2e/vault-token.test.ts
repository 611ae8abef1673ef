import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Simulator, startSimulator } from "../../sim/simulator.ts";
import { type GatewayProcess, startGateway } from "./gateway-process.ts";
import { messageStatus } from "./message-status.ts";
import { refusedStart } from "./refused-start.ts";
import { NO_SOFTHSM, openTokenWorld, SOFTHSM_MODULE, type TokenWorld } from "./token-world.ts";

setDefaultTimeout(60_000);

const CREDENTIAL = "sk-sim-token";
const title = SOFTHSM_MODULE === null ? `a master key in a token (${NO_SOFTHSM})` : "a master key in a token";

describe.skipIf(SOFTHSM_MODULE === null)(title, () => {
  let tokens: TokenWorld;
  let simulator: Simulator;
  const root = mkdtempSync(join(tmpdir(), "bccf-token-"));

  beforeAll(async () => {
    tokens = openTokenWorld();
    simulator = await startSimulator();
    simulator.account(CREDENTIAL);
  });

  afterAll(async () => {
    await simulator.stop();
    tokens.close();
    rmSync(root, { recursive: true, force: true });
  });

  type Place = { readonly dataDir: string; readonly pinFile: string; readonly env: Readonly<Record<string, string>> };

  /** A data directory whose configuration names a token of its own. */
  function place(name: string, change: Readonly<Record<string, string>> = {}): Place {
    const dataDir = mkdtempSync(join(root, `${name}-`));
    const pinFile = tokens.make(name);
    const settings = {
      masterKeySource: "pkcs11",
      pkcs11Module: tokens.module,
      pkcs11Token: name,
      pkcs11PinFile: pinFile,
      ...change,
    };
    const lines = Object.entries(settings).map(([key, value]) => `${key} = ${JSON.stringify(value)}`);
    const config = join(root, `${name}.toml`);
    writeFileSync(config, `[vault]\n${lines.join("\n")}\n`, { mode: 0o600 });
    return { dataDir, pinFile, env: { ...tokens.env, BETTER_CCFLARE_CONFIG_PATH: config } };
  }

  async function served(gateway: GatewayProcess): Promise<string> {
    await gateway.addAccount("main", { baseUrl: simulator.url, credential: CREDENTIAL });
    const { key } = await gateway.createKey("laptop");
    expect(await messageStatus(gateway, key)).toBe(200);
    return key;
  }

  test("T-30.07 wraps the data keys, which open again at the next start; nothing of it is on the disk", async () => {
    const { dataDir, env } = place("wrap");
    const first = await startGateway({ dataDir, env });
    const key = await served(first);
    expect((await first.cli(["keys", "rotate-data-key"])).code).toBe(0);
    expect((await first.cli(["keys", "rotate-master-key"])).stdout).toContain("(pkcs11; it was ");
    await first.stop();
    expect(readdirSync(dataDir)).not.toContain("master.key");
    expect(readdirSync(dataDir)).not.toContain("pkcs11.tried");

    const again = await startGateway({ dataDir, env });
    expect(await messageStatus(again, key)).toBe(200);
    expect((await again.cli(["keys", "status"])).stdout).toMatch(/^Master key [0-9a-f]{16} \(pkcs11\)\n/);
    expect((await again.cli(["keys", "verify"])).code).toBe(0);
    await again.stop();
  });

  test("T-30.08 a PIN that the token refused is tried once, whatever restarts the gateway", async () => {
    const { dataDir, pinFile, env } = place("pin");
    writeFileSync(pinFile, "CANARY-not-the-pin\n");
    const first = await refusedStart({ dataDir, env });
    expect(first.code).toBe(78);
    expect(first.output).toContain('the token "pin" refused the PIN');
    const state = tokenState();
    for (let restart = 0; restart < 3; restart += 1) {
      const again = await refusedStart({ dataDir, env });
      expect(again.code).toBe(78);
      expect(again.output).toContain("was tried before without success");
      expect(again.output).not.toContain("CANARY");
    }
    // SoftHSM writes down every wrong PIN: nobody gave it one.
    expect(tokenState()).toEqual(state);
    writeFileSync(pinFile, tokens.pin);
    const right = await startGateway({ dataDir, env });
    await right.stop();
    // The right PIN, but others can read it.
    chmodSync(pinFile, 0o640);
    expect((await refusedStart({ dataDir, env })).output).toContain("chmod 600");
  });

  test("T-30.09 a token that is taken out stops no request, and comes back", async () => {
    const { dataDir, env } = place("gone");
    const gateway = await startGateway({ dataDir, env });
    const key = await served(gateway);
    tokens.unplug();
    // The session that a command opened ends after two idle seconds.
    await Bun.sleep(2_500);
    expect(await messageStatus(gateway, key)).toBe(200);
    const { key: made } = await gateway.createKey("made-without-token");
    expect(await messageStatus(gateway, made)).toBe(200);
    await gateway.addAccount("second", { baseUrl: simulator.url, credential: CREDENTIAL });
    expect((await gateway.cli(["keys", "status"])).stdout).toContain("Degraded: the master key does not answer");
    expect((await gateway.cli(["doctor"])).stdout).toContain("pkcs11 does not answer");
    const refused = await gateway.cli(["keys", "rotate-data-key"]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('holds the token "gone"');
    expect((await gateway.cli(["keys", "rotate-master-key"])).stderr).toContain('holds the token "gone"');
    const verified = await gateway.cli(["keys", "verify"]);
    expect([verified.code, verified.stdout.includes("not looked at: no slot")]).toEqual([1, true]);

    tokens.plug();
    expect((await gateway.cli(["keys", "status"])).stdout).not.toContain("Degraded");
    expect((await gateway.cli(["keys", "rotate-data-key"])).code).toBe(0);
    await gateway.stop();
    tokens.unplug();
    const absent = await refusedStart({ dataDir, env });
    expect(absent.code).toBe(78);
    expect(absent.output).toContain('holds the token "gone"');
    expect(existsSync(join(dataDir, "master.key"))).toBe(false);
    tokens.plug();
  });

  test("T-30.10 a key that the token would give away is refused", async () => {
    const { dataDir, env } = place("given-away");
    const script = join(import.meta.dir, "extractable-key.ts");
    const command = [process.execPath, script, tokens.module, "given-away", tokens.pin, "better-ccflare"];
    const made = Bun.spawnSync(command, { env: { ...process.env, ...tokens.env } });
    expect(made.stderr.toString()).toBe("");
    const refused = await refusedStart({ dataDir, env });
    expect(refused.code).toBe(78);
    expect(refused.output).toContain("it must be sensitive and not extractable");
  });

  test.each([
    { name: "no library", module: "/nowhere/libnone.so", says: "cannot be loaded as a PKCS#11 library" },
    {
      name: "another library",
      module: "/lib/x86_64-linux-gnu/libc.so.6",
      says: "cannot be loaded as a PKCS#11 library",
    },
  ])("$name is refused in a sentence", async ({ module, says }) => {
    const { dataDir, env } = place(`module-${module.length}`, { pkcs11Module: module });
    const refused = await refusedStart({ dataDir, env });
    expect(refused.code).toBe(78);
    expect(refused.output).toContain(says);
    expect(refused.output).toContain(module);
  });

  function tokenState(): readonly string[] {
    const directory = join(tokens.env["SOFTHSM2_CONF"] ?? "", "..", "tokens");
    return readdirSync(directory, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".object"))
      .toSorted()
      .map(
        (name) =>
          `${name} ${createHash("sha256")
            .update(readFileSync(join(directory, name)))
            .digest("hex")}`,
      );
  }
});
