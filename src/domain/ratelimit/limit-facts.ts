import type { EpochMs } from "../../kernel/time.ts";

/** One rate limit as a response described it. Null: the response did not say. */
export type LimitWindowFact = {
  /** "requests", "tokens", "input-tokens", "output-tokens", of the plan "5h", "7d" ..., or "priority-..." and "fast-...". */
  readonly name: string;
  /** Windows of a plan (unified) cover every model; the others belong to the model class of the request. */
  readonly isPlan: boolean;
  readonly limit: number | null;
  readonly remaining: number | null;
  /** 0..1; above 1 when overage was allowed. */
  readonly usedRatio: number | null;
  /** "allowed", "allowed_warning", "rejected", or what upstream names next. */
  readonly status: string | null;
  /** When it is full again; may have passed. */
  readonly resetAtMs: EpochMs | null;
};

/** The summary of a plan's windows: `anthropic-ratelimit-unified-*`. */
export type UnifiedFacts = {
  readonly status: string | null;
  readonly resetAtMs: EpochMs | null;
  /** The window that decides, e.g. "five_hour". */
  readonly representativeClaim: string | null;
  readonly fallback: string | null;
  readonly fallbackRatio: number | null;
  readonly overageStatus: string | null;
  readonly overageResetAtMs: EpochMs | null;
  readonly overageDisabledReason: string | null;
  readonly isOverageInUse: boolean | null;
};

/** What the headers of one response say about limits. */
export type LimitFacts = {
  /** An earlier attempt fails. From retry-after, at most 31 days ahead. */
  readonly retryAtMs: EpochMs | null;
  readonly shouldRetry: boolean | null;
  /** At most 16. */
  readonly windows: readonly LimitWindowFact[];
  readonly unified: UnifiedFacts | null;
  /** Who owns the limits. At most 128 characters. */
  readonly organizationId: string | null;
  /** `anthropic-*` headers that we do not know, names in lower case; at most 16, values cut at 256 characters. */
  readonly others: readonly (readonly [name: string, value: string])[];
};

export const noLimitFacts: LimitFacts = {
  retryAtMs: null,
  shouldRetry: null,
  windows: [],
  unified: null,
  organizationId: null,
  others: [],
};
