import type { LedgerSettle } from "../domain/ledger/record.ts";
import type { Result } from "../kernel/result.ts";
import { admit } from "./admit.ts";
import type { Answer, Call } from "./call.ts";
import { answerModels } from "./models.ts";
import { KEY_REVOKED, type Presence } from "./presences.ts";
import { type Read, read } from "./read.ts";
import { type Refusal, refusalAnswer, refusalStatus, refusalType } from "./refusal.ts";
import type { Rooms } from "./rooms.ts";
import { isRefusal, type Route, routeOf } from "./route.ts";
import { seek } from "./seek.ts";
import { newWalk, settleWalk, type Walk } from "./walk.ts";

/** The walk of one request: admit, read, then seek an account until one answers. Null: the client left, nobody listens. */
export async function serve(call: Call, rooms: Rooms): Promise<Answer | null> {
  const route = routeOf(call);
  if (isRefusal(route)) {
    return refusalAnswer(route, call.id);
  }
  const caller = admit(call, rooms.keys);
  if (!caller.ok) {
    return refusalAnswer(caller.error, call.id);
  }
  call.admitted();
  if (route.kind === "models") {
    return answerModels(call, route.modelId, rooms.accounts.snapshot());
  }
  const presence = rooms.presences.enter(call, caller.value);
  const request = await readPresent(presence, route, rooms);
  if (!request.ok) {
    return request.error === "client_gone" ? null : refusalAnswer(request.error, call.id);
  }
  return seekAndSettle(newWalk(presence, request.value), rooms);
}

/** Once the request is read, the settling of its walk ends its presence. */
async function readPresent(
  presence: Presence,
  route: Route,
  rooms: Rooms,
): Promise<Result<Read, Refusal | "client_gone">> {
  let isRead = false;
  try {
    const request = await read(presence.call, route, rooms);
    isRead = request.ok;
    return request;
  } finally {
    if (!isRead) {
      rooms.presences.leave(presence);
    }
  }
}

async function seekAndSettle(walk: Walk, rooms: Rooms): Promise<Answer | null> {
  try {
    const found = await seek(walk, rooms);
    if (found === "client_gone" && walk.presence.isRevoked) {
      return refuse(walk, KEY_REVOKED, rooms);
    }
    if (found === "client_gone") {
      settleWalk(walk, { status: null, outcome: "client_gone" }, rooms);
      return null;
    }
    return "code" in found ? refuse(walk, found, rooms) : found;
  } catch (cause) {
    refuse(walk, { code: "GW_INTERNAL", message: "Cannot serve the request: the gateway failed" }, rooms);
    throw cause;
  }
}

function refuse(walk: Walk, refusal: Refusal, rooms: Rooms): Answer {
  const answer = refusalAnswer(refusal, walk.call.id, walk.attempts);
  walk.responseBytes = answer.body instanceof Uint8Array ? answer.body.length : 0;
  settleWalk(
    walk,
    {
      status: refusalStatus(refusal.code),
      outcome: outcomeOf(walk, refusal),
      errorType: refusalType(refusal.code),
    },
    rooms,
  );
  return answer;
}

function outcomeOf({ attempts }: Walk, { code }: Refusal): LedgerSettle["outcome"] {
  if (code === "GW_KEY_REVOKED") {
    return "revoked";
  }
  return attempts > 0 ? "upstream_error" : "refused";
}
