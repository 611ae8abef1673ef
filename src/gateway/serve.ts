import { enter } from "../domain/access/key-limits.ts";
import type { LedgerSettle } from "../domain/ledger/record.ts";
import { err, type Result } from "../kernel/result.ts";
import { type Admitted, admit, type OwnKey } from "./admit.ts";
import type { Answer, Call } from "./call.ts";
import { barredAtDoor, barredByModel, barredFromPassthrough, holdTokens, limitReached } from "./key-door.ts";
import { answerModels } from "./models.ts";
import { passThrough } from "./pass-through.ts";
import { KEY_REVOKED, type Presence } from "./presences.ts";
import { type Read, read } from "./read.ts";
import { type Refusal, refusalAnswer, refusalStatus, refusalType } from "./refusal.ts";
import type { Rooms } from "./rooms.ts";
import { isRefusal, type Route, routeOf } from "./route.ts";
import { seek } from "./seek.ts";
import type { Found } from "./seeking.ts";
import { newWalk, settleWalk, type Walk } from "./walk.ts";

/** The walk of one request: admit, read, then seek an account until one answers. Null: the client left, nobody listens. */
export async function serve(call: Call, rooms: Rooms): Promise<Answer | null> {
  const route = routeOf(call);
  if (isRefusal(route)) {
    return refusalAnswer(route, call.id);
  }
  const admitted = admit(call, rooms);
  if (!admitted.ok) {
    return refusalAnswer(admitted.error, call.id);
  }
  const entered = enterAt(call, route, admitted, rooms);
  if ("code" in entered) {
    return refusalAnswer(entered, call.id);
  }
  call.admitted();
  const { own } = admitted;
  if (route.kind === "models" && own === null) {
    rooms.presences.leave(entered);
    return answerModels(call, route.modelId, {
      accounts: rooms.accounts.snapshot(),
      grant: admitted.value.access.grant,
    });
  }
  const request = await readPresent(entered, route, rooms);
  if (!request.ok) {
    return request.error === "client_gone" ? null : refusalAnswer(request.error, call.id);
  }
  const walk = newWalk(entered, request.value);
  return searchAndSettle(walk, own === null ? seek : toOwnUpstream(own), rooms);
}

/** What the key may do and take is asked in the turn in which it was verified, and before its body is read. */
// hot path
function enterAt(call: Call, route: Route, { value: caller, own }: Admitted, rooms: Rooms): Presence | Refusal {
  const { access } = caller;
  const barred = barredAtDoor(call, route, access.grant) ?? (own === null ? null : barredFromPassthrough(access.grant));
  if (barred !== null) {
    return barred;
  }
  const meter = rooms.meters.of(access, call.acceptedAtMs);
  const reached = enter(meter, access.limits, call.acceptedAtMs);
  return reached === null
    ? rooms.presences.enter(call, caller, meter)
    : limitReached(reached, access.limits[reached.limit]);
}

function toOwnUpstream(own: OwnKey): Search {
  return (walk, rooms) => {
    if (rooms.passthrough === null) {
      throw new Error("Cannot pass a request through: it was let in although nobody may");
    }
    return passThrough(walk, own, rooms.passthrough, rooms);
  };
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
    if (!request.ok) {
      return request;
    }
    const barred = barredByBody(presence, route, request.value);
    if (barred !== null) {
      rooms.budget.release(request.value.reservedBytes);
      return err(barred);
    }
    isRead = true;
    return request;
  } finally {
    if (!isRead) {
      rooms.presences.leave(presence);
    }
  }
}

// hot path
function barredByBody(presence: Presence, route: Route, request: Read): Refusal | null {
  return barredByModel(route, request, presence.caller.access.grant) ?? holdTokens(presence, request);
}

type Search = (walk: Walk, rooms: Rooms) => Promise<Found>;

async function searchAndSettle(walk: Walk, search: Search, rooms: Rooms): Promise<Answer | null> {
  try {
    const found = await search(walk, rooms);
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
