import { join } from "node:path";
import type { Config, Secrets } from "./config/config.ts";
import { environmentForChildren } from "./config/environment.ts";
import type { MasterKeyKind } from "./control/vault.ts";
import { fileSource } from "./keyring/file-source.ts";
import { passphraseSource, valueSource } from "./keyring/given-sources.ts";
import { keychainSource } from "./keyring/keychain/keychain-source.ts";
import { systemKeychain } from "./keyring/keychain/system-keychain.ts";
import { type Keyring, openKeyring } from "./keyring/keyring.ts";
import type { MasterKeySource, MasterKeySources } from "./keyring/master-key-source.ts";
import { pkcs11Source } from "./keyring/pkcs11/pkcs11-source.ts";
import type { Storage } from "./storage/storage.ts";
import { systemClock } from "./system-clock.ts";

export type OpenedKeyring = { readonly keyring: Keyring; readonly sources: MasterKeySources };

type Where = { readonly dataDir: string; readonly vault: Config["vault"]; readonly secrets: Secrets };

/**
 * The data keys, opened by the one master key that is configured. There is no way from one source to another.
 * @throws MasterKeyRefused, WrongMasterKey, DataKeyDamaged: nothing was written.
 */
export async function openKeyringFor(storage: Pick<Storage, "dataKeys">, where: Where): Promise<OpenedKeyring> {
  const store = storage.dataKeys;
  const expectedKekId = (await store.list())[0]?.kekId ?? null;
  const sources = sourcesOf(where);
  const masterKey = await sources.configured.load(expectedKekId);
  return { keyring: await openKeyring({ masterKey, store, now: systemClock.now }), sources };
}

function sourcesOf({ dataDir, vault, secrets }: Where): MasterKeySources {
  const byKind: Readonly<Record<MasterKeyKind, MasterKeySource>> = {
    file: fileSource(join(dataDir, "master.key")),
    value: valueSource(secrets.encryptionKey),
    passphrase: passphraseSource(dataDir, secrets.passphrase),
    keychain: keychainSource(systemKeychain(process.platform, environmentForChildren())),
    pkcs11: pkcs11Source(tokenPlaceOf(dataDir, vault), tokenCommand()),
  };
  if (secrets.encryptionKey !== null) return { configured: byKind.value, byKind };
  if (secrets.passphrase !== null) return { configured: byKind.passphrase, byKind };
  return { configured: byKind[vault.masterKeySource], byKind };
}

/** Our own program: the executable, or Bun with the file beside this one. */
function tokenCommand(): Parameters<typeof pkcs11Source>[1] {
  const isCompiled = import.meta.url.includes("$bunfs");
  const program = isCompiled ? [] : [join(import.meta.dir, "main.ts")];
  return { argv: [process.execPath, ...program, "pkcs11-token"], env: environmentForChildren() };
}

function tokenPlaceOf(dataDir: string, vault: Config["vault"]): Parameters<typeof pkcs11Source>[0] {
  const { pkcs11Module, pkcs11Token, pkcs11PinFile, pkcs11Key } = vault;
  if ([pkcs11Module, pkcs11Token, pkcs11PinFile].includes("none")) return null;
  return {
    modulePath: pkcs11Module,
    tokenLabel: pkcs11Token,
    keyLabel: pkcs11Key,
    pinFile: pkcs11PinFile,
    triedPinFile: join(dataDir, "pkcs11.tried"),
  };
}
