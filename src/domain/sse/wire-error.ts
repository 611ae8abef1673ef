import { textMemberOf } from "../request/json-member.ts";

/** `error` of an upstream error body or error event. For records and verdicts; the client gets the bytes themselves. */
export type WireError = {
  /** At most 128 characters; "api_error" when upstream named none. */
  readonly type: string;
  /** At most 2,048 characters, cut where it was longer; empty when upstream gave none. */
  readonly message: string;
};

const MAX_TYPE_CHARACTERS = 128;
const MAX_MESSAGE_CHARACTERS = 2048;

/** An error that says nothing we can read: still an error. */
export const UNREADABLE_ERROR: WireError = { type: "api_error", message: "" };

/** The HTTP status that each error type stands for (docs/upstream/errors.md, protocol P43). */
const STATUS_OF_TYPE: ReadonlyMap<string, number> = new Map([
  ["invalid_request_error", 400],
  ["authentication_error", 401],
  ["billing_error", 402],
  ["permission_error", 403],
  ["not_found_error", 404],
  ["conflict_error", 409],
  ["request_too_large", 413],
  ["rate_limit_error", 429],
  ["api_error", 500],
  ["timeout_error", 504],
  ["overloaded_error", 529],
]);

/** A 200 whose stream begins with an error event is judged as this status. Unknown types are 500: new ones may appear. */
export function streamErrorStatus(errorType: string): number {
  return STATUS_OF_TYPE.get(errorType) ?? 500;
}

/** Reads `{"type","message"}`, the inner object. Null when `value` is not an object. */
export function readWireError(value: unknown): WireError | null {
  if (typeof value !== "object" || value === null) return null;
  return {
    type: cut(textMemberOf(value, "type") || UNREADABLE_ERROR.type, MAX_TYPE_CHARACTERS),
    message: cut(textMemberOf(value, "message") ?? UNREADABLE_ERROR.message, MAX_MESSAGE_CHARACTERS),
  };
}

/** Never ends inside a surrogate pair. */
function cut(text: string, maxCharacters: number): string {
  if (text.length <= maxCharacters) return text;
  const last = text.charCodeAt(maxCharacters - 1);
  return text.slice(0, last >= 0xd800 && last < 0xdc00 ? maxCharacters - 1 : maxCharacters);
}
