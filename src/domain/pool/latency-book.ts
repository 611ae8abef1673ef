import type { DurationMs, EpochMs } from "../../kernel/time.ts";
import type { AccountId, ModelClass } from "../account/account.ts";

type LatencySubject = { readonly accountId: AccountId; readonly modelClass: ModelClass };

/**
 * Which accounts take much longer to the first token than the others do with the same class of models. At least five
 * samples, over three times the median of the others and over 5 s; the verdict fades while no sample comes.
 */
export interface LatencyBook {
  note(on: LatencySubject, firstTokenMs: DurationMs, nowMs: EpochMs): void;
  isSlow(on: LatencySubject, nowMs: EpochMs): boolean;
}

/** An account's latency is the median of so many: one cold prompt of 200,000 tokens says nothing about the account. */
const SAMPLES = 5;
const OUTLIER_FACTOR = 3;
const SLOW_MS = 5_000;
/** After each of these without a sample, half of the slowness is believed. */
const HALF_LIFE_MS = 60_000;
/** What is older says nothing of how the others are now. */
const COMPARABLE_MS = 600_000;
/** The median of the others is reckoned at most this often: it sorts them. */
const REFRESH_MS = 1_000;
const MAX_ENTRIES = 4_096;
/** Entries that go at once when the book is full, so that the search for the oldest ones is rare. */
const DROPPED_AT_ONCE = 512;

type Entry = {
  readonly on: LatencySubject;
  /** A ring of the last samples. */
  readonly samples: number[];
  noted: number;
  medianMs: number;
  lastMs: EpochMs;
};

type ClassEntries = {
  readonly entries: Map<AccountId, Entry>;
  /** Median of all but the slower half's one that is asked about; null while there is nothing to compare with. */
  othersMs: number | null;
  refreshedMs: number;
};

type Book = { readonly classes: Map<ModelClass, ClassEntries>; size: number };

export function createLatencyBook(): LatencyBook {
  const book: Book = { classes: new Map(), size: 0 };
  return {
    note: (on, firstTokenMs, nowMs) => note(book, on, { firstTokenMs, nowMs }),
    isSlow: (on, nowMs) => isSlow(book, on, nowMs),
  };
}

function note(book: Book, on: LatencySubject, sample: { firstTokenMs: DurationMs; nowMs: EpochMs }): void {
  const entry = entryOf(book, on);
  entry.samples[entry.noted % SAMPLES] = sample.firstTokenMs;
  entry.noted++;
  entry.medianMs = median(entry.samples);
  entry.lastMs = sample.nowMs;
}

// hot path
function isSlow(book: Book, on: LatencySubject, nowMs: EpochMs): boolean {
  const ofClass = book.classes.get(on.modelClass);
  const entry = ofClass?.entries.get(on.accountId);
  if (ofClass === undefined || entry === undefined || entry.noted < SAMPLES || entry.medianMs <= SLOW_MS) return false;
  if (Math.abs(nowMs - ofClass.refreshedMs) >= REFRESH_MS) refresh(ofClass, nowMs);
  const { othersMs } = ofClass;
  if (othersMs === null) return false;
  const halfLives = Math.max(0, nowMs - entry.lastMs) / HALF_LIFE_MS;
  return entry.medianMs * 2 ** -halfLives > Math.max(SLOW_MS, OUTLIER_FACTOR * othersMs);
}

/**
 * An outlier is in the slower half, so that leaving it out leaves the faster half as it was: one number serves for
 * every account that is asked about. For an account of the faster half it is at least its own, which is not slow.
 */
function refresh(ofClass: ClassEntries, nowMs: EpochMs): void {
  const medians: number[] = [];
  for (const entry of ofClass.entries.values()) {
    if (entry.noted >= SAMPLES && nowMs - entry.lastMs <= COMPARABLE_MS) medians.push(entry.medianMs);
  }
  medians.sort(ascending);
  ofClass.othersMs = medians.length < 2 ? null : (medians[Math.floor((medians.length - 2) / 2)] ?? null);
  ofClass.refreshedMs = nowMs;
}

function entryOf(book: Book, on: LatencySubject): Entry {
  const known = book.classes.get(on.modelClass)?.entries.get(on.accountId);
  if (known !== undefined) return known;
  if (book.size >= MAX_ENTRIES) dropOldest(book);
  const ofClass = book.classes.get(on.modelClass) ?? newClass(book, on.modelClass);
  const entry: Entry = {
    on: { accountId: on.accountId, modelClass: on.modelClass },
    samples: [],
    noted: 0,
    medianMs: 0,
    lastMs: 0 as EpochMs,
  };
  ofClass.entries.set(on.accountId, entry);
  book.size++;
  return entry;
}

function newClass(book: Book, modelClass: ModelClass): ClassEntries {
  const ofClass: ClassEntries = { entries: new Map(), othersMs: null, refreshedMs: Number.NEGATIVE_INFINITY };
  book.classes.set(modelClass, ofClass);
  return ofClass;
}

function dropOldest(book: Book): void {
  const entries = [...book.classes.values()].flatMap((ofClass) => [...ofClass.entries.values()]);
  entries.sort((left, right) => left.lastMs - right.lastMs);
  for (const { on } of entries.slice(0, DROPPED_AT_ONCE)) {
    const ofClass = book.classes.get(on.modelClass);
    ofClass?.entries.delete(on.accountId);
    if (ofClass?.entries.size === 0) book.classes.delete(on.modelClass);
    book.size--;
  }
}

function median(samples: readonly number[]): number {
  return samples.toSorted(ascending)[samples.length >> 1] ?? 0;
}

function ascending(left: number, right: number): number {
  return left - right;
}
