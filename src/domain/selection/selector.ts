import { durationMs, type EpochMs } from "../../kernel/time.ts";
import type { Account, AccountId, ModelClass } from "../account/account.ts";
import type { ConversationKey } from "../affinity/conversation.ts";
import { createHomeBook, type Home, type HomeBook } from "../affinity/home-book.ts";
import { isCacheAlive } from "../affinity/move.ts";
import type { LatencyBook } from "../pool/latency-book.ts";
import type { Demand, Reservation, ReservationBook } from "../pool/reservation-book.ts";
import { chooseAnew } from "./anew.ts";
import { chooseForHome } from "./at-home.ts";
import type { Choice, Question, SelectionRule, TicketEnd, Use } from "./choice.ts";
import { firstHome, isSameHome, usedHome } from "./home-record.ts";
import { type Lodging, lodgingOf, warmAt, warmth } from "./lodging.ts";
import { type Skip, skipsOf } from "./plan.ts";
import { createRestMemory, type RestMemory } from "./rest-memory.ts";
import { createRoster, type Entry, entryOf, type Roster } from "./roster.ts";
import { createShortlists, type Shortlists } from "./shortlist.ts";

/** What outlives a request. The selector reads them in `choose` and writes them in `start` and `settle`. */
export type Books = {
  readonly homes: HomeBook;
  readonly reservations: ReservationBook;
  readonly latency: LatencyBook;
};

/** A request under way, from `start` to `settle`. Only the selector looks inside. */
export type Ticket = {
  isOpen: boolean;
  readonly reservation: Reservation;
  readonly conversation: ConversationKey | null;
  readonly accountId: AccountId;
  readonly modelClass: ModelClass;
  readonly cache: string;
  readonly startedMs: EpochMs;
  readonly isSubagent: boolean;
  /** The home that this request set in place of another one; comes back when it is refused there. */
  readonly moved: { readonly to: Home; readonly from: Home } | null;
};

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

type Inside = Books & {
  /** Who serves a conversation while it is away from home. Not worth keeping over a restart. */
  readonly guests: HomeBook;
  readonly lists: Shortlists;
  readonly rest: RestMemory;
  roster: Roster;
};

const NOTHING: Demand = { inputTokens: 0, outputTokens: 0 };
const GUESTS = { maxHomes: 10_000, homeMs: durationMs(3_600_000) };

export function createSelector(books: Books): Selector {
  const inside: Inside = {
    ...books,
    guests: createHomeBook(GUESTS),
    lists: createShortlists(),
    rest: createRestMemory(),
    roster: createRoster([]),
  };
  return {
    choose: (question, rule) => choose(inside, question, rule),
    start: (question, use) => start(inside, question, use),
    settle: (ticket, end, nowMs) => settle(inside, ticket, { end, nowMs }),
    explain: (question) => explain(inside, question),
  };
}

// hot path
function choose(inside: Inside, question: Question, rule: SelectionRule): Choice {
  const { homes, guests, lists, rest } = inside;
  const roster = rosterOf(inside, question.accounts);
  const looksAtHomes = rule.strategy === "session" && question.conversation !== null;
  const lodging = looksAtHomes ? lodgingOf(homes, roster, question) : null;
  const warm = lodging === null ? null : warmAt(question, [lodging], lodging.entry);
  const asking = { view: { question, books: inside, warm }, rule, roster, lists, rest };
  if (lodging === null) {
    return chooseAnew(asking, looksAtHomes ? "new_home" : "strategy");
  }
  return chooseForHome(asking, lodging, lodgingOf(guests, roster, question));
}

// hot path
function start(inside: Inside, question: Question, use: Use): Ticket {
  const { conversation, modelClass, nowMs } = question;
  const roster = rosterOf(inside, question.accounts);
  const entry = roster.find(use.account.id) ?? entryOf(use.account);
  const home = lodgingOf(inside.homes, roster, question);
  const guest = use.move === null ? null : lodgingOf(inside.guests, roster, question);
  const warm = warmAt(question, [home, guest], entry);
  const on = { limitGroup: entry.limitGroup, accountId: entry.account.id, modelClass };
  return {
    isOpen: true,
    reservation: inside.reservations.start(on, warm?.demand ?? question.demand, nowMs),
    conversation,
    accountId: entry.account.id,
    modelClass,
    cache: entry.cache,
    startedMs: nowMs,
    isSubagent: question.isSubagent,
    moved: conversation === null ? null : lodge(inside, { conversation, nowMs, use }, { entry, home, guest }),
  };
}

/** Writes down where the conversation lives from now on. */
function lodge(
  { homes, guests }: Inside,
  { conversation, nowMs, use }: { conversation: ConversationKey; nowMs: EpochMs; use: Use },
  { entry, home, guest }: { entry: Entry; home: Lodging | null; guest: Lodging | null },
): Ticket["moved"] {
  const isAtHome = home !== null && home.entry === entry;
  if (isAtHome && isCacheAlive(home.home, nowMs)) {
    return null;
  }
  const setsHome = home === null || isAtHome || (use.move?.setsHome ?? use.why === "strategy");
  const known = guest !== null && guest.entry === entry && isCacheAlive(guest.home, nowMs) ? guest.home : null;
  const next = known ?? firstHome(entry.account.id, nowMs);
  if (setsHome) {
    homes.set(conversation, next);
    return home === null || isAtHome ? null : { to: next, from: home.home };
  }
  if (known === null && use.move !== null) {
    guests.set(conversation, next);
  }
  return null;
}

// hot path
function settle(inside: Inside, ticket: Ticket, { end, nowMs }: { end: TicketEnd; nowMs: EpochMs }): void {
  if (!ticket.isOpen) {
    return;
  }
  ticket.isOpen = false;
  inside.reservations.end(ticket.reservation, tookOf(end));
  if (end.firstTokenMs !== null) {
    inside.latency.note({ accountId: ticket.accountId, modelClass: ticket.modelClass }, end.firstTokenMs, nowMs);
  }
  if (end.kind === "limited") {
    inside.reservations.noteSwitch(ticket.modelClass, nowMs);
  }
  if (ticket.conversation === null) {
    return;
  }
  if (end.kind === "served" || end.usage !== null) {
    refresh(inside, ticket, { conversation: ticket.conversation, end, nowMs });
  } else if (end.kind !== "gone") {
    moveBack(inside, ticket, { conversation: ticket.conversation, nowMs });
  }
}

/** What the request took from the limits; a refused one nothing. Null: nobody knows. */
function tookOf({ kind, usage }: TicketEnd): Demand | null {
  if (usage !== null && usage.outputTokens !== null) {
    const { inputTokens, cacheWrite5mTokens, cacheWrite1hTokens, outputTokens } = usage;
    const writtenTokens = (cacheWrite5mTokens ?? 0) + (cacheWrite1hTokens ?? 0);
    return { inputTokens: (inputTokens ?? 0) + writtenTokens, outputTokens };
  }
  return kind === "limited" || kind === "failed" ? NOTHING : null;
}

/** The cache that answered lives on: the home's, or that of the guest's host. */
function refresh(
  { homes, guests, roster }: Inside,
  { cache, startedMs, isSubagent }: Ticket,
  { conversation, end, nowMs }: { conversation: ConversationKey; end: TicketEnd; nowMs: EpochMs },
): void {
  for (const book of [homes, guests]) {
    const lodging = lodgingOf(book, roster, { conversation, nowMs });
    if (lodging !== null && lodging.entry.cache === cache) {
      book.set(conversation, usedHome(lodging.home, isSubagent ? null : end.usage, startedMs));
      return;
    }
  }
}

/** A move that was refused is none, unless somebody else was served there meanwhile. */
function moveBack(
  { homes }: Inside,
  { moved }: Ticket,
  { conversation, nowMs }: { conversation: ConversationKey; nowMs: EpochMs },
): void {
  const home = moved === null ? null : homes.find(conversation, nowMs);
  if (moved !== null && home !== null && isSameHome(home, moved.to)) {
    homes.set(conversation, moved.from);
  }
}

function explain(inside: Inside, question: Question): readonly Skip[] {
  const roster = rosterOf(inside, question.accounts);
  const home = lodgingOf(inside.homes, roster, question);
  const warm = home === null || !isCacheAlive(home.home, question.nowMs) ? null : warmth(question, home);
  return skipsOf({ question, books: inside, warm }, roster.all.entries);
}

/** Made once for each change of an account. */
function rosterOf(inside: Inside, accounts: readonly Account[]): Roster {
  if (inside.roster.accounts !== accounts) {
    inside.roster = createRoster(accounts);
    inside.lists.clear();
  }
  return inside.roster;
}
