import type { DurationMs, EpochMs } from "../../kernel/time.ts";
import type { AccountId } from "../account/account.ts";
import type { ConversationKey } from "./conversation.ts";

/** Where a conversation's prompt cache is. */
export type Home = {
  readonly accountId: AccountId;
  readonly lastUsedMs: EpochMs;
  /** How long the cache outlives its last use: 5 minutes or 1 hour. */
  readonly cacheMs: DurationMs;
  /** Tokens that the cache holds, and that another account would have to write again. */
  readonly prefixTokens: number;
};

export type SavedHome = Home & { readonly key: ConversationKey };

/** The homes of the conversations that were active last. Every call but `load` and `forgetAccount` is O(1). */
export interface HomeBook {
  /** At most `maxHomes`. Homes that are too old may still be counted. */
  readonly size: number;
  /** Changes nothing. */
  find(key: ConversationKey, nowMs: EpochMs): Home | null;
  /** Makes it the newest; the home that was set longest ago goes when there are too many. */
  set(key: ConversationKey, home: Home): void;
  /** What a previous life saved; a home that is here already stays. Not a change. */
  load(saved: readonly SavedHome[]): void;
  /** At most `max` homes that were set since they were taken last, for persistence; each once, with its newest value. */
  takeChanged(max: number): readonly SavedHome[];
  forgetAccount(id: AccountId): void;
}

/** `homeMs`: a home that was not used for longer is gone. */
type HomeLimits = { readonly maxHomes: number; readonly homeMs: DurationMs };

/**
 * A list in the order of use, threaded through the map's values. A `Map` in insertion order would do the same, but its
 * deleted entries stay in front until it is rebuilt, and each look for the oldest one walks over them.
 */
type Entry = { readonly key: ConversationKey; home: Home; newer: Entry | null; older: Entry | null };

type Book = {
  readonly limits: HomeLimits;
  readonly entries: Map<ConversationKey, Entry>;
  /** A part of `entries`. */
  readonly changed: Set<Entry>;
  newest: Entry | null;
  oldest: Entry | null;
};

/** Old homes that one `set` clears away: more than it adds, so that the old ones run out. */
const CLEARED_PER_SET = 2;

export function createHomeBook(limits: HomeLimits): HomeBook {
  const book: Book = { limits, entries: new Map(), changed: new Set(), newest: null, oldest: null };
  return {
    get size() {
      return book.entries.size;
    },
    find: (key, nowMs) => find(book, key, nowMs),
    set: (key, home) => set(book, key, home),
    load: (saved) => load(book, saved),
    takeChanged: (max) => takeChanged(book, max),
    forgetAccount: (id) => forgetAccount(book, id),
  };
}

// hot path
function find(book: Book, key: ConversationKey, nowMs: EpochMs): Home | null {
  const entry = book.entries.get(key);
  return entry === undefined || isGone(book, entry.home, nowMs) ? null : entry.home;
}

// hot path
function set(book: Book, key: ConversationKey, home: Home): void {
  const known = book.entries.get(key);
  const entry: Entry = known ?? { key, home, newer: null, older: null };
  if (known === undefined) {
    book.entries.set(key, entry);
    linkNewest(book, entry);
  } else {
    entry.home = home;
    if (entry !== book.newest) {
      unlink(book, entry);
      linkNewest(book, entry);
    }
  }
  book.changed.add(entry);
  dropOldest(book);
  for (let cleared = 0; cleared < CLEARED_PER_SET; cleared++) {
    const { oldest } = book;
    if (oldest === null || !isGone(book, oldest.home, home.lastUsedMs)) return;
    drop(book, oldest);
  }
}

/** Behind those that are here: what is live is newer than what was saved. */
function load(book: Book, saved: readonly SavedHome[]): void {
  const newestFirst = saved.filter((home) => Number.isFinite(home.lastUsedMs));
  newestFirst.sort((left, right) => right.lastUsedMs - left.lastUsedMs);
  for (const { key, ...home } of newestFirst) {
    if (book.entries.size >= book.limits.maxHomes) return;
    if (book.entries.has(key)) continue;
    const entry: Entry = { key, home, newer: null, older: null };
    book.entries.set(key, entry);
    linkOldest(book, entry);
  }
}

function takeChanged(book: Book, max: number): readonly SavedHome[] {
  const taken: SavedHome[] = [];
  for (const entry of book.changed) {
    if (taken.length >= max) break;
    taken.push({ ...entry.home, key: entry.key });
    book.changed.delete(entry);
  }
  return taken;
}

function forgetAccount(book: Book, id: AccountId): void {
  for (const entry of book.entries.values()) {
    if (entry.home.accountId === id) drop(book, entry);
  }
}

/** Further than `homeMs` from now, on either side: an instant that far ahead is a clock's mistake. */
function isGone(book: Book, home: Home, nowMs: EpochMs): boolean {
  return !(Math.abs(nowMs - home.lastUsedMs) <= book.limits.homeMs);
}

function dropOldest(book: Book): void {
  while (book.entries.size > book.limits.maxHomes && book.oldest !== null) drop(book, book.oldest);
}

function drop(book: Book, entry: Entry): void {
  unlink(book, entry);
  book.entries.delete(entry.key);
  book.changed.delete(entry);
}

function linkNewest(book: Book, entry: Entry): void {
  entry.older = book.newest;
  entry.newer = null;
  if (book.newest !== null) book.newest.newer = entry;
  book.newest = entry;
  book.oldest ??= entry;
}

function linkOldest(book: Book, entry: Entry): void {
  entry.newer = book.oldest;
  if (book.oldest !== null) book.oldest.older = entry;
  book.oldest = entry;
  book.newest ??= entry;
}

function unlink(book: Book, entry: Entry): void {
  if (entry.newer === null) book.newest = entry.older;
  else entry.newer.older = entry.older;
  if (entry.older === null) book.oldest = entry.newer;
  else entry.older.newer = entry.newer;
}
