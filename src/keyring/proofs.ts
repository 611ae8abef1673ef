import type { Proofs } from "../control/proof-ports.ts";
import type { Keyring } from "./keyring.ts";
import { createPasswords } from "./passwords.ts";
import { createRecoveryCodes } from "./recovery-codes.ts";
import { createTokens } from "./tokens.ts";
import { createTotp } from "./totp.ts";

/** All that a person or a program proves itself with at the admin plane. */
export function createProofs(keyring: Keyring): Proofs {
  return {
    passwords: createPasswords(keyring),
    totp: createTotp(keyring),
    recoveryCodes: createRecoveryCodes(keyring),
    tokens: createTokens(keyring),
  };
}
