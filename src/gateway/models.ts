import { isModelAllowed, type KeyGrant } from "../domain/access/key-grant.ts";
import type { Account } from "../domain/account/account.ts";
import type { Answer, Call } from "./call.ts";
import { JSON_TYPE, OWN_HEADERS } from "./own-headers.ts";
import { gatewayHeaders, refusalAnswer } from "./refusal.ts";

const ENCODER = new TextEncoder();

/**
 * `GET /v1/models` from what the accounts are known to offer: no trip upstream, no redirect, because Claude Code
 * gives it three seconds (protocol.md P4).
 */
export function answerModels(
  call: Call,
  modelId: string | null,
  known: { readonly accounts: readonly Account[]; readonly grant: KeyGrant },
): Answer {
  const { accounts, grant } = known;
  const models = new Map<string, { type: "model"; id: string; display_name: string; created_at: string }>();
  for (const account of accounts) {
    for (const { id, displayName } of account.isPaused ? [] : account.models) {
      if (isModelAllowed(grant, id))
        models.set(id, { type: "model", id, display_name: displayName, created_at: "1970-01-01T00:00:00Z" });
    }
  }
  const body = modelId === null ? pageOf([...models.values()]) : models.get(modelId);
  if (body === undefined) {
    return refusalAnswer(
      { code: "GW_UNKNOWN_MODEL", message: "Cannot find the model: no account of this gateway offers it" },
      call.id,
    );
  }
  return {
    status: 200,
    headers: [JSON_TYPE, ...OWN_HEADERS, ...gatewayHeaders(call.id, 0)],
    body: ENCODER.encode(JSON.stringify(body)),
  };
}

function pageOf(data: readonly { readonly id: string }[]) {
  return { data, has_more: false, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null };
}
