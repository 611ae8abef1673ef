import { readWireError, type WireError } from "../sse/wire-error.ts";
import { emptyUsage, mergeUsage } from "../usage/merge-usage.ts";
import { thinkingDroppedOf } from "../usage/thinking-dropped.ts";
import type { Usage } from "../usage/usage.ts";
import { createTopLevelScanner, parseMember, type ScanResult } from "./json-scan.ts";

/** What the gateway reads of an answer that is not a stream. */
export type ResponseFacts = {
  /** Null when the answer has no `usage` object of at most 16 KiB, as every error body. */
  readonly usage: Usage | null;
  readonly model: string | null;
  /** Of an error body. Null when there is no `error` object of at most 64 KiB. */
  readonly error: WireError | null;
  /** Thinking blocks of the request that upstream left out; null when it does not report them (protocol P22). */
  readonly thinkingDropped: number | null;
  /** The body is one complete JSON object. False for one that was cut off, or that is no JSON. */
  readonly isComplete: boolean;
};

export interface ResponseFactsReader {
  feed(chunk: Uint8Array): void;
  finish(): ResponseFacts;
}

const WANTED = [
  { name: "usage", maxBytes: 16 * 1024 },
  { name: "model", maxBytes: 512 },
  { name: "error", maxBytes: 64 * 1024 },
  { name: "input_transformations", maxBytes: 256 * 1024 },
] as const;

/** Reads the facts beside the relay; the result is the same however the bytes are cut. Never throws. */
export function createResponseFactsReader(): ResponseFactsReader {
  const scanner = createTopLevelScanner(WANTED);
  return {
    feed: (chunk) => scanner.feed(chunk),
    finish: () => factsOf(scanner.finish()),
  };
}

export function responseFactsOf(body: Uint8Array): ResponseFacts {
  const reader = createResponseFactsReader();
  reader.feed(body);
  return reader.finish();
}

function factsOf(scan: ScanResult): ResponseFacts {
  const [usage, model, error, transformations] = scan.members;
  const wireUsage = parseMember(usage);
  return {
    usage: typeof wireUsage === "object" && wireUsage !== null ? mergeUsage(emptyUsage, wireUsage) : null,
    // Parsed when asked for: most answers never are.
    get model() {
      const wireModel = parseMember(model);
      return typeof wireModel === "string" ? wireModel : null;
    },
    error: readWireError(parseMember(error)),
    thinkingDropped: thinkingDroppedOf(parseMember(transformations)),
    isComplete: scan.isWellFormed,
  };
}
