import { FOLDED, IS_HOST } from "./byte-class.ts";
import {
  BAD_CODING,
  BAD_EXPECT,
  BAD_HOST,
  BAD_LENGTH,
  DISGUISED_NAME,
  type HeadProblem,
  NOT_ASCII,
  REPEATED,
  UPGRADE,
} from "./head-problem.ts";

/** What the fields of a head say about the connection and the body. Filled by `noteField`. */
export type ControlFacts = {
  /** One bit for each known field that was seen. */
  seen: number;
  /** Content-Length; -1 without one. */
  contentLength: number;
  isChunked: boolean;
  expectsContinue: boolean;
  asksToClose: boolean;
};

/** Where one field stands in the bytes of a head. Value without the blanks around it. */
export type FieldSpan = {
  nameStart: number;
  nameEnd: number;
  valueStart: number;
  valueEnd: number;
  isAscii: boolean;
};

type Known = { readonly name: Uint8Array; readonly bit: number; readonly kind: string };

/** May stand once, in ASCII, and not as a name that only looks like it (security.md D22). */
const KNOWN: readonly Known[] = [
  "host",
  "content-length",
  "transfer-encoding",
  "connection",
  "expect",
  "upgrade",
  "authorization",
  "x-api-key",
  "content-type",
  "content-encoding",
  "anthropic-version",
  // Never read as an object's key here, but somebody behind us might (CVE-2026-21710). Folded as FOLDED does.
  "--proto--",
  "constructor",
].map((kind, index) => ({ name: Uint8Array.from(kind, (c) => c.charCodeAt(0)), bit: 1 << index, kind }));

const NONE: readonly Known[] = [];
const KNOWN_BY_LENGTH: readonly (readonly Known[])[] = Array.from({ length: 18 }, (_, length) =>
  KNOWN.filter(({ name }) => name.length === length),
);
const KEEP_ALIVE = Uint8Array.from("keep-alive", (character) => character.charCodeAt(0));
export const HOST_SEEN = 1;
const MAX_LENGTH_DIGITS = 16;
const UNDERSCORE = 0x5f;

export function newControlFacts(): ControlFacts {
  return { seen: 0, contentLength: -1, isChunked: false, expectsContinue: false, asksToClose: false };
}

export function newFieldSpan(): FieldSpan {
  return { nameStart: 0, nameEnd: 0, valueStart: 0, valueEnd: 0, isAscii: true };
}

/** 0, or why the field is refused. */
// hot path: once per field.
export function noteField(facts: ControlFacts, bytes: Uint8Array, span: FieldSpan): HeadProblem | 0 {
  const { nameStart, nameEnd } = span;
  const candidates = KNOWN_BY_LENGTH[nameEnd - nameStart] ?? NONE;
  for (const known of candidates) {
    if (isFolded(bytes, nameStart, known.name)) {
      return noteKnown(facts, bytes, { span, known });
    }
  }
  return 0;
}

/** Is `name` one of the fields that the gateway relies on, or an imitation of one? */
export function isKnownName(bytes: Uint8Array, start: number, end: number): boolean {
  const candidates = KNOWN_BY_LENGTH[end - start] ?? NONE;
  return candidates.some(({ name }) => isFolded(bytes, start, name));
}

// hot path
function isFolded(bytes: Uint8Array, start: number, name: Uint8Array): boolean {
  for (let index = 0; index < name.length; index += 1) {
    if (FOLDED[bytes[start + index] ?? 0] !== name[index]) return false;
  }
  return true;
}

type Found = { readonly span: FieldSpan; readonly known: Known };

function noteKnown(facts: ControlFacts, bytes: Uint8Array, found: Found): HeadProblem | 0 {
  const { span, known } = found;
  if (hasUnderscore(bytes, span)) return DISGUISED_NAME;
  const isRepeated = (facts.seen & known.bit) !== 0;
  facts.seen |= known.bit;
  switch (known.kind) {
    case "connection":
      noteConnection(facts, bytes, span);
      return 0;
    case "expect":
      facts.expectsContinue = textOf(bytes, span).toLowerCase() === "100-continue";
      return facts.expectsContinue && !isRepeated ? 0 : BAD_EXPECT;
    default:
      if (isRepeated) return REPEATED;
      return span.isAscii ? noteSingle(facts, bytes, found) : NOT_ASCII;
  }
}

function noteConnection(facts: ControlFacts, bytes: Uint8Array, span: FieldSpan): void {
  const isPlain = span.valueEnd - span.valueStart === KEEP_ALIVE.length && isFolded(bytes, span.valueStart, KEEP_ALIVE);
  if (!isPlain) facts.asksToClose ||= /(^|[,\t ])close($|[,\t ])/i.test(textOf(bytes, span));
}

/** A field that may stand once, and does so far. */
function noteSingle(facts: ControlFacts, bytes: Uint8Array, { span, known }: Found): HeadProblem | 0 {
  switch (known.kind) {
    case "host":
      return isHost(bytes, span.valueStart, span.valueEnd) ? 0 : BAD_HOST;
    case "content-length":
      facts.contentLength = decimalOf(bytes, span.valueStart, span.valueEnd);
      return facts.contentLength < 0 ? BAD_LENGTH : 0;
    case "transfer-encoding":
      facts.isChunked = textOf(bytes, span).toLowerCase() === "chunked";
      return facts.isChunked ? 0 : BAD_CODING;
    case "upgrade":
      return UPGRADE;
    case "constructor":
      return DISGUISED_NAME;
    default:
      return 0;
  }
}

function hasUnderscore(bytes: Uint8Array, { nameStart, nameEnd }: FieldSpan): boolean {
  for (let index = nameStart; index < nameEnd; index += 1) {
    if (bytes[index] === UNDERSCORE) return true;
  }
  return false;
}

function textOf(bytes: Uint8Array, { valueStart, valueEnd }: FieldSpan): string {
  let text = "";
  for (let index = valueStart; index < valueEnd; index += 1) {
    text += String.fromCharCode(bytes[index] ?? 0);
  }
  return text;
}

/** The number, or -1: no sign, no leading zero, no blank, at most 2^53 - 1. */
function decimalOf(bytes: Uint8Array, start: number, end: number): number {
  const digits = end - start;
  if (digits === 0 || digits > MAX_LENGTH_DIGITS || (digits > 1 && bytes[start] === 0x30)) return -1;
  let value = 0;
  for (let index = start; index < end; index += 1) {
    const digit = (bytes[index] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return Number.isSafeInteger(value) ? value : -1;
}

/** A name, an IPv4 address or an IPv6 address in brackets, and an optional port. @see RFC 9110 section 7.2 */
function isHost(bytes: Uint8Array, start: number, end: number): boolean {
  const nameEnd = bytes[start] === 0x5b ? endOfIpv6(bytes, start, end) : endOfName(bytes, start, end);
  if (nameEnd <= start) return false;
  if (nameEnd === end) return true;
  return bytes[nameEnd] === 0x3a && end - nameEnd <= 6 && decimalOf(bytes, nameEnd + 1, end) >= 0;
}

function endOfName(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && IS_HOST[bytes[at] ?? 0] === 1) at += 1;
  return at;
}

/** Behind the closing bracket; 0 when there is no address in brackets. */
function endOfIpv6(bytes: Uint8Array, start: number, end: number): number {
  let at = start + 1;
  while (at < end && isIpv6Byte(bytes[at] ?? 0)) at += 1;
  return at - start >= 3 && at < end && bytes[at] === 0x5d ? at + 1 : 0;
}

function isIpv6Byte(byte: number): boolean {
  const lower = byte | 0x20;
  return (byte >= 0x2e && byte <= 0x3a && byte !== 0x2f) || (lower >= 0x61 && lower <= 0x66);
}
