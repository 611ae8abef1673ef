import type { Vault } from "../control/ports.ts";
import type { AccountId } from "../domain/account/account.ts";
import { assertNever, err } from "../kernel/result.ts";
import type { Secret } from "../kernel/secret.ts";
import type { EnvelopeAddress } from "./envelope.ts";
import type { Keyring, OpenProblem } from "./keyring.ts";

/** `onSecret` is told of every credential that this process holds. */
export function createAccountVault(keyring: Keyring, onSecret: (secret: Secret) => void = () => undefined): Vault {
  return {
    sealCredential(accountId, generation, credential) {
      onSecret(credential);
      return keyring.seal("accounts", addressOf(accountId, generation), credential);
    },

    openCredential(accountId, generation, envelope) {
      const opened = keyring.open("accounts", addressOf(accountId, generation), envelope);
      if (!opened.ok) return err(inWords(opened.error));
      onSecret(opened.value);
      return opened;
    },
  };
}

function addressOf(accountId: AccountId, generation: number): EnvelopeAddress {
  return { table: "accounts", column: "credential", rowId: accountId, generation };
}

/** Why an envelope does not open, for the operator. */
export function inWords(problem: OpenProblem): string {
  switch (problem) {
    case "tampered":
      return "it was changed, moved from another account, or put back from an older version";
    case "unknown_key":
      return "it was sealed with a data key that this installation does not have";
    case "malformed":
      return "it is not a sealed credential";
    default:
      return assertNever(problem);
  }
}
