import { looksLikeProviderCredential } from "../domain/access/client-key.ts";
import type { CredentialKind } from "../domain/account/account.ts";
import { type Err, err } from "../kernel/result.ts";
import { Secret } from "../kernel/secret.ts";
import type { Call } from "./call.ts";
import { presentedCredential } from "./credential.ts";
import type { FailedKeys } from "./failed-keys.ts";
import type { Caller, ClientKeys } from "./ports.ts";
import type { Refusal } from "./refusal.ts";
import type { Passthrough } from "./rooms.ts";

/** A key of the provider that the client brought, for its own request alone. */
export type OwnKey = { readonly credential: Secret; readonly credentialKind: CredentialKind };

/** `own` null: an account of the gateway serves it. */
export type Admitted = { readonly ok: true; readonly value: Caller; readonly own: OwnKey | null };

export type AdmitNeeds = {
  readonly keys: ClientKeys;
  readonly failedKeys: FailedKeys;
  /** Null: no client may bring its own provider key. */
  readonly passthrough: Passthrough | null;
};

type AdmittedCall = Pick<Call, "header" | "client" | "acceptedAtMs">;

const OUR_KEYS = "bccf_";
/** Carries the client key where the usual headers carry the client's own provider key. Never sent upstream. */
const PASSTHROUGH_HEADER = "x-better-ccflare-key";

/** Which client key calls. */
// hot path
export function admit(call: AdmittedCall, needs: AdmitNeeds): Admitted | Err<Refusal> {
  const found = presentedCredential(call);
  if (!found.ok) return err(TWO_KEYS);
  const presented = found.value;
  if (presented === null) return failed(call, needs, NO_KEY);
  // Only what is no client key can be the client's own key: others cost no look at a further header.
  const forOwn = presented.startsWith(OUR_KEYS) ? null : call.header(PASSTHROUGH_HEADER) || null;
  if (forOwn !== null) {
    const credentialKind = call.header("x-api-key") ? "api_key" : "bearer";
    return admitOwn(call, needs, { presented, credentialKind, clientKey: forOwn });
  }
  const caller = needs.keys.verify(presented);
  return caller === null ? failed(call, needs, explainBadKey(presented)) : { ok: true, value: caller, own: null };
}

type Brought = {
  readonly presented: string;
  readonly credentialKind: CredentialKind;
  readonly clientKey: string;
};

function admitOwn(call: AdmittedCall, needs: AdmitNeeds, brought: Brought): Admitted | Err<Refusal> {
  const { presented, credentialKind, clientKey } = brought;
  const caller = needs.keys.verify(clientKey);
  if (caller === null) return failed(call, needs, explainBadKey(clientKey));
  if (looksLikeProviderCredential(presented) === "claude_ai_token") return err(CLAUDE_AI_TOKEN);
  if (needs.passthrough === null) return err(NO_PASSTHROUGH);
  return { ok: true, value: caller, own: { credential: new Secret("client's own key", presented), credentialKind } };
}

/** Counted by address: whoever guesses is slowed down, and costs no more than a look into a table. */
function failed(call: AdmittedCall, { failedKeys }: AdmitNeeds, refusal: Refusal): Err<Refusal> {
  const waitSeconds = failedKeys.failed(call.client.ok ? call.client.value : null, call.acceptedAtMs);
  return err(waitSeconds === 0 ? refusal : { ...TOO_MANY, retryAfterSeconds: waitSeconds });
}

const NO_KEY: Refusal = {
  code: "GW_NO_KEY",
  message:
    "Cannot authenticate the request: it carries no client key. Set ANTHROPIC_AUTH_TOKEN to a key made with `better-ccflare key create`",
};
const TWO_KEYS: Refusal = {
  code: "GW_TWO_KEYS",
  message: "Cannot authenticate the request: Authorization and x-api-key carry different keys. Send one",
};
const TOO_MANY: Refusal = {
  code: "GW_FAILED_KEYS",
  message:
    "Cannot authenticate the request now: too many requests of this address had no valid key (limits.failedKeysPerMinute)",
};
const NO_PASSTHROUGH: Refusal = {
  code: "GW_NO_PASSTHROUGH",
  message:
    "Cannot use a provider key that the client brings: the operator has not allowed it (passthrough.enabled). It was not stored or used",
};
const CLAUDE_AI_TOKEN: Refusal = {
  code: "GW_PROVIDER_CREDENTIAL",
  message:
    "Cannot accept a personal claude.ai login: the provider's terms do not let a gateway route it. It was not stored or used. Set ANTHROPIC_AUTH_TOKEN to a client key of this gateway",
};
const PROVIDER_KEY: Refusal = {
  code: "GW_PROVIDER_CREDENTIAL",
  message:
    "Cannot accept a provider API key as a client key: it was not stored or used. Set ANTHROPIC_AUTH_TOKEN to a client key of this gateway",
};
const BAD_KEY: Refusal = {
  code: "GW_BAD_KEY",
  message: "Cannot authenticate the request: the client key is malformed, unknown, revoked, suspended or expired",
};

function explainBadKey(presented: string): Refusal {
  const likeness = looksLikeProviderCredential(presented);
  if (likeness === null) return BAD_KEY;
  return likeness === "claude_ai_token" ? CLAUDE_AI_TOKEN : PROVIDER_KEY;
}
