import { append, type BoundedBytes, clear, contentsOf, createBoundedBytes } from "../request/bounded-bytes.ts";
import { parseJsonBytes } from "../request/json-bytes.ts";
import { memberOf } from "../request/json-member.ts";
import { beginDelta, countDelta, createDeltaText, type DeltaText } from "./delta-text.ts";
import {
  BLOCK_DELTA,
  BLOCK_START,
  BLOCK_STOP,
  ERROR,
  kindOfType,
  MESSAGE_DELTA,
  MESSAGE_START,
  MESSAGE_STOP,
  PING,
  UNNAMED,
} from "./event-name.ts";
import { readWireError, UNREADABLE_ERROR, type WireError } from "./wire-error.ts";

/** Data of one event that is kept; beyond it the event passes unread. */
const MAX_EVENT_BYTES = 1024 * 1024;
/** Data of one line of such an event. */
export const MAX_LINE_BYTES = 256 * 1024;

const NEWLINE = new Uint8Array([0x0a]);

/** Parsed data of an event that carries facts. */
export type EventData = { readonly kind: "message_start" | "message_delta" | "error"; readonly data: unknown };

/** The first event that is neither a ping nor a comment. */
export type FirstEvent = { readonly kind: "content" } | { readonly kind: "error"; readonly error: WireError };

/** What the events so far said, and the event that is being read. */
export type EventState = {
  kind: number;
  hasData: boolean;
  lineBytes: number;
  readonly data: BoundedBytes;
  readonly text: DeltaText;
  readonly onData: (event: EventData) => void;
  firstEvent: FirstEvent | null;
  hasEnded: boolean;
  lastError: WireError | null;
  contentStarted: boolean;
};

export function createEventState(onData: (event: EventData) => void): EventState {
  return {
    kind: UNNAMED,
    hasData: false,
    lineBytes: 0,
    data: createBoundedBytes(MAX_EVENT_BYTES),
    text: createDeltaText(),
    onData,
    firstEvent: null,
    hasEnded: false,
    lastError: null,
    contentStarted: false,
  };
}

export function nameEvent(event: EventState, kind: number): void {
  // Data that came before its name was kept only if it could have been wanted.
  if (event.hasData && !isKept(event.kind)) event.data.isOver = true;
  event.kind = kind;
}

/** A `data` field begins. */
export function beginData(event: EventState): void {
  if (event.hasData && isKept(event.kind)) keep(event, NEWLINE, 0, 1);
  event.hasData = true;
  event.lineBytes = 0;
}

// hot path
// biome-ignore lint/complexity/useMaxParams: a range of a chunk; an object for it would be made for every piece.
export function addData(event: EventState, chunk: Uint8Array, from: number, to: number): void {
  if (event.kind === BLOCK_DELTA) {
    countDelta(event.text, chunk, from, to);
  } else if (isKept(event.kind)) {
    event.lineBytes += to - from;
    if (event.lineBytes > MAX_LINE_BYTES) event.data.isOver = true;
    keep(event, chunk, from, to);
  }
}

/** A blank line: the event is complete. One without data is none. */
// hot path
export function endEvent(event: EventState): void {
  if (event.hasData) {
    if (isKept(event.kind) && !event.hasEnded) endKeptEvent(event);
    else noteEvent(event, event.kind, null);
    event.hasData = false;
    if (event.data.length !== 0 || event.data.isOver) clear(event.data);
    beginDelta(event.text);
  }
  event.kind = UNNAMED;
}

function isKept(kind: number): boolean {
  return kind === UNNAMED || kind === MESSAGE_DELTA || kind === MESSAGE_START || kind === ERROR;
}

// biome-ignore lint/complexity/useMaxParams: a range of a chunk; an object for it would be made for every piece.
function keep(event: EventState, chunk: Uint8Array, from: number, to: number): void {
  append(event.data, chunk, from, to);
  // Whoever holds the stream back for its first event must not wait for the end of one that nobody will read.
  if (event.data.isOver && event.firstEvent === null) event.firstEvent = firstEventOf(event.kind, UNREADABLE_ERROR);
}

function endKeptEvent(event: EventState): void {
  const parsed = event.data.isOver ? null : parseJsonBytes(contentsOf(event.data));
  const data = parsed?.ok === true ? parsed.value : null;
  let kind = event.kind;
  if (kind === UNNAMED) {
    kind = kindOfType(memberOf(data, "type"));
    if (kind === BLOCK_DELTA) countDelta(event.text, event.data.bytes, 0, event.data.length);
  }
  noteEvent(event, kind, data);
  if (data === null) return;
  if (kind === MESSAGE_START) event.onData({ kind: "message_start", data });
  else if (kind === MESSAGE_DELTA) event.onData({ kind: "message_delta", data });
  else if (kind === ERROR) event.onData({ kind: "error", data });
}

function noteEvent(event: EventState, kind: number, data: unknown): void {
  // After message_stop the answer is over: what follows is relayed, but says nothing about it.
  if (event.hasEnded) return;
  if (kind === ERROR) {
    event.lastError = readWireError(memberOf(data, "error")) ?? UNREADABLE_ERROR;
  }
  if (kind === MESSAGE_STOP) event.hasEnded = true;
  if (kind === BLOCK_DELTA || kind === BLOCK_START || kind === BLOCK_STOP) event.contentStarted = true;
  if (event.firstEvent === null) event.firstEvent = firstEventOf(kind, event.lastError ?? UNREADABLE_ERROR);
}

function firstEventOf(kind: number, error: WireError): FirstEvent | null {
  if (kind === PING) return null;
  return kind === ERROR ? { kind: "error", error } : { kind: "content" };
}
