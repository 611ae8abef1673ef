import type { Account } from "../../src/domain/account/account.ts";
import type { DurationMs, EpochMs } from "../../src/kernel/time.ts";

/** Token buckets of one model class in one organization: capacity, and what flows in per minute. */
export type BucketLimits = {
  readonly requestsPerMinute: number;
  /** Cache reads do not count (protocol.md, P27). */
  readonly inputTokensPerMinute: number;
  /** Taken as `max_tokens` when a request starts, corrected when it ends. */
  readonly outputTokensPerMinute: number;
};

/**
 * Plan windows that cover every model, in micro-dollars at list prices. What the real ones count is not published; that
 * they go by price is an assumption. The 5 h window begins with the first use after the last one ended; the 7 d window
 * resets at fixed instants.
 */
export type PlanLimits = {
  readonly fiveHourMicroUsd: number;
  readonly fiveHourResetMs: EpochMs;
  readonly sevenDayMicroUsd: number;
  readonly sevenDayResetMs: EpochMs;
};

export type Organization = {
  readonly id: string;
  /** The upstream: storms strike all organizations behind one. */
  readonly baseUrl: string;
  /** Per model class; a class that is not named has no bucket. */
  readonly buckets: Readonly<Record<string, BucketLimits>>;
  /** Null: no plan windows. */
  readonly plan: PlanLimits | null;
};

/** A credential as it truly is; the gateway may know less (`account.organization` null). */
export type Credential = {
  readonly account: Account;
  readonly organization: Organization;
  readonly workspace: string;
  /** 401 from then on. */
  readonly diesAtMs: EpochMs | null;
};

/** 529 for a share of the requests to one upstream. 1 is an outage. */
export type Storm = {
  readonly baseUrl: string;
  readonly fromMs: EpochMs;
  readonly untilMs: EpochMs;
  readonly failRatio: number;
};

/** What a client waits for in the queue (protocol.md, P10). */
export type RequestClass = "main" | "subagent" | "auxiliary";

export type Turn = {
  /** From the previous answer (and the last subagent's end) to this request. */
  readonly thinkMs: DurationMs;
  /** What joins the prompt with this turn: user text, tool results. The previous answer joins by itself. */
  readonly newTokens: number;
  readonly outputTokens: number;
  readonly firstTokenMs: DurationMs;
  /** From the first token to the end of the answer. */
  readonly streamMs: DurationMs;
  /** They begin together after this turn's answer; the next turn waits for all of them. */
  readonly subagents: readonly Session[];
};

export type Session = {
  readonly id: string;
  /** Sent as the session id; subagents have their parent's. */
  readonly conversationId: string;
  readonly clientKey: string;
  readonly model: string;
  readonly requestClass: RequestClass;
  /** Of a subagent: after its parent's answer. */
  readonly startMs: number;
  /** Tools and system prompt, equal for every session that names the same prefix. */
  readonly sharedPrefix: string;
  readonly sharedTokens: number;
  readonly cacheMs: DurationMs;
  readonly maxTokens: number;
  readonly turns: readonly Turn[];
};

/** A pool, its weather, and the work that comes to it. */
export type Trace = {
  readonly name: string;
  readonly summary: string;
  readonly startMs: EpochMs;
  readonly endMs: EpochMs;
  readonly credentials: readonly Credential[];
  readonly storms: readonly Storm[];
  readonly sessions: readonly Session[];
};
