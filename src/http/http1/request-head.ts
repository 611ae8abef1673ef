import { IS_TARGET, IS_TOKEN, VALUE_CLASS } from "./byte-class.ts";
import {
  type ControlFacts,
  type FieldSpan,
  HOST_SEEN,
  newControlFacts,
  newFieldSpan,
  noteField,
} from "./control-fields.ts";
import {
  BAD_METHOD,
  BAD_NAME,
  BAD_REQUEST_LINE,
  BAD_TARGET,
  BAD_VERSION,
  BARE_LINE_END,
  CONTROL_CHARACTER,
  FOLDED_LINE,
  type HeadProblem,
  LONG_HEAD,
  LONG_TARGET,
  MANY_FIELDS,
  MAX_FIELDS,
  MAX_HEAD_BYTES,
  MAX_TARGET_BYTES,
  NO_HOST,
  OLD_CODING,
  OTHER_VERSION,
  TWO_FRAMINGS,
  UNWANTED_BODY,
} from "./head-problem.ts";

/** A request head as `scanHead` found it. One is made for all connections and filled again for each head. */
export type RequestHead = {
  method: string;
  /** The target is `bytes[targetStart..targetEnd]`. */
  targetStart: number;
  targetEnd: number;
  isVersion10: boolean;
  /** Four offsets for each field: name start and end, value start and end. */
  readonly spans: number[];
  readonly control: ControlFacts;
  /** The field just scanned. */
  readonly span: FieldSpan;
};

/** The head is not complete. */
export const MORE = 0;

const CR = 0x0d;
const LF = 0x0a;
const SP = 0x20;
const HTAB = 0x09;
const COLON = 0x3a;
const SLASH = 0x2f;

/** The most frequent first. */
const METHODS = ["POST", "GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"].map((text) => ({
  text,
  line: Uint8Array.from(`${text} `, (character) => character.charCodeAt(0)),
}));
const VERSION = Uint8Array.from("HTTP/1.1\r\n", (character) => character.charCodeAt(0));
const MINOR_AT = 7;
const BODILESS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

/** Where the scan stopped: an offset, `STOPPED_FOR_MORE`, or a problem. Offsets of this file are never 0 or negative. */
type Place = number;

export function newRequestHead(): RequestHead {
  return {
    method: "",
    targetStart: 0,
    targetEnd: 0,
    isVersion10: false,
    spans: [],
    control: newControlFacts(),
    span: newFieldSpan(),
  };
}

/**
 * Reads one request head at the start of `bytes`: its length when it is complete, `MORE`, or a `HeadProblem`. Total and
 * strict: what two parsers could read differently is refused, at the first byte that shows it. A longer `bytes` with
 * the same beginning gives the same answer, so how the bytes were cut never matters.
 * @see RFC 9112 sections 2.2, 3, 5, 6
 */
// hot path
export function scanHead(bytes: Uint8Array, head: RequestHead): number {
  // What lies beyond the limit does not exist for the scan: it may be the body of a complete head.
  const end = Math.min(bytes.length, MAX_HEAD_BYTES);
  const fieldsStart = scanRequestLine(bytes, end, head);
  if (fieldsStart < 0) return fieldsStart;
  const headBytes = fieldsStart === MORE ? MORE : scanFields(bytes, { start: fieldsStart, end }, head);
  if (headBytes < 0) return headBytes;
  if (headBytes === MORE) return bytes.length >= MAX_HEAD_BYTES ? LONG_HEAD : MORE;
  const problem = problemOf(head);
  return problem === 0 ? headBytes : problem;
}

// hot path
function scanRequestLine(bytes: Uint8Array, end: number, head: RequestHead): Place {
  const targetStart = scanMethod(bytes, end, head);
  if (targetStart <= 0) return targetStart;
  if (targetStart >= end) return MORE;
  if (bytes[targetStart] !== SLASH) return BAD_TARGET;
  const targetLimit = Math.min(end, targetStart + MAX_TARGET_BYTES + 1);
  let at = targetStart + 1;
  while (at < targetLimit && IS_TARGET[bytes[at] ?? 0] === 1) at += 1;
  if (at - targetStart > MAX_TARGET_BYTES) return LONG_TARGET;
  if (at >= end) return MORE;
  if (bytes[at] !== SP) return bytes[at] === CR || bytes[at] === LF ? BAD_REQUEST_LINE : BAD_TARGET;
  head.targetStart = targetStart;
  head.targetEnd = at;
  return scanVersion(bytes, { start: at + 1, end }, head);
}

// hot path
function scanMethod(bytes: Uint8Array, end: number, head: RequestHead): Place {
  for (const { text, line } of METHODS) {
    let at = 0;
    while (at < line.length && at < end && bytes[at] === line[at]) at += 1;
    if (at === line.length) {
      head.method = text;
      return at;
    }
    if (at === end) return MORE;
  }
  return BAD_METHOD;
}

export type Range = { readonly start: number; readonly end: number };

// hot path
function scanVersion(bytes: Uint8Array, { start, end }: Range, head: RequestHead): Place {
  head.isVersion10 = false;
  for (let index = 0; index < VERSION.length; index += 1) {
    const at = start + index;
    if (at >= end) return MORE;
    if (bytes[at] === VERSION[index]) continue;
    if (index === MINOR_AT && bytes[at] === 0x30) {
      head.isVersion10 = true;
      continue;
    }
    return versionProblem(bytes, { start, end }, index);
  }
  return start + VERSION.length;
}

function versionProblem(bytes: Uint8Array, { start, end }: Range, index: number): Place {
  if (index >= 8) return bytes[start + index] === LF ? BARE_LINE_END : BAD_VERSION;
  if (index < 5 || !isDigit(bytes[start + index])) return BAD_VERSION;
  if (end - start < VERSION.length) return MORE;
  const isVersion =
    isDigit(bytes[start + 5]) &&
    bytes[start + 6] === 0x2e &&
    isDigit(bytes[start + 7]) &&
    bytes[start + 8] === CR &&
    bytes[start + 9] === LF;
  return isVersion ? OTHER_VERSION : BAD_VERSION;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

// hot path
function scanFields(bytes: Uint8Array, { start, end }: Range, head: RequestHead): Place {
  const { spans, control, span } = head;
  spans.length = 0;
  control.seen = 0;
  control.contentLength = -1;
  control.isChunked = false;
  control.expectsContinue = false;
  control.asksToClose = false;
  let at = start;
  while (at < end) {
    if (bytes[at] === CR) {
      if (at + 1 >= end) return MORE;
      return bytes[at + 1] === LF ? at + 2 : BARE_LINE_END;
    }
    if (spans.length >= MAX_FIELDS * 4) return MANY_FIELDS;
    const next = scanField(bytes, { start: at, end }, span);
    if (next <= 0) return next;
    const problem = noteField(control, bytes, span);
    if (problem !== 0) return problem;
    spans.push(span.nameStart, span.nameEnd, span.valueStart, span.valueEnd);
    at = next;
  }
  return MORE;
}

/** Reads one field line into `span`. Gives the start of the next line. */
// hot path
export function scanField(bytes: Uint8Array, { start, end }: Range, span: FieldSpan): Place {
  let at = start;
  while (at < end && IS_TOKEN[bytes[at] ?? 0] === 1) at += 1;
  if (at >= end) return MORE;
  if (bytes[at] !== COLON || at === start) return nameProblem(bytes, start, at);
  span.nameStart = start;
  span.nameEnd = at;
  at += 1;
  while (at < end && isBlank(bytes[at])) at += 1;
  span.valueStart = at;
  let classes = 0;
  while (at < end) {
    const valueClass = VALUE_CLASS[bytes[at] ?? 0] ?? 0;
    if (valueClass === 0) break;
    classes |= valueClass;
    at += 1;
  }
  if (at >= end) return MORE;
  if (bytes[at] !== CR) return bytes[at] === LF ? BARE_LINE_END : CONTROL_CHARACTER;
  if (at + 1 >= end) return MORE;
  if (bytes[at + 1] !== LF) return BARE_LINE_END;
  let valueEnd = at;
  while (valueEnd > span.valueStart && isBlank(bytes[valueEnd - 1])) valueEnd -= 1;
  span.valueEnd = valueEnd;
  span.isAscii = classes < 2;
  return at + 2;
}

function nameProblem(bytes: Uint8Array, start: number, at: number): HeadProblem {
  if (at === start && isBlank(bytes[at])) return FOLDED_LINE;
  return bytes[at] === LF ? BARE_LINE_END : BAD_NAME;
}

function isBlank(byte: number | undefined): boolean {
  return byte === SP || byte === HTAB;
}

// hot path
function problemOf({ method, isVersion10, control }: RequestHead): HeadProblem | 0 {
  if (control.isChunked) {
    if (control.contentLength >= 0) return TWO_FRAMINGS;
    if (isVersion10) return OLD_CODING;
  }
  if ((control.seen & HOST_SEEN) === 0 && !isVersion10) return NO_HOST;
  const hasBody = control.isChunked || control.contentLength > 0;
  return hasBody && BODILESS.has(method) ? UNWANTED_BODY : 0;
}
