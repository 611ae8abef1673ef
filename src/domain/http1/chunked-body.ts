/** Between two reads of a chunked body. Made by `createChunkedReader`, advanced by `readChunked` only. */
export type ChunkedReader = {
  place: ChunkedPlace;
  /** Data bytes left of the current chunk. */
  chunkBytesLeft: number;
  sizeDigits: number;
  lineBytes: number;
  /** Of the whole body so far; each one is bounded here, their sum by the caller if it minds. */
  extensionBytes: number;
  /** The field lines behind the last chunk, one character per byte, each with its CRLF; "" without any. */
  trailer: string;
  /** After `piece`: the data is `bytes[pieceStart..next]`. */
  pieceStart: number;
  /** Where the next call continues; after `done`: where the bytes behind the body start. */
  next: number;
};

/** `piece`: data was found, call again. `more`: all bytes are used. `done`: the final chunk and the trailers were read. */
export type ChunkedStep = "piece" | "more" | "done" | "bad";

type ChunkedPlace =
  | "size"
  | "extension"
  | "size_lf"
  | "data"
  | "data_cr"
  | "data_lf"
  | "trailer_start"
  | "trailer"
  | "trailer_lf"
  | "last_lf"
  | "done"
  | "bad";

/** 2^52 bytes: exact as a number, and far above what any answer holds. */
const MAX_SIZE_DIGITS = 13;
const MAX_EXTENSION_BYTES = 1_024;
const MAX_TRAILER_BYTES = 8_192;

const CR = 0x0d;
const LF = 0x0a;

export function createChunkedReader(): ChunkedReader {
  return {
    place: "size",
    chunkBytesLeft: 0,
    sizeDigits: 0,
    lineBytes: 0,
    extensionBytes: 0,
    trailer: "",
    pieceStart: 0,
    next: 0,
  };
}

/**
 * Finds the next piece of data in `bytes` at `from`. Strict: hexadecimal sizes without sign, prefix or blanks, CRLF only,
 * bounded extensions (dropped) and trailers (kept as text, not looked into). Never throws, never copies.
 * @see RFC 9112 section 7.1
 */
// hot path
export function readChunked(reader: ChunkedReader, bytes: Uint8Array, from: number): ChunkedStep {
  let index = from;
  while (index < bytes.length) {
    if (reader.place === "data") {
      const takenBytes = Math.min(reader.chunkBytesLeft, bytes.length - index);
      reader.pieceStart = index;
      reader.next = index + takenBytes;
      reader.chunkBytesLeft -= takenBytes;
      if (reader.chunkBytesLeft === 0) reader.place = "data_cr";
      return "piece";
    }
    reader.place = placeAfter(reader, bytes[index] ?? 0);
    if (reader.place === "bad") return "bad";
    index += 1;
    reader.next = index;
    if (reader.place === "done") return "done";
  }
  reader.next = index;
  return "more";
}

// hot path
function placeAfter(reader: ChunkedReader, byte: number): ChunkedPlace {
  switch (reader.place) {
    case "size":
      return afterSizeByte(reader, byte);
    case "extension":
      if (byte === CR) return "size_lf";
      reader.lineBytes += 1;
      reader.extensionBytes += 1;
      return isText(byte) && reader.lineBytes <= MAX_EXTENSION_BYTES ? "extension" : "bad";
    case "size_lf":
      if (byte !== LF) return "bad";
      return reader.chunkBytesLeft === 0 ? "trailer_start" : "data";
    case "data_cr":
      return byte === CR ? "data_lf" : "bad";
    case "data_lf":
      reader.sizeDigits = 0;
      reader.lineBytes = 0;
      return byte === LF ? "size" : "bad";
    case "trailer_start":
      return byte === CR ? "last_lf" : afterTrailerByte(reader, byte);
    case "trailer":
      return byte === CR ? "trailer_lf" : afterTrailerByte(reader, byte);
    case "trailer_lf":
      reader.trailer += "\r\n";
      return byte === LF ? "trailer_start" : "bad";
    case "last_lf":
      return byte === LF ? "done" : "bad";
    default:
      // "data" is handled by the caller; nothing may follow "done" or "bad".
      return "bad";
  }
}

// hot path
function afterSizeByte(reader: ChunkedReader, byte: number): ChunkedPlace {
  const digit = hexDigit(byte);
  if (digit >= 0) {
    reader.sizeDigits += 1;
    reader.chunkBytesLeft = reader.chunkBytesLeft * 16 + digit;
    return reader.sizeDigits <= MAX_SIZE_DIGITS ? "size" : "bad";
  }
  if (reader.sizeDigits === 0) return "bad";
  if (byte === CR) return "size_lf";
  return byte === 0x3b ? "extension" : "bad";
}

function afterTrailerByte(reader: ChunkedReader, byte: number): ChunkedPlace {
  reader.trailer += String.fromCharCode(byte);
  const isFold = reader.place === "trailer_start" && (byte === 0x20 || byte === 0x09);
  return isText(byte) && !isFold && reader.trailer.length <= MAX_TRAILER_BYTES ? "trailer" : "bad";
}

function isText(byte: number): boolean {
  return byte === 0x09 || (byte >= 0x20 && byte !== 0x7f);
}

/** 0 to 15, or -1. */
function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
