import type { Vault } from "../control/ports.ts";
import type { AccountId } from "../domain/account/account.ts";
import { assertNever, err } from "../kernel/result.ts";
import type { EnvelopeAddress } from "./envelope.ts";
import type { Keyring, OpenProblem } from "./keyring.ts";

export function createAccountVault(keyring: Keyring): Vault {
  return {
    sealCredential: (accountId, generation, credential) =>
      keyring.seal("accounts", addressOf(accountId, generation), credential),

    openCredential(accountId, generation, envelope) {
      const opened = keyring.open("accounts", addressOf(accountId, generation), envelope);
      return opened.ok ? opened : err(inWords(opened.error));
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
