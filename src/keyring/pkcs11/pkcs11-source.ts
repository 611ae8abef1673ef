import { MasterKeyRefused, MasterKeyUnreachable } from "../keyring-error.ts";
import type { MasterKey } from "../master-key.ts";
import type { MasterKeySource } from "../master-key-source.ts";
import { createTokenProcess, type TokenCommand, type TokenProcess } from "./token-process.ts";
import type { TokenPlace } from "./token-protocol.ts";

/**
 * An AES-256 key that never leaves a PKCS#11 token. Several keys may have the label: what a rotation left is kept, and
 * the one that wraps the data keys is told by its id.
 * @param place Null: no token is configured.
 */
export function pkcs11Source(place: TokenPlace | null, command: TokenCommand): MasterKeySource {
  const process = place === null ? null : createTokenProcess(place, { command });
  const configured = (): TokenProcess => {
    if (process !== null) return process;
    const fact = "vault.pkcs11Module, vault.pkcs11Token and vault.pkcs11PinFile must be set in the config file";
    throw new MasterKeyRefused("not_configured", "a PKCS#11 token", fact);
  };
  return {
    kind: "pkcs11",
    load: (expectedKekId) => keyOf(configured(), { kind: "find", keyId: expectedKekId }),
    prepare: () => keyOf(configured(), { kind: "generate" }),
    settle: () => undefined,
    nextStep: (from) =>
      from === "pkcs11"
        ? null
        : "let the next start ask the token: set BETTER_CCFLARE_MASTER_KEY_SOURCE=pkcs11, and no other source of the master key",
  };
}

async function keyOf(
  process: TokenProcess,
  order: { readonly kind: "find"; readonly keyId: string | null } | { readonly kind: "generate" },
): Promise<MasterKey> {
  const id = await ask(process, order);
  if (id === null) throw new Error("Cannot use the token: it named no key");
  let isErased = false;
  const alive = (): void => {
    if (isErased) throw new Error("Cannot use the master key: it was erased");
  };
  return {
    id,
    async wrap(aad, plain) {
      alive();
      const order = { kind: "encrypt", keyId: id, aad: base64(aad), plain: base64(plain) } as const;
      const sealed = await process.ask(order);
      if (sealed === null) throw new Error("Cannot use the token: it sealed nothing");
      return Buffer.from(sealed, "base64");
    },
    async unwrap(aad, wrapped) {
      alive();
      const opened = await process.ask({ kind: "decrypt", keyId: id, aad: base64(aad), sealed: base64(wrapped) });
      return opened === null ? null : Buffer.from(opened, "base64");
    },
    async isReachable() {
      try {
        return (await process.ask({ kind: "find", keyId: id })) === id;
      } catch (cause) {
        if (cause instanceof MasterKeyRefused || cause instanceof MasterKeyUnreachable) return false;
        throw cause;
      }
    },
    erase() {
      isErased = true;
    },
  };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

/** What is gone at the start is for the operator to bring back. */
async function ask(process: TokenProcess, order: Parameters<TokenProcess["ask"]>[0]): ReturnType<TokenProcess["ask"]> {
  try {
    return await process.ask(order);
  } catch (cause) {
    if (!(cause instanceof MasterKeyUnreachable)) throw cause;
    throw new MasterKeyRefused("not_answering", "the PKCS#11 token", cause.fact);
  }
}
