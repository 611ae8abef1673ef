import { type IpAddress, networkKey } from "../domain/access/ip-address.ts";
import type { EpochMs } from "../kernel/time.ts";

/** How many requests without a valid key each address sent lately. An IPv6 client has a /64 to itself and counts as one. */
export interface FailedKeys {
  /** Counts one. 0: it may be told why; else the whole seconds, 1..60, after which it may be told again. */
  failed(address: IpAddress | null, nowMs: EpochMs): number;
  readonly size: number;
}

export type FailedKeysOptions = {
  /** So many at once, and as many a minute. */
  readonly perMinute: number;
  /** Addresses remembered; beyond it those that failed longest ago are forgotten. Default 100,000. */
  readonly maxAddresses?: number;
};

const MINUTE_MS = 60_000;
const MAX_ADDRESSES = 100_000;
const UNKNOWN = -1;

/** GCRA (ITU-T I.371): one instant for each address, when its next request would be due at an even rate. */
export function createFailedKeys({ perMinute, maxAddresses = MAX_ADDRESSES }: FailedKeysOptions): FailedKeys {
  const spacingMs = MINUTE_MS / perMinute;
  const dueAtMs = createRecentMap(maxAddresses);
  return {
    get size() {
      return dueAtMs.size;
    },
    failed(address, nowMs) {
      const key = address === null ? UNKNOWN : networkKey(address);
      // A clock that went back must not lock anybody out for longer than a minute.
      const dueMs = Math.min(Math.max(dueAtMs.get(key) ?? nowMs, nowMs), nowMs + MINUTE_MS);
      const earliestMs = dueMs + spacingMs - MINUTE_MS;
      const isTooMany = earliestMs > nowMs;
      dueAtMs.set(key, isTooMany ? dueMs : dueMs + spacingMs);
      return isTooMany ? Math.max(1, Math.ceil((earliestMs - nowMs) / 1_000)) : 0;
    },
  };
}

type Key = number | string;

/**
 * The newest entries, at least half of `maxEntries` and never more than all. Two maps instead of one in the order of use:
 * taking the first entry out of a map again and again costs a walk over all that was taken out before (58 s for a million,
 * Bun 1.4.5, 2026-11-24).
 */
function createRecentMap(maxEntries: number) {
  let young = new Map<Key, number>();
  let old = new Map<Key, number>();
  return {
    get size() {
      return young.size + old.size;
    },
    get: (key: Key) => young.get(key) ?? old.get(key),
    set(key: Key, value: number) {
      young.set(key, value);
      if (young.size < maxEntries / 2) return;
      old = young;
      young = new Map();
    },
  };
}
