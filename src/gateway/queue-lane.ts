import type { ClientKeyId } from "../domain/access/client-key-id.ts";
import type { ModelClass } from "../domain/account/account.ts";
import { after, durationMs, type EpochMs, elapsed, epochMs } from "../kernel/time.ts";
import type { Clock } from "./ports.ts";
import { REQUEST_CLASSES, type RequestClass } from "./request-class.ts";

/**
 * lack: nobody of the lane has room before then, so that one who looked and found none speaks for those behind.
 * own: only this request waits, for its home. turn: there is room, and those who wait for it look first.
 */
export type WaitKind = "lack" | "own" | "turn";

/** One request in the queue. Its lane alone changes it. */
export type Place = {
  readonly lane: ModelClass;
  readonly requestClass: RequestClass;
  readonly keyId: ClientKeyId;
  /** Arrival by number: the last thing that decides who is first. */
  readonly arrival: number;
  /** It looks then at the latest. */
  readonly deadlineMs: EpochMs;
  dueMs: EpochMs;
  kind: WaitKind;
  /** looking: let out, and has not said yet what became of it. */
  state: "out" | "waiting" | "looking";
  letOut: (() => void) | null;
};

/** Requests that want the same limits. One of them looks at a time. */
export interface Lane {
  readonly size: number;
  readonly hasLack: boolean;
  put(place: Place, until: { readonly untilMs: EpochMs; readonly kind: WaitKind }): void;
  /** False when it was out already. */
  remove(place: Place): boolean;
  /** Whoever waits for room is due now. */
  recheck(): void;
}

/** An instant that has passed is no reason to look again at once: that would be a busy loop. */
const LOOK_AGAIN_MS = durationMs(10);

export function createLane(clock: Clock): Lane {
  const waiting = new Set<Place>();
  /** Let out in this busy period: the lane ends with it. */
  const letOut = new Map<ClientKeyId, number>();
  const alarm = createAlarm(clock, () => goOn());
  let looking: Place | null = null;

  const count = (keyId: ClientKeyId, by: number) => letOut.set(keyId, (letOut.get(keyId) ?? 0) + by);
  /** Lets the first out whose time has come; else sleeps until the next one's. */
  const goOn = () => {
    if (looking !== null) {
      return;
    }
    const nowMs = clock.now();
    const first = firstDue(waiting, letOut, nowMs);
    alarm.set(first === null ? earliestOf(waiting) : null);
    if (first !== null) {
      waiting.delete(first);
      looking = first;
      first.state = "looking";
      count(first.keyId, 1);
      first.letOut?.();
    }
  };
  const eachLack = (change: (place: Place) => EpochMs) => {
    for (const place of waiting) {
      if (place.kind === "lack") {
        place.dueMs = change(place);
      }
    }
  };
  /** It found no room: those behind it need not look before it does, unless their own time is up. */
  const postpone = (untilMs: EpochMs) =>
    eachLack(({ dueMs, deadlineMs }) => epochMs(Math.max(dueMs, Math.min(untilMs, deadlineMs))));
  const stopLooking = (place: Place) => {
    looking = looking === place ? null : looking;
  };

  return {
    get size() {
      return waiting.size + (looking === null ? 0 : 1);
    },
    get hasLack() {
      return hasLack(waiting);
    },
    put(place, { untilMs, kind }) {
      const nowMs = clock.now();
      const hasLooked = place.state === "looking";
      place.kind = kind;
      place.dueMs = kind === "turn" ? nowMs : untilMs > nowMs ? untilMs : after(nowMs, LOOK_AGAIN_MS);
      if (hasLooked) {
        stopLooking(place);
        count(place.keyId, -1);
      }
      if (hasLooked && kind === "lack") {
        postpone(place.dueMs);
      }
      place.state = "waiting";
      waiting.add(place);
      if (kind === "turn") {
        eachLack(() => nowMs);
      }
      goOn();
    },
    remove(place) {
      if (place.state === "out") {
        return false;
      }
      const isWaiting = waiting.delete(place);
      stopLooking(place);
      place.state = "out";
      if (isWaiting) {
        place.letOut?.();
      }
      goOn();
      return true;
    },
    recheck() {
      const nowMs = clock.now();
      eachLack(() => nowMs);
      goOn();
    },
  };
}

/** Main turns first, then the key that was let out least, then who came first. */
function firstDue(waiting: ReadonlySet<Place>, letOut: ReadonlyMap<ClientKeyId, number>, nowMs: EpochMs): Place | null {
  let first: Place | null = null;
  for (const place of waiting) {
    if (place.dueMs <= nowMs && (first === null || isBefore(place, first, letOut))) {
      first = place;
    }
  }
  return first;
}

function isBefore(place: Place, other: Place, letOut: ReadonlyMap<ClientKeyId, number>): boolean {
  const byClass = REQUEST_CLASSES.indexOf(place.requestClass) - REQUEST_CLASSES.indexOf(other.requestClass);
  if (byClass !== 0) {
    return byClass < 0;
  }
  const byKey = (letOut.get(place.keyId) ?? 0) - (letOut.get(other.keyId) ?? 0);
  return byKey === 0 ? place.arrival < other.arrival : byKey < 0;
}

function hasLack(waiting: ReadonlySet<Place>): boolean {
  for (const { kind } of waiting) {
    if (kind === "lack") {
      return true;
    }
  }
  return false;
}

function earliestOf(waiting: ReadonlySet<Place>): EpochMs | null {
  let earliestMs: EpochMs | null = null;
  for (const { dueMs } of waiting) {
    earliestMs = earliestMs === null || dueMs < earliestMs ? dueMs : earliestMs;
  }
  return earliestMs;
}

/** One timer that can be moved. */
function createAlarm(clock: Clock, ring: () => void): { set(atMs: EpochMs | null): void } {
  let current: { readonly atMs: EpochMs; readonly stop: AbortController } | null = null;
  return {
    set(atMs) {
      if (current !== null && current.atMs === atMs) {
        return;
      }
      const before = current;
      current = null;
      before?.stop.abort();
      if (atMs === null) {
        return;
      }
      const mine = { atMs, stop: new AbortController() };
      current = mine;
      void clock.sleep(elapsed(clock.now(), atMs), mine.stop.signal).then(() => {
        if (current === mine) {
          current = null;
          ring();
        }
      });
    },
  };
}
