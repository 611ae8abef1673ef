import type { ClientKeyId } from "../domain/access/client-key-id.ts";
import type { ModelClass } from "../domain/account/account.ts";
import { after, type DurationMs, durationMs, type EpochMs, elapsed } from "../kernel/time.ts";
import type { Clock, GoneSignal } from "./ports.ts";
import { createLane, type Lane, type Place, type WaitKind } from "./queue-lane.ts";
import type { RequestClass } from "./request-class.ts";

/** Who waits. Requests of one lane want the same limits. */
export type Waiter = {
  readonly lane: ModelClass;
  readonly requestClass: RequestClass;
  readonly keyId: ClientKeyId;
  /** What this request has waited before; it counts towards the limit. */
  readonly waitedMs: DurationMs;
};

export type WaitUntil = { readonly untilMs: EpochMs; readonly kind: WaitKind };

export type QueueOutcome = {
  /** "full" and "too_far" refuse at once; "gone": the client left. */
  readonly kind: "ready" | "full" | "too_far" | "gone";
  /** Of this call alone. */
  readonly waitedMs: DurationMs;
};

/**
 * Where requests wait while no account can take them. Bounded in number and in time. When their time comes they are
 * let out one by one, main turns first, then the client key that got least: each must send, wait again or leave before
 * the next one looks, so that one account that comes back is no stampede. The cost of a look grows with the lane.
 */
export interface Queue {
  readonly waiting: number;
  /** Does anybody in the lane wait for room? Then a newcomer that finds some waits its turn. */
  hasLack(lane: ModelClass): boolean;
  enter(waiter: Waiter): Place;
  /** A place that waits again keeps its rank. */
  wait(place: Place, until: WaitUntil, signal: GoneSignal): Promise<QueueOutcome>;
  /** Sent, refused or dropped: the next one may look. Every place that was entered ends here. Idempotent. */
  leave(place: Place): void;
  /** Room may have come before its time: whoever waits for it looks now. */
  recheck(): void;
}

export type QueueOptions = {
  readonly clock: Clock;
  /** Of all waits of one request together. A longer one is refused, so that the client can decide for itself. */
  readonly maxWaitMs: DurationMs;
  readonly maxWaiting: number;
};

export function createQueue({ clock, maxWaitMs, maxWaiting }: QueueOptions): Queue {
  const lanes = new Map<ModelClass, Lane>();
  let waiting = 0;
  let arrivals = 0;

  const laneOf = (name: ModelClass): Lane => {
    const lane = lanes.get(name) ?? createLane(clock);
    lanes.set(name, lane);
    return lane;
  };
  const leave = (place: Place) => {
    const lane = lanes.get(place.lane);
    if (lane?.remove(place) === true) {
      waiting -= 1;
    }
    if (lane?.size === 0) {
      lanes.delete(place.lane);
    }
  };
  const refusal = (place: Place, { untilMs, kind }: WaitUntil, signal: GoneSignal): QueueOutcome["kind"] | null => {
    if (signal.aborted) {
      return "gone";
    }
    if (untilMs > place.deadlineMs || clock.now() > place.deadlineMs) {
      return "too_far";
    }
    return place.state === "out" && kind !== "turn" && waiting >= maxWaiting ? "full" : null;
  };

  return {
    get waiting() {
      return waiting;
    },
    hasLack: (lane) => waiting > 0 && (lanes.get(lane)?.hasLack ?? false),
    enter({ waitedMs, ...who }) {
      arrivals += 1;
      const deadlineMs = after(clock.now(), durationMs(Math.max(0, maxWaitMs - waitedMs)));
      return { ...who, arrival: arrivals, deadlineMs, dueMs: deadlineMs, kind: "own", state: "out", letOut: null };
    },
    async wait(place, until, signal) {
      const startMs = clock.now();
      const refused = refusal(place, until, signal);
      if (refused !== null) {
        leave(place);
        return { kind: refused, waitedMs: durationMs(0) };
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      const gone = () => leave(place);
      signal.addEventListener("abort", gone);
      place.letOut = resolve;
      waiting += place.state === "out" ? 1 : 0;
      laneOf(place.lane).put(place, until);
      await promise;
      signal.removeEventListener("abort", gone);
      return { kind: signal.aborted ? "gone" : "ready", waitedMs: elapsed(startMs, clock.now()) };
    },
    leave,
    recheck() {
      for (const lane of lanes.values()) {
        lane.recheck();
      }
    },
  };
}
