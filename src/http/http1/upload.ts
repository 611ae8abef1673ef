import { type ChunkedReader, createChunkedReader, readChunked } from "../../domain/http1/chunked-body.ts";
import { isKnownName, newFieldSpan } from "./control-fields.ts";
import { BAD_CHUNK, BAD_TRAILER, type HeadProblem } from "./head-problem.ts";
import { scanField } from "./request-head.ts";

/** One request body on its way in. Advanced by `feedUpload` only; its fields are for reading. */
export type Upload = {
  /** Content-Length, or null when the body is chunked. Then `chunked` reads it. */
  readonly declaredBytes: number | null;
  readonly chunked: ChunkedReader | null;
  readonly limitBytes: number;
  /**
   * Asked before bytes are kept. Not for a declared length at once: sixteen slow uploads that announce 32 MiB would
   * hold the whole budget with a few kilobytes.
   */
  readonly reserve: (bytes: number) => boolean;
  bytes: Uint8Array;
  receivedBytes: number;
  /** Of the last chunk that was fed; the rest belongs to the next request. */
  usedBytes: number;
};

/** `done`: `bytes` is the body. A number: the body is malformed. */
export type UploadStep = "more" | "done" | "too_large" | "over_budget" | HeadProblem;

export type UploadOptions = Pick<Upload, "declaredBytes" | "limitBytes" | "reserve">;

const NO_BYTES = new Uint8Array(0);
const FIRST_BUFFER_BYTES = 16 * 1024;
/** A body may share the memory of the read it came with while that read is not much larger than the body. */
const MAX_SHARED_OVERHEAD_BYTES = 8 * 1024;
/** Of all chunks together. No client sends any. */
const MAX_EXTENSIONS_BYTES = 16 * 1024;

export function openUpload({ declaredBytes, limitBytes, reserve }: UploadOptions): Upload {
  const chunked = declaredBytes === null ? createChunkedReader() : null;
  return { declaredBytes, chunked, limitBytes, reserve, bytes: NO_BYTES, receivedBytes: 0, usedBytes: 0 };
}

/** Takes what belongs to the body from `chunk`, which may be kept. Never throws. */
// hot path
export function feedUpload(upload: Upload, chunk: Uint8Array): UploadStep {
  const { chunked, declaredBytes } = upload;
  return chunked === null ? feedDeclared(upload, declaredBytes ?? 0, chunk) : feedChunked(upload, chunked, chunk);
}

// hot path
function feedDeclared(upload: Upload, declaredBytes: number, chunk: Uint8Array): UploadStep {
  const takenBytes = Math.min(declaredBytes - upload.receivedBytes, chunk.length);
  upload.usedBytes = takenBytes;
  if (!upload.reserve(takenBytes)) return "over_budget";
  if (takenBytes === declaredBytes) {
    const isShared = chunk.length - takenBytes <= MAX_SHARED_OVERHEAD_BYTES;
    const own = chunk.subarray(0, takenBytes);
    upload.bytes = isShared ? own : new Uint8Array(own);
    upload.receivedBytes = takenBytes;
    return "done";
  }
  // Not cleared: it is given away only when every byte of it has been written.
  if (upload.receivedBytes === 0) upload.bytes = Buffer.allocUnsafeSlow(declaredBytes);
  upload.bytes.set(takenBytes === chunk.length ? chunk : chunk.subarray(0, takenBytes), upload.receivedBytes);
  upload.receivedBytes += takenBytes;
  return upload.receivedBytes === declaredBytes ? "done" : "more";
}

function feedChunked(upload: Upload, chunked: ChunkedReader, chunk: Uint8Array): UploadStep {
  let at = 0;
  for (;;) {
    const step = readChunked(chunked, chunk, at);
    if (step === "bad" || chunked.extensionBytes > MAX_EXTENSIONS_BYTES) return BAD_CHUNK;
    at = chunked.next;
    if (step === "more") return "more";
    if (step === "done") {
      upload.usedBytes = at;
      upload.bytes = upload.bytes.subarray(0, upload.receivedBytes);
      return isHarmlessTrailer(chunked.trailer) ? "done" : BAD_TRAILER;
    }
    const pieceBytes = at - chunked.pieceStart;
    // What is announced counts already: the chunk that breaks the limit is not waited for.
    const announcedBytes = pieceBytes + chunked.chunkBytesLeft;
    if (upload.receivedBytes + announcedBytes > upload.limitBytes) return "too_large";
    if (!upload.reserve(pieceBytes)) return "over_budget";
    keep(upload, chunk.subarray(chunked.pieceStart, at));
  }
}

/** One growing buffer: an array of pieces would cost a hundred bytes for each byte of a hostile body. */
function keep(upload: Upload, piece: Uint8Array): void {
  const neededBytes = upload.receivedBytes + piece.length;
  if (neededBytes > upload.bytes.length) {
    const doubledBytes = Math.min(upload.limitBytes, upload.bytes.length * 2);
    const grown = Buffer.allocUnsafeSlow(Math.max(FIRST_BUFFER_BYTES, neededBytes, doubledBytes));
    grown.set(upload.bytes.subarray(0, upload.receivedBytes));
    upload.bytes = grown;
  }
  upload.bytes.set(piece, upload.receivedBytes);
  upload.receivedBytes = neededBytes;
}

/** Trailer fields are dropped, but one that would mean something in the head shows a request made for two readers. */
function isHarmlessTrailer(trailer: string): boolean {
  const bytes = Buffer.from(trailer, "latin1");
  const span = newFieldSpan();
  let at = 0;
  while (at < bytes.length) {
    const next = scanField(bytes, { start: at, end: bytes.length }, span);
    if (next <= 0 || isKnownName(bytes, span.nameStart, span.nameEnd)) return false;
    at = next;
  }
  return true;
}
