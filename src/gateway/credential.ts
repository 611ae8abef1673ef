import { err, ok, type Result } from "../kernel/result.ts";
import type { Call } from "./call.ts";

const BEARER = /^bearer +/i;
const CREDENTIAL_NAMES = /[?&](?:(?:x-)?api[_-]?key|(?:access|auth|refresh|csrf)[_-]?token|token|authorization)=/i;
const CREDENTIAL_VALUE = /bccf(?:_|%5f)(?:sk|ad|st)(?:_|%5f)|sk-ant-/i;

/**
 * The one credential that a request presents, the same for every plane: in Authorization or in x-api-key, or the same
 * in both, as `apiKeyHelper` of Claude Code sends it (protocol.md P6). A field that stands twice never came so far.
 */
// hot path
export function presentedCredential(call: Pick<Call, "header">): Result<string | null, "two_credentials"> {
  // An empty header is an unset variable of somebody's shell, not a key.
  const bearer = call.header("authorization")?.replace(BEARER, "") || null;
  const apiKey = call.header("x-api-key") || null;
  return apiKey !== null && bearer !== null && apiKey !== bearer ? err("two_credentials") : ok(apiKey ?? bearer);
}

/** Whether a query carries what belongs in a header: it would be kept in histories and in the logs of proxies. */
// hot path
export function hasCredentialInQuery(query: string): boolean {
  return query !== "" && (CREDENTIAL_NAMES.test(query) || CREDENTIAL_VALUE.test(query));
}
