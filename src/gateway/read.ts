import { type RequestFacts, requestFactsOf } from "../domain/request/request-facts.ts";
import { assertNever, err, ok, type Result } from "../kernel/result.ts";
import type { BodyProblem, Call } from "./call.ts";
import type { Refusal } from "./refusal.ts";
import type { Rooms } from "./rooms.ts";
import type { Route } from "./route.ts";

export type Read = {
  /** The bytes as received; null when the request has no body. */
  readonly body: Uint8Array | null;
  readonly facts: RequestFacts;
  readonly reservedBytes: number;
};

export type ReadProblem = Refusal | "client_gone";

const NO_FACTS: RequestFacts = requestFactsOf(new Uint8Array(0));

/** Reads the bounded body once and finds the facts in it; the bytes are kept as received. */
export async function read(call: Call, route: Route, rooms: Rooms): Promise<Result<Read, ReadProblem>> {
  if (call.declaredBytes === 0) {
    return route.kind === "messages"
      ? err({
          code: "GW_BODY_NOT_JSON",
          message: "Cannot read the request: its body is empty, a JSON object is needed",
        })
      : ok({ body: null, facts: NO_FACTS, reservedBytes: 0 });
  }
  const encoding = call.header("content-encoding");
  if (encoding !== null && encoding.toLowerCase() !== "identity") {
    return err({ code: "GW_BODY_ENCODED", message: "Cannot read the request: its body is compressed. Send it plain" });
  }
  let reservedBytes = 0;
  const reserve = (bytes: number) => {
    const isReserved = rooms.budget.reserve(bytes);
    reservedBytes += isReserved ? bytes : 0;
    return isReserved;
  };
  let isKept = false;
  try {
    const body = await call.readBody(rooms.requestBodyLimitBytes, reserve);
    if (!body.ok) {
      return err(refusalFor(body.error, rooms.requestBodyLimitBytes));
    }
    const facts = factsFor(body.value, route);
    isKept = facts.ok;
    return facts.ok ? ok({ body: body.value, facts: facts.value, reservedBytes }) : facts;
  } finally {
    if (!isKept) {
      rooms.budget.release(reservedBytes);
    }
  }
}

function factsFor(body: Uint8Array, route: Route): Result<RequestFacts, Refusal> {
  const facts = requestFactsOf(body);
  if (route.kind !== "messages") {
    return ok(facts);
  }
  switch (facts.problem) {
    case null:
      return ok(facts);
    case "duplicate_model":
      return err({
        code: "GW_DUPLICATE_MODEL",
        message: 'Cannot route the request: the field "model" stands twice in its body. Send it once',
      });
    case "not_an_object":
      return err({ code: "GW_BODY_NOT_JSON", message: "Cannot read the request: its body is not a JSON object" });
    case "model_not_a_string":
      return err({ code: "GW_BODY_NOT_JSON", message: 'Cannot route the request: the field "model" is not a string' });
    default:
      return assertNever(facts.problem);
  }
}

function refusalFor(problem: BodyProblem | "over_budget", limitBytes: number): ReadProblem {
  switch (problem) {
    case "client_gone":
      return "client_gone";
    case "too_large":
      return {
        code: "GW_BODY_TOO_LARGE",
        message: `Cannot accept the request: its body is larger than ${limitBytes} bytes, the limit of the Claude API`,
      };
    case "too_slow":
      return {
        code: "GW_BODY_TOO_SLOW",
        message: "Cannot read the request: its body arrives slower than 1 KiB a second",
      };
    case "over_budget":
      return {
        code: "GW_BODY_BUDGET",
        message:
          "Cannot accept the request now: the gateway holds as many request bytes as it may (limits.inFlightBodyBytes)",
        retryAfterSeconds: 1,
      };
    default:
      return assertNever(problem);
  }
}
