import type { EpochMs } from "../../kernel/time.ts";
import type { HomeBook } from "../affinity/home-book.ts";
import type { LatencyBook } from "../pool/latency-book.ts";
import type { ReservationBook } from "../pool/reservation-book.ts";
import type { Choice, Question, SelectionRule, TicketEnd, Use } from "./choice.ts";
import type { Skip } from "./plan.ts";

/** What outlives a request. The selector reads them in `choose` and writes them in `start` and `settle`. */
export type Books = {
  readonly homes: HomeBook;
  readonly reservations: ReservationBook;
  readonly latency: LatencyBook;
};

declare const ticketMark: unique symbol;

/** A request under way, from `start` to `settle`. Opaque. */
export type Ticket = { readonly [ticketMark]: true };

export interface Selector {
  /** Reads only. Never an account that is unusable now, save the last origin's. */
  choose(question: Question, rule: SelectionRule): Choice;
  /** Reserves what the request may take; a new or moved home holds at once, so that parallel first requests meet. */
  start(question: Question, use: Use): Ticket;
  /** Ends what `start` began; a second time does nothing. */
  settle(ticket: Ticket, end: TicketEnd, nowMs: EpochMs): void;
  /** What speaks against each account, in order. Looks at all of them. */
  explain(question: Question): readonly Skip[];
}
