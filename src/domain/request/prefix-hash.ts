import { type ByteSpan, createTopLevelScanner } from "./json-scan.ts";
import { closingQuote } from "./json-string-end.ts";
import { createMixHash, type MixHash, mixBytes, mixDigest, mixWord } from "./mix-hash.ts";

/** Of each part so much is hashed; conversations that begin alike for so long may share a home. */
const MAX_HASHED_BYTES = 256 * 1024;
/** And so much is walked over, whatever it is. */
const MAX_WALKED_BYTES = 1024 * 1024;
/** The first user message is among so many first ones, or there is none. */
const MAX_MESSAGES = 8;

/** Only where the values are is asked for: one byte is more than enough to keep. */
const PARTS = [
  { name: "system", maxBytes: 1 },
  { name: "tools", maxBytes: 1 },
  { name: "messages", maxBytes: 1 },
] as const;
const MESSAGE = [
  { name: "role", maxBytes: 64 },
  { name: "content", maxBytes: 1 },
] as const;

const QUOTE = 0x22;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const OPEN_BRACE = 0x7b;
const BRACE_BIT = 0x20;
const CLOSE_BRACE = 0x7d;
const SPACE = 0x20;
const USER = [0x22, 0x75, 0x73, 0x65, 0x72, 0x22];
const CACHE_CONTROL = bytesOf("cache_control");
const TYPE = bytesOf("type");
const TEXT = bytesOf("text");

/**
 * Tells conversations apart by what stays the same while they grow: system, tools and the first user message. Only
 * strings are hashed, keys and values; not `cache_control`, which moves from turn to turn, and not what tells a text
 * block from a plain string, because clients write the same text now as one and now as the other. Null when there is no
 * user message with a string in it, or no JSON object. Never throws.
 */
export function prefixHashOf(body: Uint8Array): string | null {
  const scanner = createTopLevelScanner(PARTS);
  scanner.feed(body);
  const { members, isWellFormed } = scanner.finish();
  const messages = members[2]?.span ?? null;
  const content = isWellFormed && messages !== null ? firstUserContent(body, messages) : null;
  if (content === null) return null;
  const hash = createMixHash();
  if (hashStrings(hash, body, content) === 0) return null;
  for (const part of [members[0]?.span, members[1]?.span]) {
    // Between the parts, so that a text cannot wander from one to the next.
    mixWord(hash, 1);
    if (part !== null && part !== undefined) hashStrings(hash, body, part);
  }
  return mixDigest(hash);
}

function firstUserContent(body: Uint8Array, messages: ByteSpan): ByteSpan | null {
  if (body[messages.start] !== OPEN_BRACKET) return null;
  let at = nextBrace(body, messages.start + 1, messages.end);
  for (let looked = 0; looked < MAX_MESSAGES && at !== -1; looked++) {
    const end = valueEnd(body, at, messages.end);
    const scanner = createTopLevelScanner(MESSAGE);
    scanner.feed(body.subarray(at, end));
    const [role, content] = scanner.finish().members;
    if (role?.value instanceof Uint8Array && isSame(role.value, USER) && content !== undefined) {
      const { span } = content;
      return span === null ? null : { start: at + span.start, end: at + span.end };
    }
    at = nextBrace(body, end, messages.end);
  }
  return null;
}

/** How many bytes of strings were hashed. */
// hot path
function hashStrings(hash: MixHash, body: Uint8Array, part: ByteSpan): number {
  const end = Math.min(part.end, part.start + MAX_WALKED_BYTES);
  let hashed = 0;
  let at = part.start;
  while (at < end && hashed < MAX_HASHED_BYTES) {
    if (body[at] !== QUOTE) {
      at++;
      continue;
    }
    const start = at + 1;
    const quote = closingQuote(body, start);
    if (quote === -1 || quote >= part.end) break;
    const next = skipSpace(body, quote + 1, part.end);
    const isKey = body[next] === COLON;
    const skipped = isKey ? skippedTo(body, { start, end: quote }, skipSpace(body, next + 1, part.end)) : -1;
    if (skipped === -1) {
      const stop = Math.min(quote, start + MAX_HASHED_BYTES - hashed);
      mixBytes(hash, body, { start, end: stop });
      hashed += stop - start;
    }
    at = skipped === -1 ? quote + 1 : skipped;
  }
  return hashed;
}

/** Where to go on after a key that is not hashed, with or without its value; -1 for all other keys. */
function skippedTo(body: Uint8Array, key: ByteSpan, value: number): number {
  if (isKeyOf(body, key, CACHE_CONTROL)) return valueEnd(body, value, body.length);
  if (isKeyOf(body, key, TYPE) && body[value] === QUOTE) return valueEnd(body, value, body.length);
  return isKeyOf(body, key, TEXT) ? value : -1;
}

/** The index after a string, object or array; of a scalar its start, because no string is in it. */
function valueEnd(body: Uint8Array, start: number, end: number): number {
  const first = body[start] ?? 0;
  if (first !== QUOTE && (first | BRACE_BIT) !== OPEN_BRACE) return start;
  let depth = 0;
  let at = start;
  do {
    const byte = body[at++] ?? 0;
    if (byte === QUOTE) {
      const quote = closingQuote(body, at);
      if (quote === -1) return end;
      at = quote + 1;
    } else if ((byte | BRACE_BIT) === OPEN_BRACE) depth++;
    else if ((byte | BRACE_BIT) === CLOSE_BRACE) depth--;
  } while (depth > 0 && at < end);
  return at;
}

function nextBrace(body: Uint8Array, from: number, end: number): number {
  const at = body.subarray(from, end).indexOf(OPEN_BRACE);
  return at === -1 ? -1 : from + at;
}

function skipSpace(body: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end && (body[at] ?? 0) <= SPACE) at++;
  return at;
}

function isKeyOf(body: Uint8Array, key: ByteSpan, name: readonly number[]): boolean {
  return key.end - key.start === name.length && isSame(body.subarray(key.start, key.end), name);
}

function isSame(bytes: Uint8Array, wanted: readonly number[]): boolean {
  if (bytes.length !== wanted.length) return false;
  for (let at = 0; at < wanted.length; at++) {
    if (bytes[at] !== wanted[at]) return false;
  }
  return true;
}

function bytesOf(ascii: string): readonly number[] {
  return Array.from(ascii, (character) => character.charCodeAt(0));
}
