import { closingQuote, isEscapedAt } from "../request/json-string-end.ts";

/** Counts what the model wrote in `content_block_delta` events, for the estimate of an aborted stream. */
export type DeltaText = {
  /** Bytes of text, thinking and tool input so far, as escaped in the JSON. An estimate for data of another layout. */
  bytes: number;
  quotes: number;
  /** First letter of the delta's type; 0 until it is read. */
  initial: number;
  isEscaped: boolean;
};

const QUOTE = 0x22;
/** `{"type":"content_block_delta","index":0,"delta":{"type":"` holds 11 quotes, `text_delta","text":"` 4 more. */
const TYPE_QUOTE = 11;
const TEXT_QUOTE = 15;
const AFTER_TEXT = 16;
/** text_delta and thinking_delta. */
const LETTER_T = 0x74;
/** input_json_delta. Signatures and citations are not output that is billed by its size. */
const LETTER_I = 0x69;

export function createDeltaText(): DeltaText {
  return { bytes: 0, quotes: 0, initial: 0, isEscaped: false };
}

/** The next bytes belong to another event. */
export function beginDelta(text: DeltaText): void {
  text.quotes = 0;
  text.initial = 0;
  text.isEscaped = false;
}

/** Takes the next piece of a delta's data: `chunk` from `from` up to but not including `to`. */
// hot path
// biome-ignore lint/complexity/useMaxParams: a range of a chunk; an object for it would be made for every piece.
export function countDelta(text: DeltaText, chunk: Uint8Array, from: number, to: number): void {
  let at = from;
  let quotes = text.quotes;
  while (quotes < TEXT_QUOTE && at < to) {
    const byte = chunk[at++];
    if (byte === QUOTE) quotes++;
    else if (quotes === TYPE_QUOTE && text.initial === 0) text.initial = byte ?? 0;
  }
  text.quotes = quotes;
  if (quotes === TEXT_QUOTE && at < to) countText(text, chunk, at, to);
}

// biome-ignore lint/complexity/useMaxParams: a range of a chunk; an object for it would be made for every piece.
function countText(text: DeltaText, chunk: Uint8Array, from: number, to: number): void {
  const start = text.isEscaped ? from + 1 : from;
  const quote = closingQuote(chunk, start);
  const isClosed = quote !== -1 && quote < to;
  if (text.initial === LETTER_T || text.initial === LETTER_I) text.bytes += (isClosed ? quote : to) - from;
  text.isEscaped = !isClosed && isEscapedAt(chunk, start, to);
  if (isClosed) text.quotes = AFTER_TEXT;
}
