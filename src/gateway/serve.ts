import { admit } from "./admit.ts";
import type { Answer, Call } from "./call.ts";
import { answerModels } from "./models.ts";
import { read } from "./read.ts";
import { type Refusal, refusalAnswer, refusalStatus, refusalType } from "./refusal.ts";
import type { Rooms } from "./rooms.ts";
import { isRefusal, routeOf } from "./route.ts";
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
  const request = await read(call, route, rooms);
  if (!request.ok) {
    return request.error === "client_gone" ? null : refusalAnswer(request.error, call.id);
  }
  return seekAndSettle(newWalk(call, caller.value, request.value), rooms);
}

async function seekAndSettle(walk: Walk, rooms: Rooms): Promise<Answer | null> {
  try {
    const found = await seek(walk, rooms);
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
      outcome: walk.attempts > 0 ? "upstream_error" : "refused",
      errorType: refusalType(refusal.code),
    },
    rooms,
  );
  return answer;
}
