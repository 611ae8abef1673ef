import { err, ok, type Result } from "../kernel/result.ts";
import { durationMs } from "../kernel/time.ts";
import { admit } from "./admit.ts";
import type { Answer, Call } from "./call.ts";
import { answerModels } from "./models.ts";
import type { Caller } from "./ports.ts";
import { read } from "./read.ts";
import { type Refusal, refusalAnswer, refusalStatus, refusalType } from "./refusal.ts";
import type { Rooms } from "./rooms.ts";
import { isRefusal, type Route, routeOf } from "./route.ts";
import { seek } from "./seek.ts";
import { settleWalk, type Walk } from "./walk.ts";

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
  const walk = await startWalk(call, caller.value, route, rooms);
  if (!walk.ok) {
    return walk.error === "client_gone" ? null : refusalAnswer(walk.error, call.id);
  }
  return seekAndSettle(walk.value, rooms);
}

async function startWalk(
  call: Call,
  caller: Caller,
  route: Route,
  rooms: Rooms,
): Promise<Result<Walk, Refusal | "client_gone">> {
  const request = await read(call, route, rooms);
  if (!request.ok) {
    return err(request.error);
  }
  return ok({
    call,
    caller,
    ...request.value,
    attempts: 0,
    queueMs: durationMs(0),
    begin: null,
    account: null,
    firstByteAtMs: null,
    responseBytes: 0,
    upstreamRequestId: null,
    isSettled: false,
  });
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
