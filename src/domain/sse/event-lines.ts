import { kindOfName, MAX_NAME_BYTES } from "./event-name.ts";
import { addData, beginData, type EventState, endEvent, nameEvent } from "./event-state.ts";

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const COLON = 0x3a;
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf] as const;

/** Before the colon, while the line may still be a field that matters. */
const FIELD = 0;
const EVENT_VALUE = 1;
const DATA_VALUE = 2;
/** A comment, or a field that is none of ours (`id`, `retry`, unknown ones). */
const IGNORED = 3;

/** The line that is being read. */
export type EventLines = {
  readonly event: EventState;
  phase: number;
  /** "data", "event", or empty before the first byte of the line. */
  field: string;
  fieldLength: number;
  /** One space after the colon is not part of the value. */
  isAfterColon: boolean;
  /** The next LF belongs to the CR before it. */
  isAfterCr: boolean;
  markBytes: number;
  readonly name: Uint8Array;
  /** More than `name` holds means: a name that is none of ours. */
  nameLength: number;
  isAtEventBoundary: boolean;
};

export function createEventLines(event: EventState): EventLines {
  return {
    event,
    phase: FIELD,
    field: "",
    fieldLength: 0,
    isAfterColon: false,
    isAfterCr: false,
    markBytes: 0,
    name: new Uint8Array(MAX_NAME_BYTES),
    nameLength: 0,
    isAtEventBoundary: false,
  };
}

/** @see https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation */
// hot path
export function feedLines(lines: EventLines, chunk: Uint8Array): void {
  let at = skipMark(lines, chunk, lines.isAfterCr ? skipLf(lines, chunk, 0) : 0);
  let lf = chunk.indexOf(LF, at);
  let cr = chunk.indexOf(CR, at);
  while (at < chunk.length) {
    // Each terminator is looked for again only when the last one found was passed: linear for any mix of line ends.
    if (isPassed(lf, at)) lf = chunk.indexOf(LF, at);
    if (isPassed(cr, at)) cr = chunk.indexOf(CR, at);
    const end = cr === -1 || isPassed(lf, cr) ? lf : cr;
    if (end === -1) {
      readPiece(lines, chunk, at, chunk.length);
      lines.isAtEventBoundary = false;
      return;
    }
    if (at < end) readPiece(lines, chunk, at, end);
    endLine(lines);
    at = end === cr ? skipLf(lines, chunk, end + 1) : end + 1;
  }
}

function isPassed(found: number, at: number): boolean {
  return found !== -1 && found < at;
}

/** The LF behind a CR ends the same line; it may come with the next chunk. */
function skipLf(lines: EventLines, chunk: Uint8Array, at: number): number {
  lines.isAfterCr = at === chunk.length;
  return chunk[at] === LF ? at + 1 : at;
}

/** The first index from `from` that is not part of a byte order mark. */
function skipMark(lines: EventLines, chunk: Uint8Array, from: number): number {
  let at = from;
  while (at < chunk.length && lines.markBytes < BYTE_ORDER_MARK.length) {
    if (chunk[at] !== BYTE_ORDER_MARK[lines.markBytes]) {
      // The bytes before were the beginning of a field that nobody knows.
      if (lines.markBytes !== 0) lines.phase = IGNORED;
      lines.markBytes = BYTE_ORDER_MARK.length;
      break;
    }
    lines.markBytes++;
    at++;
  }
  return at;
}

// hot path
// biome-ignore lint/complexity/useMaxParams: a range of a chunk; an object for it would be made for every piece.
function readPiece(lines: EventLines, chunk: Uint8Array, from: number, to: number): void {
  let at = lines.phase === FIELD ? readField(lines, chunk, from, to) : from;
  if (at === to) return;
  if (lines.isAfterColon) {
    lines.isAfterColon = false;
    if (chunk[at] === SPACE) at++;
  }
  if (lines.phase === DATA_VALUE) {
    addData(lines.event, chunk, at, to);
  } else if (lines.phase === EVENT_VALUE) {
    while (at < to && lines.nameLength < MAX_NAME_BYTES) lines.name[lines.nameLength++] = chunk[at++] ?? 0;
    if (at < to) lines.nameLength = MAX_NAME_BYTES + 1;
  }
}

/** The index after the colon, or `to`. */
// biome-ignore lint/complexity/useMaxParams: a range of a chunk; an object for it would be made for every piece.
function readField(lines: EventLines, chunk: Uint8Array, from: number, to: number): number {
  for (let at = from; at < to; at++) {
    const byte = chunk[at];
    if (lines.fieldLength === 0) lines.field = byte === 0x64 ? "data" : byte === 0x65 ? "event" : "";
    if (byte === COLON && lines.fieldLength === lines.field.length && lines.fieldLength !== 0) {
      beginValue(lines);
      return at + 1;
    }
    if (byte !== lines.field.charCodeAt(lines.fieldLength)) {
      lines.phase = IGNORED;
      return to;
    }
    lines.fieldLength++;
  }
  return to;
}

function beginValue(lines: EventLines): void {
  lines.isAfterColon = true;
  if (lines.field === "data") {
    lines.phase = DATA_VALUE;
    beginData(lines.event);
  } else {
    lines.phase = EVENT_VALUE;
    lines.nameLength = 0;
  }
}

// hot path
function endLine(lines: EventLines): void {
  const isBlank = lines.phase === FIELD && lines.fieldLength === 0;
  if (isBlank) {
    endEvent(lines.event);
  } else {
    // A field without a colon has an empty value.
    if (lines.phase === FIELD && lines.fieldLength === lines.field.length) beginValue(lines);
    if (lines.phase === EVENT_VALUE) nameEvent(lines.event, kindOfName(lines.name, 0, lines.nameLength));
    lines.phase = FIELD;
    lines.fieldLength = 0;
    lines.isAfterColon = false;
  }
  lines.isAtEventBoundary = isBlank;
}
