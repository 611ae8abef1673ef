import { isCount } from "../usage/merge-usage.ts";
import { textMemberOf } from "./json-member.ts";
import { type ByteSpan, createTopLevelScanner, parseMember, type ScannedMember, type ScanResult } from "./json-scan.ts";

/**
 * duplicate_model: `model` occurs more than once, so that two parsers may read two models. not_an_object: the body is
 * not one complete JSON object. model_not_a_string: or one of more than 512 bytes, or a malformed one.
 */
export type RequestProblem = "duplicate_model" | "not_an_object" | "model_not_a_string";

/** What the gateway reads of a request body. Every other member passes unread. */
export type RequestFacts = {
  /** Decoded. Null when absent, or when `problem` names it; with "duplicate_model" the last one. */
  readonly model: string | null;
  readonly isStream: boolean;
  /** Null when it is not a non-negative integer. */
  readonly maxTokens: number | null;
  /** `metadata.user_id`, decoded. Null when it is no string, or when `metadata` is longer than 8 KiB. */
  readonly userId: string | null;
  /** Where the model's value stands in the body, quotes included: a model override replaces these bytes. */
  readonly modelSpan: ByteSpan | null;
  readonly problem: RequestProblem | null;
};

export interface RequestFactsReader {
  feed(chunk: Uint8Array): void;
  finish(): RequestFacts;
}

const WANTED = [
  { name: "model", maxBytes: 512 },
  { name: "stream", maxBytes: 16 },
  { name: "max_tokens", maxBytes: 32 },
  { name: "metadata", maxBytes: 8 * 1024 },
] as const;

/** Reads the facts while the body arrives; the result is the same however the bytes are cut. Never throws. */
export function createRequestFactsReader(): RequestFactsReader {
  const scanner = createTopLevelScanner(WANTED);
  return {
    feed: (chunk) => scanner.feed(chunk),
    finish: () => factsOf(scanner.finish()),
  };
}

/** 4 us for 1 KB, 31 us for 100 KB of Claude Code's kind (1,600 strings), 0.43 ns per byte at 1 MB (Bun 1.4.5, 2026-11-23). */
export function requestFactsOf(body: Uint8Array): RequestFacts {
  const reader = createRequestFactsReader();
  reader.feed(body);
  return reader.finish();
}

function factsOf(scan: ScanResult): RequestFacts {
  const [model, stream, maxTokens, metadata] = scan.members;
  const modelValue = parseMember(model);
  const modelName = typeof modelValue === "string" ? modelValue : null;
  return {
    model: modelName,
    isStream: parseMember(stream) === true,
    // Parsed when asked for: most requests never are.
    get maxTokens() {
      return plainCount(maxTokens) ?? tokensOf(parseMember(maxTokens));
    },
    get userId() {
      return textMemberOf(parseMember(metadata), "user_id");
    },
    modelSpan: model?.span ?? null,
    problem: problemOf(scan.isWellFormed, model?.count ?? 0, modelName),
  };
}

function problemOf(isWellFormed: boolean, modelCount: number, model: string | null): RequestProblem | null {
  if (!isWellFormed) return "not_an_object";
  if (modelCount > 1) return "duplicate_model";
  return modelCount === 1 && model === null ? "model_not_a_string" : null;
}

const MAX_PLAIN_DIGITS = 9;
const ZERO = 0x30;

/** Digits alone, as nearly every request has them; null for what JSON may write otherwise. */
// hot path
function plainCount(member: ScannedMember | undefined): number | null {
  const digits = member?.value;
  if (!(digits instanceof Uint8Array) || digits.length > MAX_PLAIN_DIGITS || digits[0] === ZERO) return null;
  let count = 0;
  for (let at = 0; at < digits.length; at += 1) {
    const digit = (digits[at] ?? 0) - ZERO;
    if (digit < 0 || digit > 9) return null;
    count = count * 10 + digit;
  }
  return digits.length === 0 ? null : count;
}

function tokensOf(value: unknown): number | null {
  return isCount(value) ? value : null;
}
