import type { Demand } from "./reservation-book.ts";

/**
 * Few answers are longer. What a client allows (`max_tokens`, 32,000 with Claude Code) is more than the minute of a
 * small account: to reserve all of it would leave such an account idle. The provider's own reckoning comes back with
 * the headers of each answer.
 */
const USUAL_OUTPUT_TOKENS = 1_024;

/** What a request is likely to take; `maxTokens` null: it did not say. */
export function expectedDemand(promptTokens: number, maxTokens: number | null): Demand {
  return { inputTokens: promptTokens, outputTokens: Math.min(maxTokens ?? USUAL_OUTPUT_TOKENS, USUAL_OUTPUT_TOKENS) };
}
