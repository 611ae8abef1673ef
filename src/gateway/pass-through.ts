import type { Account } from "../domain/account/account.ts";
import { accountId } from "../domain/account/account.ts";
import { epochMs } from "../kernel/time.ts";
import type { OwnKey } from "./admit.ts";
import { attempt } from "./attempt.ts";
import { headersUp } from "./headers.ts";
import { gatewayStops, upstreamFailed } from "./no-answer.ts";
import { relay } from "./relay.ts";
import type { Passthrough, Rooms } from "./rooms.ts";
import type { Found } from "./seeking.ts";
import { beginWalk, type Walk } from "./walk.ts";

/**
 * Sends a request once with the key that its client brought. It belongs to no account: the pool learns nothing from its
 * answer, it waits in no queue, and it fails over to nobody.
 */
export async function passThrough(walk: Walk, own: OwnKey, place: Passthrough, rooms: Rooms): Promise<Found> {
  beginWalk(walk, null, rooms);
  const account = nobodysAccount(place, own);
  const attempted = await attempt(walk, { account, credential: own.credential }, headersUp(walk.call.headers), rooms);
  if (attempted === "abandoned") return walk.call.signal.aborted ? "client_gone" : gatewayStops();
  const { outcome, answer } = attempted;
  return answer === null ? upstreamFailed(outcome) : relay(walk, answer, outcome, rooms);
}

/** What an attempt asks of an account; it is in no list, and nobody else sees it. */
function nobodysAccount({ baseUrl }: Passthrough, { credentialKind }: OwnKey): Account {
  return {
    id: accountId("passthrough"),
    name: "passthrough",
    provider: "anthropic",
    baseUrl,
    credentialKind,
    priority: 0,
    weight: 1,
    organization: null,
    workspace: null,
    isPaused: false,
    createdAtMs: epochMs(0),
    models: [],
  };
}
