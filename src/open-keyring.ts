import { join } from "node:path";
import type { Secrets } from "./config/config.ts";
import { type Keyring, openKeyring } from "./keyring/keyring.ts";
import { loadMasterKey, type MasterKey } from "./keyring/master-key.ts";
import { filePlace, givenPlace, loadFromPlace, type MasterKeyPlace } from "./keyring/master-key-place.ts";
import type { Storage } from "./storage/storage.ts";
import { systemClock } from "./system-clock.ts";

export type OpenedKeyring = { readonly keyring: Keyring; readonly place: MasterKeyPlace };

type Where = { readonly dataDir: string; readonly secrets: Secrets };

/**
 * The data keys, opened by the one master key that is configured. There is no way from one source to another.
 * @throws MasterKeyRefused, WrongMasterKey, DataKeyDamaged: nothing was written.
 */
export async function openKeyringFor(storage: Pick<Storage, "dataKeys">, where: Where): Promise<OpenedKeyring> {
  const store = storage.dataKeys;
  const expectedKekId = (await store.list())[0]?.kekId ?? null;
  const { masterKey, place } = masterKeyOf(where, expectedKekId);
  return { keyring: await openKeyring({ masterKey, store, now: systemClock.now }), place };
}

type Chosen = { readonly masterKey: MasterKey; readonly place: MasterKeyPlace };

function masterKeyOf({ dataDir, secrets }: Where, expectedKekId: string | null): Chosen {
  if (secrets.encryptionKey !== null) {
    return { masterKey: loadMasterKey({ kind: "value", value: secrets.encryptionKey }), place: givenPlace("value") };
  }
  if (secrets.passphrase !== null) {
    const { passphrase } = secrets;
    const path = join(dataDir, "master.kdf");
    const masterKey = loadMasterKey({ kind: "passphrase", passphrase, path, createIfAbsent: expectedKekId === null });
    return { masterKey, place: givenPlace("passphrase") };
  }
  const path = join(dataDir, "master.key");
  return { masterKey: loadFromPlace(path, expectedKekId), place: filePlace(path) };
}
