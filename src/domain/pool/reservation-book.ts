import type { EpochMs } from "../../kernel/time.ts";
import type { AccountId, LimitGroup, ModelClass } from "../account/account.ts";
import { addBuckets, addFull, addPlan, type Headroom, headroomOf, newSum } from "./headroom.ts";
import type { SeenLimits } from "./limit-windows.ts";
import {
  correctStart,
  createRecentStarts,
  dropCounted,
  noteStart,
  type RecentStarts,
  type StartCell,
} from "./recent-starts.ts";
import { countStart, createStartRamp, RAMP_MS, rampOpensAt, type StartRamp } from "./start-ramp.ts";
import { bucketOf, draw, type StartedAmount, type TokenBucket } from "./token-bucket.ts";

/** What a request is expected to take from the limits. */
export type Demand = { readonly inputTokens: number; readonly outputTokens: number };

type StartSubject = {
  readonly limitGroup: LimitGroup;
  readonly accountId: AccountId;
  readonly modelClass: ModelClass;
};
type HeadroomSubject = Pick<StartSubject, "limitGroup" | "modelClass">;

/** One limit group with one model class. */
type Slot = {
  inFlight: number;
  share: number;
  lastMs: EpochMs;
  readonly starts: RecentStarts;
  readonly ramp: StartRamp;
  /** From the windows of `seenAtMs`; null before any were seen. */
  buckets: TokenBucket[] | null;
  seenAtMs: EpochMs;
};

type ClassSlots = { readonly groups: Map<LimitGroup, Slot>; switchedAtMs: number };

type AccountTally = { inFlight: number; lastStart: number; share: number; lastMs: EpochMs };

type Held = {
  isOpen: boolean;
  readonly slot: Slot;
  readonly account: AccountTally;
  readonly demand: Demand;
  readonly cell: StartCell;
};

/** One request on its way. Only this book looks inside. */
export type Reservation = Readonly<Held>;

/** Requests on their way and what they take from the limits, before any answer says so. */
export interface ReservationBook {
  start(on: StartSubject, demand: Demand, nowMs: EpochMs): Reservation;
  /**
   * May be called again. `took`: what it came to, instead of what was expected; null when nobody knows, and what was
   * expected stays taken until newer windows are seen.
   */
  end(reservation: Reservation, took: Demand | null): void;
  inFlight(limitGroup: LimitGroup, modelClass: ModelClass): number;
  inFlightOf(accountId: AccountId): number;
  /**
   * What `limits` leave, refilled as token buckets are, minus what started since they were seen. `seenAtMs` must never
   * be older than the newest of the windows that are no plan's: what started before it counts as counted.
   */
  headroom(
    on: HeadroomSubject,
    limits: SeenLimits | null,
    need: { readonly demand: Demand; readonly nowMs: EpochMs },
  ): Headroom;
  /** A group of this class was benched: for a minute the others' start rate at most doubles every 5 s, from 20. */
  noteSwitch(modelClass: ModelClass, nowMs: EpochMs): void;
  /** Recent starts, decayed with a half-life of 10 minutes. */
  startedShare(accountId: AccountId, nowMs: EpochMs): number;
  /** The same of a limit group and model class. */
  startedShareOf(on: HeadroomSubject, nowMs: EpochMs): number;
  /** Sequence number of the last start; 0: never. */
  lastStart(accountId: AccountId): number;
}

type Book = {
  readonly classes: Map<ModelClass, ClassSlots>;
  slots: number;
  readonly accounts: Map<AccountId, AccountTally>;
  sequence: number;
};

/**
 * A plan tells only shares, and a new account nothing. Each request that they have not counted yet is taken for this
 * much, so that a burst does not all go to the account that was the least used before it.
 */
const SHARE_PER_REQUEST = 0.001;
const SHARE_HALF_LIFE_MS = 600_000;
/** Slots, classes and accounts, each: like the pool's 64 x 64. */
const MAX_ENTRIES = 4_096;
/** Entries that go at once when there are too many, so that the search for the oldest ones is rare. */
const DROPPED_AT_ONCE = 512;

export function createReservationBook(): ReservationBook {
  const book: Book = { classes: new Map(), slots: 0, accounts: new Map(), sequence: 0 };
  return {
    start: (on, demand, nowMs) => start(book, on, { demand, nowMs }),
    end,
    inFlight: (limitGroup, modelClass) => book.classes.get(modelClass)?.groups.get(limitGroup)?.inFlight ?? 0,
    inFlightOf: (accountId) => book.accounts.get(accountId)?.inFlight ?? 0,
    headroom: (on, limits, need) => headroom(book, on, { limits, ...need }),
    noteSwitch: (modelClass, nowMs) => {
      classOf(book, modelClass).switchedAtMs = nowMs;
    },
    startedShare: (accountId, nowMs) => shareAt(book.accounts.get(accountId), nowMs),
    startedShareOf: (on, nowMs) => shareAt(findSlot(book, on), nowMs),
    lastStart: (accountId) => book.accounts.get(accountId)?.lastStart ?? 0,
  };
}

// hot path
function start(book: Book, on: StartSubject, what: { demand: Demand; nowMs: EpochMs }): Reservation {
  const { demand, nowMs } = what;
  const slot = slotOf(book, on, nowMs);
  const account = accountOf(book, on.accountId, nowMs);
  slot.inFlight++;
  slot.share = shareAt(slot, nowMs) + 1;
  slot.lastMs = nowMs;
  const cell = noteStart(slot.starts, demand, nowMs);
  countStart(slot.ramp, nowMs);
  if (slot.buckets !== null) {
    const { inputTokens, outputTokens } = demand;
    drawAll(slot.buckets, { requests: 1, inputTokens, outputTokens }, nowMs);
  }
  account.share = shareAt(account, nowMs) + 1;
  account.lastMs = nowMs;
  account.inFlight++;
  account.lastStart = ++book.sequence;
  const held: Held = { isOpen: true, slot, account, demand, cell };
  return held;
}

// hot path
function end(reservation: Reservation, took: Demand | null): void {
  const held: Held = reservation;
  if (!held.isOpen) return;
  held.isOpen = false;
  const { slot, account, demand, cell } = held;
  slot.inFlight--;
  account.inFlight--;
  if (took === null) return;
  const more = {
    requests: 0,
    inputTokens: took.inputTokens - demand.inputTokens,
    outputTokens: took.outputTokens - demand.outputTokens,
  };
  if (correctStart(slot.starts, cell, more) && slot.buckets !== null) drawAll(slot.buckets, more, cell.lastMs);
}

// hot path
function headroom(
  book: Book,
  on: HeadroomSubject,
  need: { limits: SeenLimits | null; demand: Demand; nowMs: EpochMs },
): Headroom {
  const { limits, demand, nowMs } = need;
  const sum = newSum(nowMs);
  const slot = limits === null ? findSlot(book, on) : slotOf(book, on, nowMs);
  if (slot !== undefined) {
    if (limits === null) {
      sum.usedRatio = slot.inFlight * SHARE_PER_REQUEST;
    } else {
      noteSeen(slot, limits);
      addPlan(sum, limits.windows, slot.starts.requests * SHARE_PER_REQUEST);
      addBuckets(sum, slot.buckets ?? [], demand);
    }
    if (isRamping(book, on.modelClass, nowMs)) addFull(sum, "ramp", rampOpensAt(slot.ramp, nowMs));
  }
  return headroomOf(sum);
}

/** Windows that were seen at another time make new buckets, and have counted what was started before. */
function noteSeen(slot: Slot, limits: SeenLimits): void {
  const { windows, seenAtMs } = limits;
  if (slot.buckets !== null && slot.seenAtMs === seenAtMs) return;
  dropCounted(slot.starts, seenAtMs);
  slot.seenAtMs = seenAtMs;
  slot.buckets = [];
  for (const window of windows) {
    const bucket = bucketOf(window, seenAtMs);
    if (bucket !== null) slot.buckets.push(bucket);
  }
  for (const cell of slot.starts.cells) drawAll(slot.buckets, cell, cell.lastMs);
}

/** Also while the clock is a little behind the switch. */
function isRamping(book: Book, modelClass: ModelClass, nowMs: EpochMs): boolean {
  const switchedAtMs = book.classes.get(modelClass)?.switchedAtMs ?? Number.NEGATIVE_INFINITY;
  return Math.abs(nowMs - switchedAtMs) < RAMP_MS;
}

function drawAll(buckets: readonly TokenBucket[], amount: StartedAmount, atMs: EpochMs): void {
  for (const bucket of buckets) draw(bucket, amount, atMs);
}

function shareAt(tally: Pick<AccountTally, "share" | "lastMs"> | undefined, nowMs: EpochMs): number {
  if (tally === undefined || tally.share === 0) return 0;
  return tally.share * 2 ** (-Math.max(0, nowMs - tally.lastMs) / SHARE_HALF_LIFE_MS);
}

function findSlot(book: Book, on: HeadroomSubject): Slot | undefined {
  return book.classes.get(on.modelClass)?.groups.get(on.limitGroup);
}

function slotOf(book: Book, on: HeadroomSubject, nowMs: EpochMs): Slot {
  const known = findSlot(book, on);
  if (known !== undefined) return known;
  if (book.slots >= MAX_ENTRIES) dropOldestSlots(book);
  const slot: Slot = {
    inFlight: 0,
    share: 0,
    lastMs: nowMs,
    starts: createRecentStarts(),
    ramp: createStartRamp(),
    buckets: null,
    seenAtMs: nowMs,
  };
  classOf(book, on.modelClass).groups.set(on.limitGroup, slot);
  book.slots++;
  return slot;
}

function classOf(book: Book, modelClass: ModelClass): ClassSlots {
  const known = book.classes.get(modelClass);
  if (known !== undefined) return known;
  if (book.classes.size >= MAX_ENTRIES) dropEmptyClasses(book);
  const slots: ClassSlots = { groups: new Map(), switchedAtMs: Number.NEGATIVE_INFINITY };
  book.classes.set(modelClass, slots);
  return slots;
}

function accountOf(book: Book, accountId: AccountId, nowMs: EpochMs): AccountTally {
  const known = book.accounts.get(accountId);
  if (known !== undefined) return known;
  if (book.accounts.size >= MAX_ENTRIES) {
    for (const [id] of oldest([...book.accounts])) book.accounts.delete(id);
  }
  const account: AccountTally = { inFlight: 0, lastStart: 0, share: 0, lastMs: nowMs };
  book.accounts.set(accountId, account);
  return account;
}

function dropOldestSlots(book: Book): void {
  const slots = [...book.classes].flatMap(([modelClass, { groups }]) =>
    [...groups].map(([limitGroup, slot]) => [{ modelClass, limitGroup }, slot] as const),
  );
  for (const [{ modelClass, limitGroup }] of oldest(slots)) {
    book.classes.get(modelClass)?.groups.delete(limitGroup);
    book.slots--;
  }
  dropEmptyClasses(book);
}

function dropEmptyClasses(book: Book): void {
  for (const [modelClass, { groups }] of book.classes) {
    if (groups.size === 0) book.classes.delete(modelClass);
  }
}

/** Idle ones first, then those that are unused for longest. What is dropped may end later: its reservations hold it. */
function oldest<Key, Value extends { readonly inFlight: number; readonly lastMs: EpochMs }>(
  entries: (readonly [Key, Value])[],
): (readonly [Key, Value])[] {
  return entries
    .sort(([, left], [, right]) => Math.sign(left.inFlight) - Math.sign(right.inFlight) || left.lastMs - right.lastMs)
    .slice(0, DROPPED_AT_ONCE);
}
