import type { ClientKeyId } from "../../src/domain/access/client-key-id.ts";
import type { ModelClass } from "../../src/domain/account/account.ts";
import type { Clock } from "../../src/gateway/ports.ts";
import { createLane, type Lane, type Place, type WaitKind } from "../../src/gateway/queue-lane.ts";
import type { RequestClass } from "../../src/gateway/request-class.ts";
import { type DurationMs, type EpochMs, epochMs } from "../../src/kernel/time.ts";
import type { Agenda } from "./agenda.ts";

/** A request's place in the queue. */
export type Ticking = Place;

/** The gateway's queue (src/gateway/queue.ts) without promises: its own lanes, driven by the agenda. */
export interface WaitingRoom {
  enter(who: { lane: ModelClass; requestClass: RequestClass; keyId: ClientKeyId }): Ticking;
  /** Others of the lane wait for room, and this one never has: they look first. */
  isBehind(place: Ticking): boolean;
  /** False when it may not wait: too many do, or its time would not be enough. */
  wait(place: Ticking, until: { readonly untilMs: EpochMs; readonly kind: WaitKind }, letOut: () => void): boolean;
  leave(place: Ticking): void;
  recheck(): void;
}

export function createWaitingRoom(
  agenda: Agenda,
  limits: { readonly maxWaitMs: DurationMs; readonly maxWaiting: number },
): WaitingRoom {
  const lanes = new Map<ModelClass, Lane>();
  const hasWaited = new Set<Ticking>();
  const clock = virtualClock(agenda);
  let arrivals = 0;
  return {
    enter(who) {
      arrivals += 1;
      const deadlineMs = epochMs(agenda.nowMs + limits.maxWaitMs);
      return { ...who, arrival: arrivals, deadlineMs, dueMs: deadlineMs, kind: "own", state: "out", letOut: null };
    },
    isBehind: (place) => !hasWaited.has(place) && (lanes.get(place.lane)?.hasLack ?? false),
    wait(place, until, letOut) {
      const isTooFar = until.untilMs > place.deadlineMs || agenda.nowMs > place.deadlineMs;
      const isFull = place.state === "out" && until.kind !== "turn" && hasWaited.size >= limits.maxWaiting;
      if (isTooFar || isFull) {
        this.leave(place);
        return false;
      }
      hasWaited.add(place);
      // A promise's turn comes after the lane has done its own; so does this.
      place.letOut = () => agenda.at(agenda.nowMs, letOut);
      const lane = lanes.get(place.lane) ?? createLane(clock);
      lanes.set(place.lane, lane);
      lane.put(place, until);
      return true;
    },
    leave(place) {
      place.letOut = null;
      hasWaited.delete(place);
      lanes.get(place.lane)?.remove(place);
    },
    recheck() {
      for (const lane of lanes.values()) lane.recheck();
    },
  };
}

/**
 * A lane sleeps on one timer and only ever calls `then` on it. In virtual time that call must come from the agenda and
 * not from the engine's microtasks, which run when the whole replay is over.
 */
function virtualClock(agenda: Agenda): Clock {
  return {
    now: () => agenda.nowMs,
    sleep: (span) => {
      // biome-ignore lint/suspicious/noThenProperty: the lane calls `then` and nothing else.
      const sleeping = { then: (wake: () => void) => agenda.at(agenda.nowMs + span, wake) };
      return sleeping as unknown as Promise<void>;
    },
    every: () => () => undefined,
  };
}
