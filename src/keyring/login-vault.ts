import type { LoginVault } from "../control/oauth-ports.ts";
import type { Vault } from "../control/ports.ts";
import type { AccountId } from "../domain/account/account.ts";
import { err, type Result } from "../kernel/result.ts";
import type { Secret } from "../kernel/secret.ts";
import { inWords } from "./account-vault.ts";
import type { EnvelopeAddress } from "./envelope.ts";
import type { Keyring } from "./keyring.ts";

/** The access token is the account's credential; refresh tokens and verifiers have addresses of their own. */
export function createLoginVault(keyring: Keyring, accounts: Vault): LoginVault {
  const open = (address: EnvelopeAddress, envelope: Uint8Array): Result<Secret, string> => {
    const opened = keyring.open("accounts", address, envelope);
    return opened.ok ? opened : err(inWords(opened.error));
  };
  return {
    sealTokens: (id, generation, { accessToken, refreshToken }) => ({
      accessToken: accounts.sealCredential(id, generation, accessToken),
      refreshToken:
        refreshToken === null ? null : keyring.seal("accounts", refreshAddress(id, generation), refreshToken),
    }),
    openAccessToken: accounts.openCredential,
    openRefreshToken: (id, generation, envelope) => open(refreshAddress(id, generation), envelope),
    sealVerifier: (sessionId, verifier) => keyring.seal("accounts", verifierAddress(sessionId), verifier),
    openVerifier: (sessionId, envelope) => open(verifierAddress(sessionId), envelope),
  };
}

function refreshAddress(id: AccountId, generation: number): EnvelopeAddress {
  return { table: "oauth_accounts", column: "refresh_token", rowId: id, generation };
}

function verifierAddress(sessionId: string): EnvelopeAddress {
  return { table: "oauth_sessions", column: "verifier", rowId: sessionId, generation: 1 };
}
