import { randomBytes } from "node:crypto";
import { KEY_BYTES } from "../aead.ts";
import { MasterKeyRefused } from "../keyring-error.ts";
import { type MasterKey, masterKeyFromBytes } from "../master-key.ts";
import { readMasterKeyFile } from "../master-key-file.ts";
import type { MasterKeySource } from "../master-key-source.ts";
import { keyBytesFromText, refuseWeakKey } from "../master-key-text.ts";
import { type Keychain, KeychainFailure } from "./keychain.ts";

/**
 * The master key, and nothing else, in the keychain of the operating system: one entry per key, under the key's id, so
 * that a rotation never overwrites the key before.
 * @param keychain Null: this system has none that is supported.
 */
export function keychainSource(keychain: Keychain | null): MasterKeySource {
  const supported = (): Keychain => {
    if (keychain !== null) return keychain;
    throw new MasterKeyRefused("not_configured", "the keychain", "Linux and macOS alone are supported");
  };
  return {
    kind: "keychain",
    async load(expectedKekId) {
      if (expectedKekId === null) return keep(supported(), randomBytes(KEY_BYTES));
      return read(supported(), expectedKekId);
    },
    prepare: async ({ file }) =>
      keep(supported(), file === null ? randomBytes(KEY_BYTES) : readMasterKeyFile(file, false)),
    settle: () => undefined,
    nextStep: (from) =>
      from === "keychain"
        ? null
        : "let the next start ask the keychain: set BETTER_CCFLARE_MASTER_KEY_SOURCE=keychain, and no other source of the master key",
  };
}

async function read(keychain: Keychain, id: string): Promise<MasterKey> {
  const name = `the entry ${id} of ${keychain.name}`;
  const text = await asked(keychain, () => keychain.read(id));
  if (text === null) {
    throw new MasterKeyRefused("absent", name, "there is no such entry; put back the key that sealed this data");
  }
  const bytes = keyBytesFromText(text);
  if (bytes === null) throw new MasterKeyRefused("length", name, "it is not the base64 text of 32 bytes; restore it");
  refuseWeakKey(bytes, name);
  return masterKeyFromBytes(bytes);
}

/** Read back before anything is sealed with it: a keychain may forget at the end of the session. */
async function keep(keychain: Keychain, bytes: Buffer): Promise<MasterKey> {
  const text = bytes.toString("base64");
  const masterKey = masterKeyFromBytes(bytes);
  await asked(keychain, () => keychain.write(masterKey.id, text));
  if ((await asked(keychain, () => keychain.read(masterKey.id))) === text) return masterKey;
  masterKey.erase();
  throw new MasterKeyRefused("not_created", keychain.name, "it does not give back what was stored");
}

async function asked<Value>({ name }: Keychain, work: () => Promise<Value>): Promise<Value> {
  try {
    return await work();
  } catch (cause) {
    if (!(cause instanceof KeychainFailure)) throw cause;
    throw new MasterKeyRefused("not_answering", name, `${cause.fact}; no other source is tried`);
  }
}
