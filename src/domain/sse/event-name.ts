/** Kinds of events by name; the order is that of `NAMES`. */
export const MESSAGE_START = 0;
export const MESSAGE_DELTA = 1;
export const MESSAGE_STOP = 2;
export const ERROR = 3;
export const PING = 4;
export const BLOCK_DELTA = 5;
export const BLOCK_START = 6;
export const BLOCK_STOP = 7;
/** Named, but not by us: it passes, and counts as content. */
export const OTHER = 8;
/** No `event` field, or an empty one: then `type` of the data names it. */
export const UNNAMED = 9;

const NAMES: readonly unknown[] = [
  "message_start",
  "message_delta",
  "message_stop",
  "error",
  "ping",
  "content_block_delta",
  "content_block_start",
  "content_block_stop",
];

/** Every name that matters is at most this long. */
export const MAX_NAME_BYTES = 20;

/** The kind that the bytes from `from` up to but not including `to` name. */
// hot path
export function kindOfName(bytes: Uint8Array, from: number, to: number): number {
  const length = to - from;
  if (length === 0) return UNNAMED;
  // By length and one telling byte there is one candidate; the comparison then decides.
  const kind = candidate(length, bytes[from + 8] ?? 0, bytes[to - 1] ?? 0);
  const name = NAMES[kind];
  if (typeof name !== "string") return OTHER;
  for (let at = 0; at < length; at++) {
    if (bytes[from + at] !== name.charCodeAt(at)) return OTHER;
  }
  return kind;
}

/** `type` of an unnamed event's data. */
export function kindOfType(type: unknown): number {
  const kind = NAMES.indexOf(type);
  return kind === -1 ? OTHER : kind;
}

function candidate(length: number, ninth: number, last: number): number {
  switch (length) {
    case 19:
      return last === 0x61 ? BLOCK_DELTA : BLOCK_START;
    case 18:
      return BLOCK_STOP;
    case 13:
      return ninth === 0x73 ? MESSAGE_START : MESSAGE_DELTA;
    case 12:
      return MESSAGE_STOP;
    case 5:
      return ERROR;
    case 4:
      return PING;
    default:
      return OTHER;
  }
}
