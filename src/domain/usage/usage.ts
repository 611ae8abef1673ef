/**
 * What one request used, field by field. `null` means that upstream did not say.
 * Total input = input + cacheWrite5m + cacheWrite1h + cacheRead.
 * @see docs/upstream/usage.md
 */
export type Usage = {
  readonly inputTokens: number | null;
  readonly cacheWrite5mTokens: number | null;
  readonly cacheWrite1hTokens: number | null;
  readonly cacheReadTokens: number | null;
  readonly outputTokens: number | null;
  readonly webSearchRequests: number | null;
  readonly webFetchRequests: number | null;
  /** "standard", "priority", "batch", or what upstream names next. */
  readonly serviceTier: string | null;
  /** True when the answer ended early, so that output is an estimate or a lower bound. */
  readonly isPartial: boolean;
};
