export type ChunkStep = {
  readonly parts: readonly Buffer[];
  readonly state: "more" | "done" | "malformed";
  /** Bytes behind the end of the body; empty unless the state is "done". */
  readonly rest: Buffer;
};

const EMPTY = Buffer.alloc(0);
const SIZE_LINE = /^([0-9a-fA-F]{1,8})(?:[ \t]*;[^\r\n]*)?$/;
/** Of a size line or of one trailer line. */
const MAX_LINE_BYTES = 8 * 1024;
const MAX_TRAILER_LINES = 100;

/** Decodes one chunked body (RFC 9112, 7.1). Trailers are read and dropped; bare LF is malformed. */
export function createChunkDecoder(): { push(bytes: Buffer): ChunkStep } {
  let phase: "size" | "data" | "data_end" | "trailer" = "size";
  let held: Buffer = EMPTY;
  let leftBytes = 0;
  let trailerLines = 0;

  /** The next line without its CRLF, null when it is not complete, "malformed" when it cannot become one. */
  function takeLine(bytes: Buffer): { line: string; rest: Buffer } | null | "malformed" {
    const at = bytes.indexOf("\r\n");
    if (at === -1) return bytes.length > MAX_LINE_BYTES || bytes.indexOf("\n") !== -1 ? "malformed" : null;
    if (at > MAX_LINE_BYTES) return "malformed";
    const line = bytes.toString("latin1", 0, at);
    return line.includes("\n") ? "malformed" : { line, rest: bytes.subarray(at + 2) };
  }

  function onLine(line: string): "more" | "done" | "malformed" {
    if (phase === "data_end") {
      phase = "size";
      return line === "" ? "more" : "malformed";
    }
    if (phase === "trailer") {
      trailerLines += 1;
      if (line === "") return "done";
      return trailerLines <= MAX_TRAILER_LINES ? "more" : "malformed";
    }
    const size = SIZE_LINE.exec(line)?.[1];
    if (size === undefined) return "malformed";
    leftBytes = Number.parseInt(size, 16);
    phase = leftBytes === 0 ? "trailer" : "data";
    return "more";
  }

  return {
    push(incoming) {
      let bytes = held.length === 0 ? incoming : Buffer.concat([held, incoming]);
      held = EMPTY;
      const parts: Buffer[] = [];
      while (bytes.length > 0) {
        if (phase === "data") {
          const part = bytes.subarray(0, leftBytes);
          parts.push(part);
          leftBytes -= part.length;
          bytes = bytes.subarray(part.length);
          if (leftBytes === 0) phase = "data_end";
          continue;
        }
        const taken = takeLine(bytes);
        if (taken === "malformed") return { parts, state: "malformed", rest: EMPTY };
        if (taken === null) {
          held = bytes;
          break;
        }
        bytes = taken.rest;
        const state = onLine(taken.line);
        if (state !== "more") return { parts, state, rest: state === "done" ? bytes : EMPTY };
      }
      return { parts, state: "more", rest: EMPTY };
    },
  };
}
