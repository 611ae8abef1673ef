import type { HeaderField } from "../gateway/ports.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import { isToken } from "./field-chars.ts";

/** How the end of a body is found. `close`: the peer closes, so a premature end cannot be seen. */
export type Framing = "none" | "length" | "chunked" | "close";

export type ResponseHead = {
  readonly status: number;
  readonly headers: readonly HeaderField[];
  readonly framing: Framing;
  /** Body length in bytes for framing `length`, else null. */
  readonly contentLength: number | null;
  /** False for HTTP/1.0 and for `Connection: close`. */
  readonly isReusable: boolean;
};

/** `more`: feed the next bytes. `bad`: a fact for the log, without any value from the wire. */
export type HeadStep =
  | { readonly kind: "more" }
  | { readonly kind: "head"; readonly head: ResponseHead; readonly rest: Buffer }
  | { readonly kind: "bad"; readonly fact: string };

/** Between two reads: what arrived of the head and how far it was scanned. */
export type HeadReader = {
  readonly maxBytes: number;
  /** True when the request was a HEAD, so that no body follows. */
  readonly isForHead: boolean;
  held: Buffer;
  heldBytes: number;
  scannedBytes: number;
  place: number;
  lines: number;
  interimHeads: number;
};

const MAX_FIELDS = 300;
const MAX_INTERIM_HEADS = 10;
const MAX_LENGTH_DIGITS = 16;
const MORE: HeadStep = { kind: "more" };
const NO_BYTES = Buffer.alloc(0);

const CR = 1;
const LF = 2;
const BLANK = 3;
const FORBIDDEN = 4;
/** Class of each byte; 0 is ordinary text, obs-text included. */
const CLASS = new Uint8Array(256).fill(FORBIDDEN, 0, 0x20);
CLASS[0x7f] = FORBIDDEN;
CLASS[0x0d] = CR;
CLASS[0x0a] = LF;
CLASS[0x09] = BLANK;
CLASS[0x20] = BLANK;

const PREFIX = Buffer.from("HTTP/1.");

const IN_LINE = 0;
const AFTER_CR = 1;
const AT_LINE_START = 2;
const AFTER_LAST_CR = 3;
const AT_END = 4;
/** Where a byte of each class leads from each place: another place, or a key of `SCAN_FACTS`. */
const PLACES = Int8Array.of(
  ...[IN_LINE, AFTER_CR, -2, IN_LINE, -3], // from IN_LINE by text, CR, LF, blank, forbidden
  ...[-2, -2, AT_LINE_START, -2, -2], // from AFTER_CR
  ...[IN_LINE, AFTER_LAST_CR, -2, -4, -3], // from AT_LINE_START
  ...[-2, -2, AT_END, -2, -2], // from AFTER_LAST_CR
);
const CLASSES = 5;

const INCOMPLETE = -1;
const SCAN_FACTS: Readonly<Record<number, string>> = {
  [-2]: "the response head holds a bare CR or LF",
  [-3]: "the response head holds a control character",
  [-4]: "the response head holds a folded line",
  [-5]: `the response head holds more than ${MAX_FIELDS} fields`,
  [-6]: "the response does not start with HTTP/1.",
};

export function createHeadReader(maxBytes: number, isForHead: boolean): HeadReader {
  return {
    maxBytes,
    isForHead,
    held: NO_BYTES,
    heldBytes: 0,
    scannedBytes: 0,
    place: IN_LINE,
    lines: 0,
    interimHeads: 0,
  };
}

/**
 * Reads a response head, however its bytes are cut, and skips interim (1xx) heads. Strict: what two parsers could read
 * differently is refused. Never throws. `rest` are the bytes behind the head; they are not copied.
 * @see RFC 9112 sections 2.2, 4, 5, 6
 */
// hot path
export function readHead(reader: HeadReader, chunk: Buffer): HeadStep {
  let bytes = chunk;
  if (reader.heldBytes > 0) {
    hold(reader, chunk);
    bytes = reader.held.subarray(0, reader.heldBytes);
  }
  for (;;) {
    const headBytes = scan(reader, bytes);
    if (headBytes === INCOMPLETE) return holdForMore(reader, bytes);
    if (headBytes < 0) return { kind: "bad", fact: SCAN_FACTS[headBytes] ?? "the response head is malformed" };
    if (headBytes > reader.maxBytes) return tooLong(reader);
    const parsed = parseHead(bytes.toString("latin1", 0, headBytes), reader.isForHead);
    if (!parsed.ok) return { kind: "bad", fact: parsed.error };
    bytes = bytes.subarray(headBytes);
    restart(reader);
    if (parsed.value.status >= 200) return { kind: "head", head: parsed.value, rest: bytes };
    reader.interimHeads += 1;
    if (reader.interimHeads > MAX_INTERIM_HEADS) {
      return { kind: "bad", fact: `more than ${MAX_INTERIM_HEADS} interim responses arrived` };
    }
    if (bytes.length === 0) return MORE;
  }
}

function holdForMore(reader: HeadReader, bytes: Buffer): HeadStep {
  if (bytes.length > reader.maxBytes) return tooLong(reader);
  if (reader.heldBytes === 0) hold(reader, bytes);
  return MORE;
}

function tooLong(reader: HeadReader): HeadStep {
  return { kind: "bad", fact: `the response head is longer than ${reader.maxBytes} bytes` };
}

function restart(reader: HeadReader): void {
  reader.held = NO_BYTES;
  reader.heldBytes = 0;
  reader.scannedBytes = 0;
  reader.place = IN_LINE;
  reader.lines = 0;
}

function hold(reader: HeadReader, chunk: Buffer): void {
  const neededBytes = reader.heldBytes + chunk.length;
  if (neededBytes > reader.held.length) {
    const grown = Buffer.allocUnsafe(Math.max(1_024, neededBytes, reader.held.length * 2));
    grown.set(reader.held.subarray(0, reader.heldBytes));
    reader.held = grown;
  }
  reader.held.set(chunk, reader.heldBytes);
  reader.heldBytes = neededBytes;
}

/** The length of the head when it is complete, `INCOMPLETE`, or a key of `SCAN_FACTS`. Looks at each byte once. */
// hot path
function scan(reader: HeadReader, bytes: Buffer): number {
  // At once, so that a peer that speaks another protocol is not waited for.
  for (let index = reader.scannedBytes; index < PREFIX.length && index < bytes.length; index += 1) {
    if (bytes[index] !== PREFIX[index]) return -6;
  }
  // Beyond the limit nothing is looked at: the caller refuses by length.
  const end = Math.min(bytes.length, reader.maxBytes + 1);
  let place = reader.place;
  let index = reader.scannedBytes;
  for (; index < end; index += 1) {
    place = PLACES[place * CLASSES + (CLASS[bytes[index] ?? 0] ?? FORBIDDEN)] ?? -2;
    if (place < 0) return place;
    if (place === AT_END) return index + 1;
    if (place === AT_LINE_START) reader.lines += 1;
    if (reader.lines > MAX_FIELDS + 1) return -5;
  }
  reader.place = place;
  reader.scannedBytes = index;
  return INCOMPLETE;
}

/** `text` is a whole head that `scan` accepted, so that every line ends with CRLF and the last one is empty. */
// hot path
function parseHead(text: string, isForHead: boolean): Result<ResponseHead, string> {
  let lineEnd = text.indexOf("\r\n");
  const status = parseStatusLine(text, lineEnd);
  if (status < 0) return err("the status line is malformed, or not HTTP/1.1 or HTTP/1.0 with a status of 100 to 599");
  if (status === 101) return err("the response switches protocols");
  const facts: FramingFacts = { contentLength: -1, isChunked: false, isClosing: false };
  const headers: HeaderField[] = [];
  for (let start = lineEnd + 2; start < text.length - 2; start = lineEnd + 2) {
    lineEnd = text.indexOf("\r\n", start);
    const colon = text.indexOf(":", start);
    if (colon < 0 || colon > lineEnd) return err("a field line has no colon");
    const name = text.slice(start, colon);
    if (!isToken(name)) return err("a field name is empty or holds an illegal character");
    const value = trimmedSlice(text, colon + 1, lineEnd);
    const problem = noteFraming(facts, name, value);
    if (problem !== null) return err(problem);
    headers.push([name, value]);
  }
  return withFraming({ status, headers, facts, isForHead, isVersion10: text.charCodeAt(7) === 0x30 });
}

/** The status, or -1. The reason phrase is ignored; some servers leave out the space before an empty one. */
function parseStatusLine(text: string, lineEnd: number): number {
  if (lineEnd < 12 || !(text.startsWith("HTTP/1.1 ") || text.startsWith("HTTP/1.0 "))) return -1;
  if (lineEnd > 12 && text.charCodeAt(12) !== 0x20) return -1;
  let status = 0;
  for (let index = 9; index < 12; index += 1) {
    const digit = text.charCodeAt(index) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    status = status * 10 + digit;
  }
  return status >= 100 && status <= 599 ? status : -1;
}

type FramingFacts = { contentLength: number; isChunked: boolean; isClosing: boolean };

/** Null, or why this field makes the framing doubtful. */
// hot path
function noteFraming(facts: FramingFacts, name: string, value: string): string | null {
  if (name.length === 14 && name.toLowerCase() === "content-length") {
    if (facts.contentLength >= 0) return "Content-Length is given more than once";
    const isDecimal = value.length <= MAX_LENGTH_DIGITS && /^(0|[1-9][0-9]*)$/.test(value);
    if (!isDecimal || !Number.isSafeInteger(Number(value))) return "Content-Length is not a plain decimal number";
    facts.contentLength = Number(value);
  } else if (name.length === 17 && name.toLowerCase() === "transfer-encoding") {
    if (facts.isChunked || value.toLowerCase() !== "chunked") return "Transfer-Encoding is not exactly chunked";
    facts.isChunked = true;
  } else if (name.length === 10 && name.toLowerCase() === "connection") {
    facts.isClosing ||= /(^|[,\t ])close($|[,\t ])/i.test(value);
  }
  return null;
}

type HeadParts = {
  readonly status: number;
  readonly headers: readonly HeaderField[];
  readonly facts: FramingFacts;
  readonly isForHead: boolean;
  readonly isVersion10: boolean;
};

function withFraming({ status, headers, facts, isForHead, isVersion10 }: HeadParts): Result<ResponseHead, string> {
  const hasLength = facts.contentLength >= 0;
  if (facts.isChunked && hasLength) return err("both Content-Length and Transfer-Encoding are given");
  if (facts.isChunked && isVersion10) return err("Transfer-Encoding is given by HTTP/1.0");
  const isBodiless = isForHead || status < 200 || status === 204 || status === 304;
  const framing = isBodiless ? "none" : facts.isChunked ? "chunked" : hasLength ? "length" : "close";
  // A 204 that announces a body may well send it: what follows cannot be trusted to be the next response.
  const isContradictory = status === 204 && (facts.isChunked || facts.contentLength > 0);
  return ok({
    status,
    headers,
    framing,
    contentLength: framing === "length" ? facts.contentLength : null,
    isReusable: !isVersion10 && !facts.isClosing && !isContradictory && framing !== "close",
  });
}

/** Not String.trim: that would also remove obs-text 0xa0. */
function trimmedSlice(text: string, start: number, end: number): string {
  let from = start;
  let to = end;
  while (from < to && isBlank(text.charCodeAt(from))) from += 1;
  while (to > from && isBlank(text.charCodeAt(to - 1))) to -= 1;
  return text.slice(from, to);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
