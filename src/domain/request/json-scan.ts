import { append, type BoundedBytes, contentsOf, createBoundedBytes } from "./bounded-bytes.ts";
import { parseJsonBytes } from "./json-bytes.ts";
import {
  AFTER_VALUE,
  BROKEN,
  COLON,
  END,
  isInValue,
  isScalarByte,
  KEY,
  NESTED,
  NESTED_STRING,
  phaseAfter,
  SCALAR,
  START,
  STRING,
  VALUE,
} from "./json-phase.ts";
import { closingQuote, isEscapedAt } from "./json-string-end.ts";

/** A top-level member to look for. `name` is ASCII without quotes and backslashes; `maxBytes` bounds the raw value kept. */
export type WantedMember = { readonly name: string; readonly maxBytes: number };

/** Bytes of the whole body, from `start` up to but not including `end`. */
export type ByteSpan = { readonly start: number; readonly end: number };

/** Of a key that occurs more than once, value and span are those of its last complete occurrence, as in `JSON.parse`. */
export type ScannedMember = {
  /** How often the key occurred at the top level, however it was escaped. */
  readonly count: number;
  /**
   * The raw JSON value without the space around it: a view of the chunk when it came in one piece, else a copy.
   * "too_large": longer than `maxBytes`.
   */
  readonly value: Uint8Array | "too_large" | null;
  readonly span: ByteSpan | null;
};

export type ScanResult = {
  /** In the order of `wanted`. */
  readonly members: readonly ScannedMember[];
  /**
   * The body is one complete JSON object, as far as the scanner looked: it does not check scalars, the inside of nested
   * values, or UTF-8. False means that no JSON parser accepts the body.
   */
  readonly isWellFormed: boolean;
};

/** Finds members of the top-level object in a body that arrives in chunks. Memory: the values kept. Never throws. */
export interface TopLevelScanner {
  feed(chunk: Uint8Array): void;
  finish(): ScanResult;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
/** `[` and `{` differ from each other in this bit alone, as do `]` and `}`. */
const BRACE_BIT = 0x20;
const NOT_WANTED = -1;
/** `\u006d` is the longest way to write an ASCII character. */
const MAX_ESCAPE_BYTES = 6;

type Found = { count: number; value: Uint8Array | "too_large" | null; span: ByteSpan | null };

type Scan = {
  readonly wanted: readonly WantedMember[];
  readonly found: readonly Found[];
  phase: number;
  /** Bytes of the chunks before this one. */
  offset: number;
  depth: number;
  /** The chunk before ended on a backslash that escapes the first byte of this one. */
  isEscaped: boolean;
  readonly key: Uint8Array;
  /** More than `key` holds means: too long to be wanted. */
  keyLength: number;
  isKeyEscaped: boolean;
  /** The wanted member whose value is being read, or -1. */
  current: number;
  valueStart: number;
  /** What earlier chunks had of the value; null while it is all in this one. */
  held: BoundedBytes | null;
};

export function createTopLevelScanner(wanted: readonly WantedMember[]): TopLevelScanner {
  let longest = 0;
  for (const member of wanted) longest = Math.max(longest, member.name.length);
  const scan: Scan = {
    wanted,
    found: wanted.map(() => ({ count: 0, value: null, span: null })),
    phase: START,
    offset: 0,
    depth: 0,
    isEscaped: false,
    key: new Uint8Array(longest * MAX_ESCAPE_BYTES),
    keyLength: 0,
    isKeyEscaped: false,
    current: NOT_WANTED,
    valueStart: 0,
    held: null,
  };
  return {
    feed: (chunk) => feed(scan, chunk),
    finish: () => ({ members: scan.found, isWellFormed: scan.phase === END }),
  };
}

/** The parsed value; null when the member is absent, too large or malformed. */
export function parseMember(member: ScannedMember | undefined): unknown {
  if (member === undefined || !(member.value instanceof Uint8Array)) return null;
  const parsed = parseJsonBytes(member.value);
  return parsed.ok ? parsed.value : null;
}

// hot path
function feed(scan: Scan, chunk: Uint8Array): void {
  let at = 0;
  while (at < chunk.length) {
    switch (scan.phase) {
      case KEY:
        at = readKey(scan, chunk, at);
        break;
      case STRING:
        at = skipString(scan, chunk, at);
        break;
      case NESTED_STRING:
        at = skipString(scan, chunk, at);
        break;
      case NESTED:
        at = skipNested(scan, chunk, at);
        break;
      case SCALAR:
        at = skipScalar(scan, chunk, at);
        break;
      case BROKEN:
        at = chunk.length;
        break;
      default:
        at = readStructure(scan, chunk, at);
    }
  }
  if (scan.current !== NOT_WANTED && isInValue(scan.phase)) holdValue(scan, chunk, chunk.length);
  scan.offset += chunk.length;
}

/** One byte between keys and values. */
function readStructure(scan: Scan, chunk: Uint8Array, at: number): number {
  const phase = scan.phase;
  scan.phase = phaseAfter(phase, chunk[at] ?? 0);
  if (scan.phase === KEY) {
    scan.keyLength = 0;
    scan.isKeyEscaped = false;
  } else if (phase === VALUE && scan.phase !== VALUE) beginValue(scan, scan.offset + at);
  return at + 1;
}

function readKey(scan: Scan, chunk: Uint8Array, from: number): number {
  const at = skipString(scan, chunk, from);
  const end = scan.phase === COLON ? at - 1 : at;
  for (let next = from; next < end && scan.keyLength <= scan.key.length; next++) {
    const byte = chunk[next] ?? 0;
    scan.key[scan.keyLength++] = byte;
    if (byte === BACKSLASH) scan.isKeyEscaped = true;
  }
  if (scan.phase === COLON) scan.current = wantedIndex(scan);
  return at;
}

/** The wanted member that the key just read names, or -1. */
function wantedIndex(scan: Scan): number {
  if (scan.keyLength > scan.key.length) return NOT_WANTED;
  const decoded = scan.isKeyEscaped ? decodedKey(scan.key.subarray(0, scan.keyLength)) : null;
  for (let index = 0; index < scan.wanted.length; index++) {
    const name = scan.wanted[index]?.name ?? "";
    if (scan.isKeyEscaped ? decoded === name : isName(scan, name)) return index;
  }
  return NOT_WANTED;
}

function isName(scan: Scan, name: string): boolean {
  if (scan.keyLength !== name.length) return false;
  for (let at = 0; at < name.length; at++) {
    if (scan.key[at] !== name.charCodeAt(at)) return false;
  }
  return true;
}

function decodedKey(raw: Uint8Array): unknown {
  const quoted = new Uint8Array(raw.length + 2).fill(QUOTE);
  quoted.set(raw, 1);
  const parsed = parseJsonBytes(quoted);
  return parsed.ok ? parsed.value : null;
}

function beginValue(scan: Scan, start: number): void {
  scan.depth = 1;
  const found = scan.found[scan.current];
  if (found === undefined) return;
  found.count++;
  scan.valueStart = start;
}

/** The index after the closing quote, in the next phase; or the end of the chunk, in the same phase. */
function skipString(scan: Scan, chunk: Uint8Array, at: number): number {
  const from = scan.isEscaped ? at + 1 : at;
  scan.isEscaped = false;
  const quote = closingQuote(chunk, from);
  if (quote === -1) {
    scan.isEscaped = isEscapedAt(chunk, from, chunk.length);
    return chunk.length;
  }
  if (scan.phase === STRING) {
    scan.phase = AFTER_VALUE;
    endValue(scan, chunk, quote + 1);
  } else {
    scan.phase = scan.phase === KEY ? COLON : NESTED;
  }
  return quote + 1;
}

/** The index after the bracket that ends the value, or the end of the chunk. */
// hot path
function skipNested(scan: Scan, chunk: Uint8Array, from: number): number {
  const length = chunk.length;
  let depth = scan.depth;
  let at = from;
  while (at < length) {
    const byte = chunk[at++] ?? 0;
    if (byte === QUOTE) {
      const quote = closingQuote(chunk, at);
      if (quote === -1) {
        scan.phase = NESTED_STRING;
        scan.isEscaped = isEscapedAt(chunk, at, length);
        scan.depth = depth;
        return length;
      }
      at = quote + 1;
    } else if ((byte | BRACE_BIT) === OPEN_BRACE) depth++;
    else if ((byte | BRACE_BIT) === CLOSE_BRACE && --depth === 0) {
      scan.phase = AFTER_VALUE;
      endValue(scan, chunk, at);
      return at;
    }
  }
  scan.depth = depth;
  return length;
}

function skipScalar(scan: Scan, chunk: Uint8Array, from: number): number {
  let at = from;
  while (at < chunk.length && isScalarByte(chunk[at] ?? 0)) at++;
  if (at < chunk.length) {
    scan.phase = AFTER_VALUE;
    endValue(scan, chunk, at);
  }
  return at;
}

/** The value goes on in the next chunk: keeps a copy of what this one has of it. */
function holdValue(scan: Scan, chunk: Uint8Array, end: number): void {
  scan.held ??= createBoundedBytes(scan.wanted[scan.current]?.maxBytes ?? 0);
  append(scan.held, chunk, Math.max(0, scan.valueStart - scan.offset), end);
}

function endValue(scan: Scan, chunk: Uint8Array, end: number): void {
  const found = scan.found[scan.current];
  const member = scan.wanted[scan.current];
  if (found === undefined || member === undefined) return;
  if (scan.held !== null) {
    holdValue(scan, chunk, end);
    found.value = scan.held.isOver ? "too_large" : contentsOf(scan.held);
    scan.held = null;
  } else {
    const start = scan.valueStart - scan.offset;
    found.value = end - start > member.maxBytes ? "too_large" : chunk.subarray(start, end);
  }
  found.span = { start: scan.valueStart, end: scan.offset + end };
  scan.current = NOT_WANTED;
}
