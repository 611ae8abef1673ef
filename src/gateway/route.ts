import type { KeyScope } from "../domain/access/key-grant.ts";
import type { Call } from "./call.ts";
import type { Refusal } from "./refusal.ts";

/**
 * What a path of the data plane is for. `messages`: the body is read for its model. `models`: answered here.
 * `other`: passed to the chosen account as it is.
 */
export type Route = { readonly scope: KeyScope } & (
  | { readonly kind: "messages" }
  | { readonly kind: "models"; readonly modelId: string | null }
  | { readonly kind: "other" }
);

const MESSAGES: Route = { kind: "messages", scope: "messages" };
const COUNT_TOKENS: Route = { kind: "messages", scope: "count_tokens" };
const BATCHES: Route = { kind: "other", scope: "batches" };
const FILES: Route = { kind: "other", scope: "files" };
const OTHER: Route = { kind: "other", scope: "other" };

const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]);

/** Only plain segments under /v1 are ever passed on: no empty or dot segment, no encoded slash, dot or NUL. */
const PLAIN_PATH = /^\/v1(?:\/[A-Za-z0-9._~!$&'()*+,;=:@%-]+)+$/;
/** An encoded letter, digit, dot, hyphen, underscore or tilde is another spelling of a path that has its own rules. */
const HIDDEN_SEGMENT = /\/\.{1,2}(?:\/|$)|%(?:2f|5c|2e|00|0d|0a|2d|5f|7e|3[0-9]|4[1-9a-f]|5[0-9a]|6[1-9a-f]|7[0-9a])/i;

export function routeOf(call: Pick<Call, "method" | "path">): Route | Refusal {
  const { method, path } = call;
  if (!PLAIN_PATH.test(path) || HIDDEN_SEGMENT.test(path)) {
    return { code: "GW_UNKNOWN_PATH", message: "Cannot serve this path: it is not a path of the Claude API" };
  }
  if (!METHODS.has(method)) {
    const allow = [...METHODS].join(", ");
    return { code: "GW_METHOD", message: "Cannot serve this method: the Claude API does not use it", allow };
  }
  if (path === "/v1/messages" || path === "/v1/messages/count_tokens") {
    return method === "POST"
      ? path === "/v1/messages"
        ? MESSAGES
        : COUNT_TOKENS
      : { code: "GW_METHOD", message: `Cannot ${method} ${path}: send POST`, allow: "POST" };
  }
  if (path === "/v1/models" || path.startsWith("/v1/models/")) {
    const modelId = path === "/v1/models" ? null : decoded(path.slice("/v1/models/".length));
    return method === "GET" || method === "HEAD"
      ? { kind: "models", scope: "models", modelId }
      : { code: "GW_METHOD", message: `Cannot ${method} ${path}: send GET`, allow: "GET, HEAD" };
  }
  if (isAtOrBelow(path, "/v1/messages/batches")) return BATCHES;
  return isAtOrBelow(path, "/v1/files") ? FILES : OTHER;
}

function isAtOrBelow(path: string, place: string): boolean {
  return path.startsWith(place) && (path.length === place.length || path[place.length] === "/");
}

/** As it stands when its percent-encoding is malformed: no model has such a name. */
function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

export function isRefusal(value: Route | Refusal): value is Refusal {
  return "code" in value;
}
