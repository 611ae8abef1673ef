import { err, ok, type Result } from "../kernel/result.ts";
import { type AccountDraft, type AccountFields, parseAccountDraft } from "./account-draft.ts";
import type { EndpointRule, OauthClient } from "./oauth-ports.ts";
import type { BaseUrlRule } from "./ports.ts";
import { type Refusal, refusal } from "./refusal.ts";

export type BeginLoginCommand = AccountFields & {
  /** Null means the setting `oauth.clientId` (CLIENT_ID). */
  readonly clientId: string | null;
  readonly authorizeUrl: string;
  readonly tokenUrl: string;
  readonly scopes: readonly string[];
  /** Null: none is sent, so that the provider shows the code itself, or uses the one it knows. */
  readonly redirectUri: string | null;
  /** The operator confirms that the provider's terms allow this use of the account. */
  readonly acceptTerms: boolean;
};

export type LoginDraft = {
  readonly account: AccountDraft<AccountFields>;
  readonly client: OauthClient;
  readonly redirectUri: string | null;
};

export type LoginRules = {
  readonly baseUrl: BaseUrlRule;
  readonly endpoint: EndpointRule;
  /** The operator's own, registered with the provider; empty when none is set. */
  readonly defaultClientId: string;
};

/** RFC 6749 appendix A.1 allows all visible characters and spaces; a space is a mistake of copying. */
const CLIENT_ID = /^[\x21-\x7e]{1,256}$/;
/** RFC 6749 section 3.3 */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/;
const MAX_SCOPES = 32;
/** RFC 8252 section 7.3: a loopback address with any port. */
const LOOPBACK_REDIRECT = /^http:\/\/(127\.0\.0\.1|\[::1\]):[0-9]{1,5}\/[A-Za-z0-9/_-]{0,64}$/;

export function parseLoginDraft(command: BeginLoginCommand, rules: LoginRules): Result<LoginDraft, Refusal> {
  const { name, provider, baseUrl, priority, weight, organization, workspace } = command;
  const fields = { name, provider, baseUrl, priority, weight, organization, workspace };
  const account = parseAccountDraft(fields, rules.baseUrl);
  if (!account.ok) return account;
  const doing = `add account "${account.value.name}"`;
  if (!command.acceptTerms) {
    const fact = "you must confirm that the provider's terms allow this use of the account (--accept-terms)";
    return err(refusal("terms_not_accepted", `Cannot ${doing}: ${fact}`, "acceptTerms"));
  }
  const clientId = command.clientId ?? rules.defaultClientId;
  if (!CLIENT_ID.test(clientId)) {
    const fact = "give the client id that you registered with the provider (--client-id, or CLIENT_ID)";
    return err(refusal("client_id_invalid", `Cannot ${doing}: ${fact}`, "clientId"));
  }
  const authorizeUrl = rules.endpoint(command.authorizeUrl);
  if (!authorizeUrl.ok)
    return err(refusal("endpoint_refused", `Cannot ${doing}: ${authorizeUrl.error}`, "authorizeUrl"));
  const tokenUrl = rules.endpoint(command.tokenUrl);
  if (!tokenUrl.ok) return err(refusal("endpoint_refused", `Cannot ${doing}: ${tokenUrl.error}`, "tokenUrl"));
  const { scopes } = command;
  if (scopes.length > MAX_SCOPES || !scopes.every((scope) => SCOPE.test(scope))) {
    const fact = `scopes are at most ${MAX_SCOPES} words without spaces, quotes and backslashes`;
    return err(refusal("scope_invalid", `Cannot ${doing}: ${fact}`, "scopes"));
  }
  const redirectUri = parseRedirect(doing, command.redirectUri, rules.endpoint);
  if (!redirectUri.ok) return redirectUri;
  const client = { clientId, authorizeUrl: authorizeUrl.value, tokenUrl: tokenUrl.value, scopes };
  return ok({ account: account.value, client, redirectUri: redirectUri.value });
}

/** Sent as it was registered: the provider compares it character by character. */
export function parseRedirect(doing: string, text: string | null, rule: EndpointRule): Result<string | null, Refusal> {
  if (text === null || LOOPBACK_REDIRECT.test(text)) return ok(text);
  const allowed = rule(text);
  if (allowed.ok) return ok(text);
  const fact = "the redirect URI is neither https on a public host nor http on 127.0.0.1 with a port";
  return err(refusal("redirect_uri_invalid", `Cannot ${doing}: ${fact}`, "redirectUri"));
}
