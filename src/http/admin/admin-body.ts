import type { BodyBudget } from "../../gateway/body-budget.ts";
import type { Call } from "../../gateway/call.ts";
import { assertNever, err, ok, type Result } from "../../kernel/result.ts";
import type { RouteEntry } from "../routes/route-entry.ts";
import type { DoorCode } from "./door-refusal.ts";
import { checkJson } from "./strict-json.ts";

type BodyStop = { readonly code: DoorCode; readonly message?: string };

const JSON_CONTENT = /^application\/json[ \t]*(?:;[ \t]*charset="?utf-8"?[ \t]*)?$/i;
const NO_BODY = new Uint8Array(0);

/** A page of another origin can send a form or plain text without being asked; JSON it cannot. */
export function isJsonType(contentType: string): boolean {
  return JSON_CONTENT.test(contentType);
}

/** Asked before anything else is looked at: a form or plain text never reaches a session. */
export function hasJsonType(call: Call): boolean {
  const type = call.header("content-type");
  return type === null ? call.declaredBytes === 0 : isJsonType(type);
}

/**
 * The body as it is, JSON that every parser reads alike, within the route's limit. Its bytes are taken from the budget,
 * which the caller gives them back to; when it is refused they are back already.
 */
export async function readAdminBody(
  call: Call,
  entry: RouteEntry,
  budget: BodyBudget,
): Promise<Result<Uint8Array, BodyStop | "client_gone">> {
  if (call.declaredBytes === 0) return ok(NO_BODY);
  if (call.header("content-encoding") !== null) return err({ code: "body_encoded" });
  let takenBytes = 0;
  const read = await call.readBody(entry.bodyLimitBytes, (bytes) => {
    const isTaken = budget.reserve(bytes);
    takenBytes += isTaken ? bytes : 0;
    return isTaken;
  });
  const checked = read.ok ? checkJson(read.value) : null;
  if (read.ok && (checked?.ok === true || read.value.length === 0)) {
    budget.release(takenBytes - read.value.length);
    return ok(read.value);
  }
  budget.release(takenBytes);
  if (!read.ok) return err(problemOf(read.error));
  const fact = checked?.ok === false ? checked.error : "";
  return err({ code: "request_invalid", message: `Cannot read the request: its body ${fact}` });
}

function problemOf(problem: "too_large" | "too_slow" | "client_gone" | "over_budget"): BodyStop | "client_gone" {
  switch (problem) {
    case "client_gone":
      return "client_gone";
    case "too_large":
      return { code: "body_too_large" };
    case "too_slow":
      return { code: "body_too_slow" };
    case "over_budget":
      return { code: "body_budget" };
    default:
      return assertNever(problem);
  }
}
