import type { LoginVault, TokenPlace } from "../control/oauth-ports.ts";
import type { Vault } from "../control/ports.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import { Secret } from "../kernel/secret.ts";
import { inWords } from "./account-vault.ts";
import type { EnvelopeAddress } from "./envelope.ts";
import type { Keyring } from "./keyring.ts";

/** Neither an endpoint's URL nor a token nor a verifier holds one. */
const SEPARATOR = " ";

/** The access token is the account's credential; refresh tokens and logins under way have addresses of their own. */
export function createLoginVault(
  keyring: Keyring,
  accounts: Vault,
  onSecret: (secret: Secret) => void = () => undefined,
): LoginVault {
  const open = (address: EnvelopeAddress, envelope: Uint8Array): Result<Secret, string> => {
    const opened = keyring.open("accounts", address, envelope);
    return opened.ok ? opened : err(inWords(opened.error));
  };
  return {
    sealAccessToken: ({ id, generation }, token) => accounts.sealCredential(id, generation, token),
    sealRefreshToken(place, token) {
      onSecret(token);
      return keyring.seal("accounts", refreshAddress(place), joined("refresh token", place.tokenUrl, token.reveal()));
    },
    openAccessToken: ({ id, generation }, envelope) => accounts.openCredential(id, generation, envelope),
    openRefreshToken(place, envelope) {
      const opened = open(refreshAddress(place), envelope);
      if (!opened.ok) return opened;
      const [tokenUrl, token] = parted(opened.value);
      if (tokenUrl !== place.tokenUrl) return err("it belongs to another token endpoint");
      const secret = new Secret("refresh token", token);
      onSecret(secret);
      return ok(secret);
    },
    sealSession(sessionId, { verifier, plan }) {
      onSecret(verifier);
      return keyring.seal("accounts", sessionAddress(sessionId), joined("login under way", verifier.reveal(), plan));
    },
    openSession(sessionId, envelope) {
      const opened = open(sessionAddress(sessionId), envelope);
      if (!opened.ok) return opened;
      const [verifier, plan] = parted(opened.value);
      return ok({ verifier: new Secret("PKCE verifier", verifier), plan });
    },
  };
}

function joined(label: string, first: string, rest: string): Secret {
  return new Secret(label, `${first}${SEPARATOR}${rest}`);
}

function parted(secret: Secret): readonly [first: string, rest: string] {
  const text = secret.reveal();
  const at = text.indexOf(SEPARATOR);
  return [text.slice(0, at), text.slice(at + 1)];
}

function refreshAddress({ id, generation }: TokenPlace): EnvelopeAddress {
  return { table: "oauth_accounts", column: "refresh_token", rowId: id, generation };
}

function sessionAddress(sessionId: string): EnvelopeAddress {
  return { table: "oauth_sessions", column: "sealed", rowId: sessionId, generation: 1 };
}
