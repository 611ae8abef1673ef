import { join } from "node:path";
import type { Config, Secrets } from "../../src/config/config.ts";
import { OPEN_GRANT } from "../../src/domain/access/key-grant.ts";
import { NO_LIMITS } from "../../src/domain/access/key-limits.ts";
import { type AccountId, accountId } from "../../src/domain/account/account.ts";
import { Secret } from "../../src/kernel/secret.ts";
import { type EpochMs, epochMs } from "../../src/kernel/time.ts";
import { createAccountVault } from "../../src/keyring/account-vault.ts";
import { createClientKeyMint } from "../../src/keyring/client-key-mint.ts";
import { createClientKeySeals } from "../../src/keyring/client-key-seal.ts";
import { createClientKeyVerifier } from "../../src/keyring/client-key-verifier.ts";
import { createVault, type VaultNeeds } from "../../src/keyring/vault.ts";
import { openKeyringFor } from "../../src/open-keyring.ts";
import { openStorage } from "../../src/storage/storage.ts";

/** A file of its own in the data directory, as when nothing is configured. */
const OWN_FILE: KeyConfiguration = {
  vault: {
    masterKeySource: "file",
    pkcs11Module: "none",
    pkcs11Token: "none",
    pkcs11PinFile: "none",
    pkcs11Key: "better-ccflare",
  },
  secrets: { encryptionKey: null, passphrase: null, auditWebhook: null },
};
export const now = (): EpochMs => epochMs(Date.now());

/** Where the master key comes from, as the configuration says it. */
export type KeyConfiguration = { readonly vault: Config["vault"]; readonly secrets: Secrets };

/** Storage, keyring and vault of one data directory, as the gateway wires them. */
export async function openVaultWorld(
  dataDir: string,
  change: (needs: VaultNeeds) => VaultNeeds = (needs) => needs,
  configuration = OWN_FILE,
) {
  const storage = await openStorage({ dataDir });
  const failures: unknown[] = [];
  const opened = await openKeyringFor(storage, { dataDir, ...configuration }).catch(async (cause: unknown) => {
    await storage.close();
    throw cause;
  });
  const { keyring, sources } = opened;
  const audit = storage.auditedChanges({ now, clean: (text) => text });
  const vault = createVault(
    change({
      keyring,
      sources,
      dataKeys: storage.dataKeys,
      stored: storage.vault,
      audit,
      now,
      onFailure: (cause) => failures.push(cause),
      graceMs: 0,
    }),
  );
  return {
    storage,
    keyring,
    vault,
    failures,
    newKeyFile: join(dataDir, "new.key"),
    async close() {
      await vault.stop();
      await storage.close();
      keyring.close();
    },
  };
}

export type VaultWorld = Awaited<ReturnType<typeof openVaultWorld>>;

export const credentialOf = (at: number): string => `sk-ant-api03-CANARY-${at}-0123456789`;

export async function addAccounts({ storage, keyring }: VaultWorld, count: number): Promise<void> {
  for (let at = 0; at < count; at += 1) {
    const id = idOf(at);
    const credential = createAccountVault(keyring).sealCredential(id, 1, new Secret("credential", credentialOf(at)));
    const inserted = await storage.accounts.insert({
      id,
      name: `account-${at}`,
      provider: "anthropic",
      baseUrl: "https://api.anthropic.com",
      credentialKind: "api_key",
      priority: 100,
      weight: 1,
      declaredOrganization: null,
      learnedOrganization: null,
      workspace: null,
      isPaused: false,
      createdAtMs: now(),
      models: [],
      credential,
      generation: 1,
    });
    if (!inserted.ok) throw new Error(inserted.error);
  }
}

export async function addClientKey({ storage, keyring }: VaultWorld, name: string): Promise<string> {
  const mint = createClientKeyMint(keyring);
  const minted = mint.create();
  const { id, hmac, pepperVersion } = minted;
  const instants = { createdAtMs: now(), revokedAtMs: null, expiresAtMs: null, lastUsedAtMs: null };
  const access = { grant: OPEN_GRANT, limits: NO_LIMITS, meterId: id };
  const record = { ...instants, id, name, hmac, pepperVersion, access, ownerId: null, rotatedTo: null, seal: null };
  const inserted = await storage.clientKeys.insert({ ...record, seal: createClientKeySeals(keyring).seal(record) });
  if (!inserted.ok) throw new Error(inserted.error);
  return mint.disclose(minted);
}

/** The credentials that open, in the order of the accounts. */
export async function openCredentials({ storage, keyring }: VaultWorld): Promise<readonly string[]> {
  const opened = (await storage.accounts.list()).map(({ id, generation, credential }) => {
    const secret = createAccountVault(keyring).openCredential(id, generation, credential);
    return secret.ok ? secret.value.reveal() : `(${secret.error})`;
  });
  return opened.sort();
}

export async function acceptedNames({ storage, keyring }: VaultWorld, keys: readonly string[]) {
  const verifier = createClientKeyVerifier(keyring, now);
  verifier.replaceAll(await storage.clientKeys.list());
  return keys.map((key) => verifier.verify(key)?.keyName ?? null);
}

export async function settled({ vault }: VaultWorld): Promise<void> {
  while ((await vault.status()).isReencrypting) await Bun.sleep(5);
}

function idOf(at: number): AccountId {
  return accountId(`00000000-0000-7000-8000-${String(at).padStart(12, "0")}`);
}
