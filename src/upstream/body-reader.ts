import { type ChunkedReader, createChunkedReader, readChunked } from "../domain/http1/chunked-body.ts";
import type { Framing, ResponseHead } from "./response-head.ts";

/** Finds the data of one body in the bytes of a connection, by whatever framing. Advanced by `readBody` only. */
export type BodyReader = {
  readonly framing: Framing;
  readonly chunked: ChunkedReader | null;
  bytesLeft: number;
  /** After `piece`: the data is `bytes[pieceStart..next]`. */
  pieceStart: number;
  /** Where the next call continues; after `done`: where bytes begin that do not belong to the body. */
  next: number;
};

/**
 * `piece`: data was found, call again. `last_piece`: the same, and the body ends with it. `more`: all bytes are used.
 * `done`: the end that the framing promised.
 */
export type BodyStep = "piece" | "last_piece" | "more" | "done" | "bad";

export function createBodyReader({ framing, contentLength }: ResponseHead): BodyReader {
  const chunked = framing === "chunked" ? createChunkedReader() : null;
  return { framing, chunked, bytesLeft: contentLength ?? 0, pieceStart: 0, next: 0 };
}

/** A body framed by the close of the connection is never `done`. Never throws, never copies. */
// hot path
export function readBody(reader: BodyReader, bytes: Uint8Array, from: number): BodyStep {
  if (reader.chunked !== null) {
    const step = readChunked(reader.chunked, bytes, from);
    reader.pieceStart = reader.chunked.pieceStart;
    reader.next = reader.chunked.next;
    return step;
  }
  reader.pieceStart = from;
  reader.next = from;
  const availableBytes = bytes.length - from;
  if (reader.framing === "close") {
    reader.next = bytes.length;
    return availableBytes > 0 ? "piece" : "more";
  }
  if (reader.bytesLeft === 0) return "done";
  const takenBytes = Math.min(reader.bytesLeft, availableBytes);
  reader.bytesLeft -= takenBytes;
  reader.next = from + takenBytes;
  if (takenBytes === 0) return "more";
  return reader.bytesLeft === 0 ? "last_piece" : "piece";
}
