import type { MoveKind } from "../../src/domain/affinity/move.ts";
import type { DurationMs, EpochMs } from "../../src/kernel/time.ts";

export type MoveCounts = Readonly<Record<MoveKind, number>>;

/** What one strategy made of one trace. */
export type ReplayReport = {
  readonly trace: string;
  readonly strategy: string;
  readonly seed: number;
  readonly simulatedMs: DurationMs;
  readonly requests: number;
  /** Null: nobody was refused. */
  readonly firstRefusalAtMs: EpochMs | null;
  /**
   * Work that was served before it: the input that no single account's cache could have held, and the output. Prompt
   * that is sent again because a cache was lost is no work.
   */
  readonly tokensBeforeRefusal: number;
  readonly tokensServed: number;
  /** Answers 4xx and 5xx that clients saw. */
  readonly refusals: number;
  /** From arrival to the attempt that was answered, over all served requests. */
  readonly waitP50Ms: DurationMs;
  readonly waitP99Ms: DurationMs;
  /** Of all input tokens. 0..1 */
  readonly cacheReadRatio: number;
  /** Against what one unlimited account would have read for the same requests. 0..1 */
  readonly cacheKeptRatio: number;
  readonly costMicroUsd: number;
  /** Answers by another account than the one that answered before in the same session. */
  readonly moves: MoveCounts;
  /** Requests that `session` sent away from home without moving it. */
  readonly spills: number;
  /** Thinking blocks that were dropped because another organization made them. */
  readonly thinkingLost: number;
  /** Jain's index over the keys' shares of what they asked for: 1 is equal, 1/keys is one takes all. */
  readonly fairness: number;
  readonly upstreamRequests: number;
  /** Answers 429 from upstream. */
  readonly limited: number;
  /** Requests sent to a (limit group, model class) before the instant that its 429 had named. */
  readonly sentToBenched: number;
};

/** What the best placement could have done with the same trace. */
export type Optimum = {
  readonly tokensBeforeRefusal: number;
  readonly tokensServed: number;
  readonly firstRefusalAtMs: EpochMs | null;
};
