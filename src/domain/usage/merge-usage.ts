import { memberOf } from "../request/json-member.ts";
import type { Usage } from "./usage.ts";

/** One token is about four characters of text (protocol P54). */
const BYTES_PER_TOKEN = 4;
const MAX_TIER_CHARACTERS = 64;

/** Nothing said yet. */
export const emptyUsage: Usage = {
  inputTokens: null,
  cacheWrite5mTokens: null,
  cacheWrite1hTokens: null,
  cacheReadTokens: null,
  outputTokens: null,
  webSearchRequests: null,
  webFetchRequests: null,
  serviceTier: null,
  isPartial: false,
};

/**
 * Takes upstream's `usage` object over what is known: field by field, the last value wins (the figures of a stream are
 * cumulative and may correct earlier ones). What is not a non-negative integer is no value, and a zero after a figure
 * is an upstream that leaves the field empty, not a correction (protocol P52, P53). Never throws.
 */
export function mergeUsage(current: Usage, wireUsage: unknown): Usage {
  if (typeof wireUsage !== "object" || wireUsage === null) return current;
  const tools = memberOf(wireUsage, "server_tool_use");
  return {
    inputTokens: later(current.inputTokens, memberOf(wireUsage, "input_tokens")),
    ...mergeCacheWrites(current, wireUsage),
    cacheReadTokens: later(current.cacheReadTokens, memberOf(wireUsage, "cache_read_input_tokens")),
    outputTokens: later(current.outputTokens, memberOf(wireUsage, "output_tokens")),
    webSearchRequests: later(current.webSearchRequests, memberOf(tools, "web_search_requests")),
    webFetchRequests: later(current.webFetchRequests, memberOf(tools, "web_fetch_requests")),
    serviceTier: laterTier(current.serviceTier, memberOf(wireUsage, "service_tier")),
    isPartial: current.isPartial,
  };
}

/**
 * Usage of an answer that was cut off: what upstream said stays, output is at least the estimate by streamed size.
 * `streamedBytes` are the bytes of text that no reported output count covers yet.
 */
export function partialUsage(usage: Usage, streamedBytes: number): Usage {
  const estimatedTokens = Math.ceil(streamedBytes / BYTES_PER_TOKEN);
  const outputTokens = estimatedTokens > (usage.outputTokens ?? 0) ? estimatedTokens : usage.outputTokens;
  return { ...usage, outputTokens, isPartial: true };
}

/** The total is the sum of both kinds; what the split does not explain was written for 5 minutes. */
function mergeCacheWrites(current: Usage, wireUsage: object): Pick<Usage, "cacheWrite5mTokens" | "cacheWrite1hTokens"> {
  const split = memberOf(wireUsage, "cache_creation");
  const cacheWrite1hTokens = later(current.cacheWrite1hTokens, memberOf(split, "ephemeral_1h_input_tokens"));
  const told5mTokens = count(memberOf(split, "ephemeral_5m_input_tokens"));
  const totalTokens = count(memberOf(wireUsage, "cache_creation_input_tokens"));
  const restTokens = totalTokens === null ? null : Math.max(0, totalTokens - (cacheWrite1hTokens ?? 0));
  const wire5mTokens =
    told5mTokens === null || restTokens === null ? (told5mTokens ?? restTokens) : Math.max(told5mTokens, restTokens);
  return { cacheWrite5mTokens: later(current.cacheWrite5mTokens, wire5mTokens), cacheWrite1hTokens };
}

function later(known: number | null, wire: unknown): number | null {
  const told = count(wire);
  if (told === null) return known;
  return told === 0 && known !== null ? known : told;
}

function laterTier(known: string | null, wire: unknown): string | null {
  return typeof wire === "string" && wire !== "" && wire.length <= MAX_TIER_CHARACTERS ? wire : known;
}

/** `Math.abs` because JSON can say -0. */
function count(value: unknown): number | null {
  return isCount(value) ? Math.abs(value) : null;
}

/** A figure that can be one: a non-negative integer. Strings, fractions, 1e308 and negatives are not. */
export function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
