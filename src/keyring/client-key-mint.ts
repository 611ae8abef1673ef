import { randomBytes } from "node:crypto";
import type { KeyMint } from "../control/ports.ts";
import { CLIENT_KEY_RANDOM_BYTES, composeClientKey, parseClientKey } from "../domain/access/client-key.ts";
import { Secret } from "../kernel/secret.ts";
import type { Keyring } from "./keyring.ts";

/** Makes data-plane client keys (`bccf_sk_...`). Only their HMAC is kept. */
export function createClientKeyMint(keyring: Keyring): KeyMint {
  return {
    create() {
      const [mac] = keyring.macs("apikey-pepper");
      const random = randomBytes(CLIENT_KEY_RANDOM_BYTES);
      const text = composeClientKey("sk", random);
      random.fill(0);
      const parsed = parseClientKey(text);
      if (!parsed.ok) throw new Error(`Cannot mint a client key: the composed key has a bad ${parsed.error}`);
      const key = new Secret("client key", text);
      return { id: parsed.value.keyId, key, hmac: mac.digest(text), pepperVersion: mac.version };
    },
    disclose: (minted) => minted.key.reveal(),
  };
}
