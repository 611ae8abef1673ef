import type { ClientKeyId } from "../domain/access/client-key-id.ts";
import type { KeyAccess } from "../domain/access/key-access.ts";
import { isRested, type KeyLimits, type KeyMeter, newKeyMeter } from "../domain/access/key-limits.ts";
import type { EpochMs } from "../kernel/time.ts";

/** What each client key has taken of its limits, in memory. */
export interface KeyMeters {
  /** The meter of a key that was verified. The same one until it rested. */
  of(access: KeyAccess, nowMs: EpochMs): KeyMeter;
  readonly size: number;
}

type Known = { readonly meter: KeyMeter; limits: KeyLimits };

/** At so many what rests is forgotten, which changes nothing. Never more than there are client keys. */
const MAX_METERS = 100_000;

export function createKeyMeters(maxMeters: number = MAX_METERS): KeyMeters {
  const meters = new Map<ClientKeyId, Known>();
  let sweepAt = maxMeters;
  const sweep = (nowMs: EpochMs) => {
    for (const [id, { meter, limits }] of meters) {
      if (isRested(meter, limits, nowMs)) meters.delete(id);
    }
    // Twice what is busy, so that each new meter pays for a bounded part of the sweep.
    sweepAt = Math.max(maxMeters, 2 * meters.size);
  };
  return {
    get size() {
      return meters.size;
    },
    // hot path
    of({ meterId, limits }, nowMs) {
      const known = meters.get(meterId);
      if (known !== undefined) {
        known.limits = limits;
        return known.meter;
      }
      if (meters.size >= sweepAt) sweep(nowMs);
      const meter = newKeyMeter(nowMs);
      meters.set(meterId, { meter, limits });
      return meter;
    },
  };
}
