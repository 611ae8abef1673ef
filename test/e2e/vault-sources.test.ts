import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MasterKeyKind } from "../../src/control/vault.ts";
import { Secret } from "../../src/kernel/secret.ts";
import { MasterKeyRefused, WrongMasterKey } from "../../src/keyring/keyring-error.ts";
import { HAS_KEYCHAIN, type KeychainWorld, NO_KEYCHAIN, openKeychainWorld } from "./keychain-world.ts";
import { NO_SOFTHSM, openTokenWorld, SOFTHSM_MODULE, type TokenWorld } from "./token-world.ts";
import { addAccounts, credentialOf, type KeyConfiguration, openCredentials, openVaultWorld } from "./vault-world.ts";

// One contract for every source of the master key, over the real database, a real token and a real keychain.

setDefaultTimeout(60_000);

const root = mkdtempSync(join(tmpdir(), "bccf-sources-"));
let paths = 0;
let tokens: TokenWorld | null = null;
let keychain: KeychainWorld | null = null;
const environment = { ...process.env };

beforeAll(async () => {
  if (SOFTHSM_MODULE !== null) tokens = openTokenWorld();
  if (HAS_KEYCHAIN) keychain = await openKeychainWorld();
  Object.assign(process.env, tokens?.env, keychain?.env);
});

afterAll(() => {
  for (const name of Object.keys({ ...tokens?.env, ...keychain?.env })) {
    const before = environment[name];
    if (before === undefined) delete process.env[name];
    else process.env[name] = before;
  }
  keychain?.close();
  tokens?.close();
  rmSync(root, { recursive: true, force: true });
});

function freshPath(content?: string): string {
  paths += 1;
  const path = join(root, String(paths));
  if (content !== undefined) writeFileSync(path, content, { mode: 0o600 });
  return path;
}

const NO_VAULT: KeyConfiguration["vault"] = {
  masterKeySource: "file",
  pkcs11Module: "none",
  pkcs11Token: "none",
  pkcs11PinFile: "none",
  pkcs11Key: "better-ccflare",
};
const NO_SECRETS: KeyConfiguration["secrets"] = { encryptionKey: null, passphrase: null, auditWebhook: null };

type Kind = {
  readonly kind: MasterKeyKind;
  /** Why it cannot be run on this machine; null when it can. */
  readonly missing: string | null;
  /** A configuration with a key of its own each time it is called. */
  fresh(): KeyConfiguration;
  /** What a start is given after a rotation that took its key from `file`. */
  after(file: string, before: KeyConfiguration): KeyConfiguration;
  /** The content of `--new-key-file`; null when the source draws the key itself. */
  nextFile(): string | null;
};

const key = () => randomBytes(32).toString("base64");
const withValue = (text: string): KeyConfiguration => ({
  vault: NO_VAULT,
  secrets: { ...NO_SECRETS, encryptionKey: new Secret("encryption key", text) },
});
const withWords = (text: string): KeyConfiguration => ({
  vault: NO_VAULT,
  secrets: { ...NO_SECRETS, passphrase: new Secret("passphrase", text) },
});
let tokenCount = 0;
function withToken(): KeyConfiguration {
  tokenCount += 1;
  const pkcs11Token = `token-${tokenCount}`;
  const pkcs11PinFile = tokens?.make(pkcs11Token) ?? "none";
  const pkcs11Module = tokens?.module ?? "none";
  return {
    vault: { ...NO_VAULT, masterKeySource: "pkcs11", pkcs11Module, pkcs11Token, pkcs11PinFile },
    secrets: NO_SECRETS,
  };
}

const KINDS: readonly Kind[] = [
  {
    kind: "file",
    missing: null,
    fresh: () => ({ vault: NO_VAULT, secrets: NO_SECRETS }),
    after: () => ({ vault: NO_VAULT, secrets: NO_SECRETS }),
    nextFile: () => null,
  },
  {
    kind: "value",
    missing: null,
    fresh: () => withValue(key()),
    after: (file) => withValue(readFileSync(file, "utf8")),
    nextFile: key,
  },
  {
    kind: "passphrase",
    missing: null,
    fresh: () => withWords(`CANARY words ${key()}`),
    after: (file) => withWords(readFileSync(file, "utf8")),
    nextFile: () => `CANARY words ${key()}`,
  },
  {
    kind: "keychain",
    missing: HAS_KEYCHAIN ? null : NO_KEYCHAIN,
    fresh: () => ({ vault: { ...NO_VAULT, masterKeySource: "keychain" }, secrets: NO_SECRETS }),
    after: () => ({ vault: { ...NO_VAULT, masterKeySource: "keychain" }, secrets: NO_SECRETS }),
    nextFile: () => null,
  },
  {
    kind: "pkcs11",
    missing: SOFTHSM_MODULE === null ? NO_SOFTHSM : null,
    fresh: withToken,
    after: (_file, before) => ({ vault: { ...before.vault, masterKeySource: "pkcs11" }, secrets: NO_SECRETS }),
    nextFile: () => null,
  },
];

const open = (dataDir: string, configuration: KeyConfiguration) =>
  openVaultWorld(dataDir, (needs) => needs, configuration);

/** A data directory with two accounts, sealed under the key of `configuration`. */
async function sealed(configuration: KeyConfiguration): Promise<string> {
  const dataDir = freshPath();
  const world = await open(dataDir, configuration);
  await addAccounts(world, 2);
  await world.close();
  return dataDir;
}

async function credentialsOf(dataDir: string, configuration: KeyConfiguration): Promise<readonly string[]> {
  const world = await open(dataDir, configuration);
  const opened = await openCredentials(world);
  await world.close();
  return opened;
}

async function refusalOf(dataDir: string, configuration: KeyConfiguration): Promise<Error> {
  const cause: unknown = await open(dataDir, configuration).then(
    async (world) => world.close(),
    (refused: unknown) => refused,
  );
  if (cause instanceof MasterKeyRefused || cause instanceof WrongMasterKey) return cause;
  throw new Error("Cannot see a refusal", { cause });
}

function fingerprint(directory: string): string[] {
  return readdirSync(directory)
    .toSorted()
    .map(
      (name) =>
        `${name} ${createHash("sha256")
          .update(readFileSync(join(directory, name)))
          .digest("hex")}`,
    );
}

const BOTH = [credentialOf(0), credentialOf(1)];

for (const source of KINDS) {
  const title = source.missing === null ? source.kind : `${source.kind} (${source.missing})`;
  describe.skipIf(source.missing !== null)(`the master key from a ${title}`, () => {
    test("is the same at each start, and opens what it sealed", async () => {
      const configuration = source.fresh();
      const dataDir = await sealed(configuration);
      expect(await credentialsOf(dataDir, configuration)).toEqual(BOTH);
      const world = await open(dataDir, configuration);
      expect(await world.vault.status()).toMatchObject({ masterKeyKind: source.kind, isMasterKeyReachable: true });
      expect(await world.vault.verify()).toMatchObject({ sealedCount: 2, problemCount: 0 });
      await world.close();
      expect(existsSync(join(dataDir, "master.key"))).toBe(source.kind === "file");
    });

    test("T-10.11 T-10.18 is refused when it is another key or not there: nothing is written, no other source is asked", async () => {
      for (const other of KINDS.filter(({ missing }) => missing === null)) {
        const given = source.fresh();
        const dataDir = await sealed(other.fresh());
        // The own file cannot be exchanged by a configuration: another key lies there.
        if (other.kind === "file") writeFileSync(join(dataDir, "master.key"), randomBytes(32), { mode: 0o600 });
        if (other.kind === "keychain" && source.kind === "keychain") continue;
        const before = fingerprint(dataDir);
        const refused = await refusalOf(dataDir, given);
        expect(refused.message).toMatch(/^Cannot (use .* as the master key: |open the data keys: wrong master key)/);
        expect(refused.message).not.toContain("CANARY");
        expect(fingerprint(dataDir)).toEqual([...before]);
      }
    });

    test("T-11.01 can be rotated to from every other source, and the old key no longer starts", async () => {
      for (const from of KINDS.filter(({ missing }) => missing === null)) {
        const token = source.kind === "pkcs11" && from.kind !== "pkcs11" ? withToken().vault : null;
        const fresh = from.fresh();
        const before =
          token === null ? fresh : { ...fresh, vault: { ...token, masterKeySource: fresh.vault.masterKeySource } };
        const dataDir = await sealed(before);
        const content = source.nextFile();
        const file = content === null ? null : freshPath(content);
        const world = await open(dataDir, before);
        const old = (await world.vault.status()).masterKeyId;
        const rotated = await world.vault.rotateMasterKey({ to: source.kind, file });
        if (!rotated.ok) throw new Error(rotated.error.message);
        expect(rotated.value).toMatchObject({ masterKeyKind: source.kind, previousMasterKeyId: old });
        const isGiven = source.kind === "value" || source.kind === "passphrase";
        expect(rotated.value.nextStep === null).toBe(source.kind === from.kind && !isGiven);
        expect(await world.vault.status()).toMatchObject({ masterKeyKind: source.kind });
        // A data key made afterwards is wrapped by the new one.
        expect((await world.vault.rotateDataKeys(["accounts"])).ok).toBe(true);
        await world.close();

        const after = source.after(file ?? "", before);
        expect(await credentialsOf(dataDir, after)).toEqual(BOTH);
        if (source.kind !== from.kind || isGiven) expect((await refusalOf(dataDir, before)).name).toMatch(/MasterKey/);
      }
    });

    test("is in no message, no rendering of itself and no file of the data directory but its own", async () => {
      const configuration = source.fresh();
      const dataDir = await sealed(configuration);
      const world = await open(dataDir, configuration);
      const shown = JSON.stringify([await world.vault.status(), Bun.inspect(world.keyring)]);
      await world.close();
      const { encryptionKey, passphrase } = configuration.secrets;
      const secrets = [encryptionKey?.reveal(), passphrase?.reveal(), tokens?.pin].filter((each) => each !== undefined);
      const files = readdirSync(dataDir).map((name) => readFileSync(join(dataDir, name), "latin1"));
      for (const secret of secrets) {
        for (const text of [shown, ...files]) expect(text).not.toContain(secret);
      }
    });
  });
}
