import type { HomeBook } from "../domain/affinity/home-book.ts";
import type { RetryBudget } from "../domain/failover/retry-budget.ts";
import type { SelectionRule } from "../domain/selection/choice.ts";
import type { Selector } from "../domain/selection/selector.ts";
import type { DurationMs } from "../kernel/time.ts";
import type { BodyBudget } from "./body-budget.ts";
import type { FailedKeys } from "./failed-keys.ts";
import type { KeyMeters } from "./key-meters.ts";
import type { PoolOwner } from "./pool-owner.ts";
import type { Accounts, ClientKeys, Clock, Ledger, Observer, Random, Upstream } from "./ports.ts";
import type { Presences } from "./presences.ts";
import type { Queue } from "./queue.ts";
import type { StreamWatch } from "./stream-watch.ts";

/** Our own limits of time; docs/guide/timeouts.md sets each beside the client's. */
export type Deadlines = {
  readonly connectMs: DurationMs;
  /** To the end of the response headers, and then to the first event, of a streamed answer. */
  readonly streamHeadersMs: DurationMs;
  readonly headersMs: DurationMs;
  readonly idleMs: DurationMs;
  readonly totalMs: DurationMs;
  readonly streamTotalMs: DurationMs;
};

/** Retries of one client request, over every layer. */
export type RetryRule = {
  /** Requests sent upstream in all, the first one included. */
  readonly attempts: number;
  readonly delayMs: DurationMs;
  readonly backoff: number;
};

/** `baseUrl`: as in `Account.baseUrl`. */
export type Passthrough = { readonly baseUrl: string };

/** What the walk needs: the world behind ports, and the shared state of the data plane. */
export type Rooms = {
  readonly clock: Clock;
  readonly random: Random;
  readonly keys: ClientKeys;
  readonly failedKeys: FailedKeys;
  readonly meters: KeyMeters;
  /** Where requests go whose clients bring their own provider key; null: nobody may. */
  readonly passthrough: Passthrough | null;
  readonly accounts: Accounts;
  readonly upstream: Upstream;
  readonly ledger: Ledger;
  readonly observer: Observer;
  readonly pool: PoolOwner;
  readonly budget: BodyBudget;
  readonly selector: Selector;
  /** The selector's own book: where each conversation lives. */
  readonly homes: HomeBook;
  /** What the operator set. Asked at each look: it may change between two. */
  rule(): SelectionRule;
  readonly retryBudget: RetryBudget;
  readonly queue: Queue;
  readonly presences: Presences;
  readonly streams: StreamWatch;
  readonly deadlines: Deadlines;
  readonly retry: RetryRule;
  readonly requestBodyLimitBytes: number;
  /** Silence of a stream after which we send a ping of our own. The client's own limit is 300 s (protocol.md P37). */
  readonly pingAfterMs: DurationMs;
  /** The supervised queue for work that outlives its request: awaited at stop, failures logged. */
  background(work: Promise<void>): void;
};
