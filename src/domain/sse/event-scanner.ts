import { createEventLines, feedLines } from "./event-lines.ts";
import { createEventState, type EventData, type FirstEvent } from "./event-state.ts";
import type { WireError } from "./wire-error.ts";

/**
 * Watches the raw bytes of an event stream beside the relay. It never throws, keeps at most one event of 1 MiB, and
 * gives the same answers however the bytes are cut. All fields describe the bytes fed so far.
 */
export interface EventScanner {
  /** Once per chunk; the chunk is not kept. */
  feed(chunk: Uint8Array): void;
  /**
   * The first complete event that is neither a ping nor a comment, or the first whose data is too large to read.
   * It is null until then, so whoever holds the stream back needs an own bound on bytes and time.
   */
  readonly firstEvent: FirstEvent | null;
  /** The bytes end with a blank line: an event of our own may be inserted here. False before the first byte. */
  readonly isAtEventBoundary: boolean;
  /** `message_stop` was seen: a stream without it is a broken one. */
  readonly hasEnded: boolean;
  /** Of the last `error` event before the end. */
  readonly lastError: WireError | null;
  /** A `content_block_*` event was seen. */
  readonly contentStarted: boolean;
  /** Bytes of text, thinking and tool input in the deltas, as escaped in the JSON. */
  readonly textBytes: number;
}

/** `onData` is called inside `feed`, at the end of each `message_start`, `message_delta` and `error`; it must not throw. */
export function createEventScanner(onData: (event: EventData) => void = ignore): EventScanner {
  const event = createEventState(onData);
  const lines = createEventLines(event);
  return {
    feed: (chunk) => feedLines(lines, chunk),
    get firstEvent() {
      return event.firstEvent;
    },
    get isAtEventBoundary() {
      return lines.isAtEventBoundary;
    },
    get hasEnded() {
      return event.hasEnded;
    },
    get lastError() {
      return event.lastError;
    },
    get contentStarted() {
      return event.contentStarted;
    },
    get textBytes() {
      return event.text.bytes;
    },
  };
}

function ignore(): void {
  // A caller that reads only the fields.
}
