import { epochMs } from "../src/kernel/time.ts";
import { type Keyring, openKeyring } from "../src/keyring/keyring.ts";
import { masterKeyFromBytes } from "../src/keyring/master-key.ts";

/** A keyring that nothing stores. */
export function memoryKeyring(): Promise<Keyring> {
  const masterKey = masterKeyFromBytes(Buffer.from(crypto.getRandomValues(new Uint8Array(32))));
  return openKeyring({
    masterKey,
    store: { list: async () => [], insert: async () => undefined, reserve: async () => undefined },
    now: () => epochMs(0),
  });
}
