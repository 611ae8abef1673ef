import { expect, test } from "bun:test";
import type { DataKeyStore, WrappedDataKey } from "../control/vault-ports.ts";
import { epochMs } from "../kernel/time.ts";
import { type Keyring, openKeyring } from "./keyring.ts";
import { masterKeyFromBytes } from "./master-key.ts";

/** A keyring over memory, with a master key of its own. */
export function freshKeyring(): Promise<Keyring> {
  const rows: WrappedDataKey[] = [];
  const store: DataKeyStore = {
    list: async () => rows,
    insert: async (keys) => {
      rows.push(...keys);
    },
    reserve: async () => undefined,
  };
  const masterKey = masterKeyFromBytes(Buffer.from(crypto.getRandomValues(new Uint8Array(32))));
  return openKeyring({ masterKey, store, now: () => epochMs(0) });
}

test("two of them have nothing in common", async () => {
  const [one, other] = [await freshKeyring(), await freshKeyring()];
  expect(one.macs("session-mac")[0].digest("x")).not.toEqual(other.macs("session-mac")[0].digest("x"));
});
