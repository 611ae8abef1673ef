import { parsePeerAddress } from "../domain/access/ip-address.ts";
import {
  ADDRESS_LIMITS,
  EVERYBODY_LIMITS,
  failed,
  type ThrottleLimits,
  type ThrottleState,
  waitMs,
} from "../domain/access/login-throttle.ts";
import type { EpochMs } from "../kernel/time.ts";

/** More addresses than this at once, and the one that failed longest ago is forgotten. */
const MAX_ADDRESSES = 10_000;

export type AttemptFrom = {
  /** Null: no address is known (Unix socket), so that everybody's count alone holds. */
  readonly ip: string | null;
  /** A device that has logged in before is not held up by what strangers do. */
  readonly isKnownDevice: boolean;
};

/** Counts of failures by address and of all together, in memory: a restart forgets them, and no account is unlocked by that. */
export type AttemptWindows = {
  /** Null: not now. What it gives must be called once, with whether the attempt failed. */
  enter(from: AttemptFrom, nowMs: EpochMs): ((hasFailed: boolean) => void) | null;
};

export function createAttemptWindows(): AttemptWindows {
  const addresses = createCounts(ADDRESS_LIMITS);
  const everybody = createCounts(EVERYBODY_LIMITS);
  return {
    enter({ ip, isKnownDevice }, nowMs) {
      const address = ip === null ? null : addressKey(ip);
      if (address !== null && !addresses.isOpen(address, nowMs)) return null;
      if (!isKnownDevice && !everybody.isOpen("", nowMs)) return null;
      const leaving = [everybody.begin("", nowMs)];
      if (address !== null) leaving.push(addresses.begin(address, nowMs));
      return (hasFailed) => {
        for (const leave of leaving) leave(hasFailed);
      };
    },
  };
}

/** The network of 64 bits is what one host of IPv6 owns, so all of it is one. */
export function addressKey(ip: string): string {
  const address = parsePeerAddress(ip);
  if (address === null) return "unknown";
  return (address.family === 4 ? address.parts : address.parts.slice(0, 4)).join(".");
}

function createCounts(limits: ThrottleLimits) {
  const states = new Map<string, ThrottleState>();
  const running = new Map<string, number>();
  return {
    /** As if all that are under way had failed: many at once get no further than one after the other. */
    isOpen(key: string, nowMs: EpochMs): boolean {
      let state = states.get(key) ?? null;
      for (let left = running.get(key) ?? 0; left > 0; left -= 1) state = failed(state, nowMs, limits);
      return waitMs(state, nowMs) === 0;
    },
    begin(key: string, nowMs: EpochMs): (hasFailed: boolean) => void {
      running.set(key, (running.get(key) ?? 0) + 1);
      return (hasFailed) => {
        const left = (running.get(key) ?? 1) - 1;
        if (left === 0) running.delete(key);
        else running.set(key, left);
        if (!hasFailed) return;
        const state = failed(states.get(key) ?? null, nowMs, limits);
        // Deleted first, so that it becomes the newest.
        states.delete(key);
        states.set(key, state);
        const [oldest] = states.keys();
        if (states.size > MAX_ADDRESSES && oldest !== undefined) states.delete(oldest);
      };
    },
  };
}
