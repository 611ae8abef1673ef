import type { DurationMs, EpochMs } from "../../kernel/time.ts";
import type { AccountId } from "../account/account.ts";
import type { Conversation } from "../affinity/conversation.ts";
import type { ReasonCode } from "../failover/reason.ts";
import type { Move, Why } from "../selection/choice.ts";
import type { Skip } from "../selection/plan.ts";
import type { StrategyName } from "../selection/strategy-name.ts";

/** One thing that happened on the way to the answer. `skipCount` counts the skips that were not kept, too. */
export type DecisionStep =
  | {
      readonly kind: "tried";
      readonly accountId: AccountId;
      readonly why: Why;
      readonly move: Move | null;
      readonly skips: readonly Skip[];
      readonly skipCount: number;
      readonly reason: ReasonCode;
      readonly status: number | null;
      /** Which header or status decided. */
      readonly cause: string | null;
    }
  | {
      readonly kind: "waited";
      readonly why: string;
      readonly untilMs: EpochMs;
      readonly ms: DurationMs;
      readonly move: Move | null;
    }
  | {
      readonly kind: "refused";
      readonly code: string;
      readonly skips: readonly Skip[];
      readonly skipCount: number;
      readonly untilMs: EpochMs | null;
    };

/** Why a request went where it went: what `better-ccflare explain` prints. */
export type Decision = {
  readonly strategy: StrategyName;
  readonly conversation: Conversation["source"] | null;
  readonly steps: readonly DecisionStep[];
};
