import { looksLikeProviderCredential } from "../domain/access/client-key.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import type { Call } from "./call.ts";
import { presentedCredential } from "./credential.ts";
import type { Caller, ClientKeys } from "./ports.ts";
import type { Refusal } from "./refusal.ts";

/** Which client key calls. */
export function admit(call: Pick<Call, "header">, keys: ClientKeys): Result<Caller, Refusal> {
  const credential = presentedCredential(call);
  if (!credential.ok) {
    return err({
      code: "GW_TWO_KEYS",
      message: "Cannot authenticate the request: Authorization and x-api-key carry different keys. Send one",
    });
  }
  const presented = credential.value;
  if (presented === null) {
    return err({
      code: "GW_NO_KEY",
      message:
        "Cannot authenticate the request: it carries no client key. Set ANTHROPIC_AUTH_TOKEN to a key made with `better-ccflare key create`",
    });
  }
  const caller = keys.verify(presented);
  return caller === null ? err(explainBadKey(presented)) : ok(caller);
}

function explainBadKey(presented: string): Refusal {
  switch (looksLikeProviderCredential(presented)) {
    case "claude_ai_token":
      return {
        code: "GW_PROVIDER_CREDENTIAL",
        message:
          "Cannot accept a personal claude.ai login: the provider's terms do not let a gateway route it. It was not stored or used. Set ANTHROPIC_AUTH_TOKEN to a client key of this gateway",
      };
    case "provider_key":
      return {
        code: "GW_PROVIDER_CREDENTIAL",
        message:
          "Cannot accept a provider API key as a client key: it was not stored or used. Set ANTHROPIC_AUTH_TOKEN to a client key of this gateway",
      };
    default:
      return {
        code: "GW_BAD_KEY",
        message: "Cannot authenticate the request: the client key is malformed, unknown, revoked or expired",
      };
  }
}
