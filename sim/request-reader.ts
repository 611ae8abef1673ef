import { ok } from "../src/kernel/result.ts";
import { createChunkDecoder } from "./chunk-decoder.ts";
import type { RequestHead } from "./request-head.ts";
import { parseRequestHead } from "./request-head.ts";

/** The API's own bound for Messages and token counting: 32 MB (protocol.md, P14). */
export const MAX_BODY_BYTES = 32 * 1024 * 1024;
const MAX_HEAD_BYTES = 256 * 1024;
/** Requests that came too early wait here. */
const MAX_PENDING_BYTES = 1024 * 1024;

export type ReadProblem = "malformed" | "head_too_large" | "body_too_large";

/** Receives one request after the other. After `onEnd` nothing follows until `resume`. */
export interface RequestSink {
  onHead(head: RequestHead, rawHead: Uint8Array): void;
  onBody(part: Uint8Array): void;
  onEnd(): void;
  /** Terminal: the connection cannot be read any further. */
  onProblem(problem: ReadProblem, fact: string): void;
}

export interface RequestReader {
  push(bytes: Buffer): void;
  /** Reads the next request, which may already be here. */
  resume(): void;
}

const NOTHING = Buffer.alloc(0);

type Phase = "head" | "body" | "paused" | "broken";

/**
 * Incremental HTTP/1.1 request reader of one connection. Chunks may be cut anywhere. Long, because its functions share
 * the state of one parser.
 */
export function createRequestReader(sink: RequestSink): RequestReader {
  let phase: Phase = "head";
  let pending: Buffer = NOTHING;
  let isRunning = false;
  let bodyLeftBytes = 0;
  let chunks: ReturnType<typeof createChunkDecoder> | null = null;
  // A benchmark sends the same head over and over: comparing costs a tenth of parsing.
  let lastText = "";
  let lastHead: RequestHead | null = null;

  function fail(problem: ReadProblem, fact: string): void {
    phase = "broken";
    pending = NOTHING;
    sink.onProblem(problem, fact);
  }

  function end(rest: Buffer): void {
    pending = rest;
    phase = "paused";
    sink.onEnd();
  }

  /** False when the head is not complete yet. */
  function readHead(bytes: Buffer): boolean {
    const endsAt = bytes.indexOf("\r\n\r\n");
    if (endsAt === -1 && bytes.length <= MAX_HEAD_BYTES) return false;
    if (endsAt === -1) {
      fail("head_too_large", `the head exceeds ${MAX_HEAD_BYTES} bytes`);
      return true;
    }
    const text = bytes.toString("latin1", 0, endsAt);
    const head = lastHead !== null && text === lastText ? ok(lastHead) : parseRequestHead(text);
    if (!head.ok) {
      fail("malformed", head.error);
      return true;
    }
    lastText = text;
    lastHead = head.value;
    startBody(head.value, bytes, endsAt + 4);
    return true;
  }

  function startBody(head: RequestHead, bytes: Buffer, headBytes: number): void {
    const { framing } = head;
    if (framing.kind === "length" && framing.lengthBytes > MAX_BODY_BYTES) {
      fail("body_too_large", `the body has ${framing.lengthBytes} bytes, at most ${MAX_BODY_BYTES} are read`);
      return;
    }
    bodyLeftBytes = framing.kind === "length" ? framing.lengthBytes : MAX_BODY_BYTES;
    chunks = framing.kind === "chunked" ? createChunkDecoder() : null;
    phase = "body";
    pending = bytes.subarray(headBytes);
    sink.onHead(head, bytes.subarray(0, headBytes));
    if (chunks === null && bodyLeftBytes === 0) end(pending);
  }

  function readSizedBody(bytes: Buffer): void {
    const part = bytes.subarray(0, bodyLeftBytes);
    bodyLeftBytes -= part.length;
    pending = bytes.subarray(part.length);
    sink.onBody(part);
    if (bodyLeftBytes === 0) end(pending);
  }

  function readChunkedBody(bytes: Buffer, decoder: ReturnType<typeof createChunkDecoder>): void {
    const step = decoder.push(bytes);
    pending = NOTHING;
    for (const part of step.parts) {
      bodyLeftBytes -= part.length;
      if (bodyLeftBytes < 0) {
        fail("body_too_large", `the chunked body exceeds ${MAX_BODY_BYTES} bytes`);
        return;
      }
      sink.onBody(part);
    }
    if (step.state === "malformed") fail("malformed", "the chunked body is malformed");
    else if (step.state === "done") end(step.rest);
  }

  /** Consumes as much as the phase allows. Not entered twice: `resume` inside a callback only changes the phase. */
  function run(): void {
    if (isRunning) return;
    isRunning = true;
    while (pending.length > 0 && (phase === "head" || phase === "body")) {
      if (phase === "head") {
        if (!readHead(pending)) break;
      } else if (chunks === null) readSizedBody(pending);
      else readChunkedBody(pending, chunks);
    }
    isRunning = false;
  }

  return {
    push(bytes) {
      if (phase === "broken") return;
      pending = pending.length === 0 ? bytes : Buffer.concat([pending, bytes]);
      if (phase === "paused" && pending.length > MAX_PENDING_BYTES) {
        fail("body_too_large", `more than ${MAX_PENDING_BYTES} bytes came before the answer was complete`);
        return;
      }
      run();
    },
    resume() {
      if (phase !== "paused") return;
      phase = "head";
      run();
    },
  };
}
