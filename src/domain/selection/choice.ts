import type { DurationMs, EpochMs } from "../../kernel/time.ts";
import type { Account, AccountId, ModelClass } from "../account/account.ts";
import type { ConversationKey } from "../affinity/conversation.ts";
import type { MoveKind } from "../affinity/move.ts";
import type { PoolEvent } from "../pool/pool-event.ts";
import type { PoolState } from "../pool/pool-state.ts";
import type { Demand } from "../pool/reservation-book.ts";
import type { Usage } from "../usage/usage.ts";
import type { StrategyName } from "./strategy-name.ts";

/** What an operator set. May change between two requests. */
export type SelectionRule = {
  readonly strategy: StrategyName;
  /** What an hour of waiting is worth, in US dollars. Default 60; at 0 waiting costs nothing and is always cheaper. */
  readonly waitPriceUsdPerHour: number;
  /** `never`: a conversation with a home stays in its organization, whatever that costs in time. Default `allow`. */
  readonly crossOrganization: "allow" | "never";
  readonly maxWaitMs: DurationMs;
};

/** One request that looks for an account, and what is known at this moment. */
export type Question = {
  /** Sorted by priority, then name. The same array as long as no account changes: lists are made from it. */
  readonly accounts: readonly Account[];
  readonly pool: PoolState;
  readonly model: string | null;
  readonly modelClass: ModelClass;
  readonly nowMs: EpochMs;
  /** Never chosen again. A caller that waited empties it: what was waited for may be tried once more. */
  readonly tried: ReadonlySet<AccountId>;
  readonly conversation: ConversationKey | null;
  /** It has the conversation's id but a prompt of its own (protocol P9). */
  readonly isSubagent: boolean;
  /** The whole request; what its home has in the cache is taken off here. */
  readonly demand: Demand;
  /** How long this request has waited already. */
  readonly waitedMs: DurationMs;
};

/** A conversation is served away from its home. */
export type Move = {
  readonly from: AccountId;
  readonly kind: MoveKind;
  /** Writing the cache again instead of reading it. */
  readonly priceMicroUsd: number;
  /** When the home can serve again; null when that takes an operator, or nothing is against it but its age. */
  readonly homeReturnsAtMs: EpochMs | null;
  /** False: a spill, the next request goes home again. */
  readonly setsHome: boolean;
};

/**
 * home: where the conversation lives. new_home: it had none. home_moved: it lives here from now on. spill: for this
 * request only. strategy: no conversation, or a strategy that does not look at homes. probe: tests whether a limit is
 * over. last_origin: its upstream rests, but so does every other. retry: once more in place.
 */
export type Why = "home" | "new_home" | "home_moved" | "spill" | "strategy" | "probe" | "last_origin" | "retry";

export type Use = {
  readonly kind: "use";
  readonly account: Account;
  /** What the pool must learn before the request leaves: that it is a probe. Mostly empty. */
  readonly onStart: readonly PoolEvent[];
  readonly why: Why;
  /** Null at home, and when there was none. */
  readonly move: Move | null;
};

export type Choice =
  | Use
  | {
      readonly kind: "wait";
      readonly untilMs: EpochMs;
      readonly why: "home_returns" | "all_rest" | "all_full";
      /** The move that was too dear. */
      readonly move: Move | null;
    }
  | {
      readonly kind: "none";
      /** Too far to wait for; null when it takes an operator. */
      readonly returnsAtMs: EpochMs | null;
    };

/** gone: the client left. */
export type TicketEnd = {
  readonly kind: "served" | "limited" | "failed" | "gone";
  readonly usage: Usage | null;
  readonly firstTokenMs: DurationMs | null;
};
