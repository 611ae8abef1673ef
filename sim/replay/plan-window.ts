/** One window of a plan: an amount per span. Time is given and never goes back. */
export interface PlanWindow {
  readonly name: string;
  readonly limit: number;
  /** What is left now. */
  left(nowMs: number): number;
  resetAtMs(nowMs: number): number;
  take(amount: number, nowMs: number): void;
}

export type WindowShape = {
  readonly name: string;
  readonly limit: number;
  readonly spanMs: number;
  /** The window that runs when the trace begins ends then. */
  readonly firstResetMs: number;
};

/**
 * Resets at fixed instants, whole spans apart: the weekly window. The one that runs at `startMs` has been used as fast
 * as time passed.
 */
export function createFixedWindow({ name, limit, spanMs, firstResetMs }: WindowShape, startMs: number): PlanWindow {
  let resetMs = firstResetMs;
  let taken = limit * Math.max(0, 1 - (firstResetMs - startMs) / spanMs);
  function turn(nowMs: number): void {
    if (nowMs < resetMs) return;
    resetMs += (Math.floor((nowMs - resetMs) / spanMs) + 1) * spanMs;
    taken = 0;
  }
  return {
    name,
    limit,
    left(nowMs) {
      turn(nowMs);
      return limit - taken;
    },
    resetAtMs(nowMs) {
      turn(nowMs);
      return resetMs;
    },
    take(amount, nowMs) {
      turn(nowMs);
      taken += amount;
    },
  };
}

/** Begins with the first request after the last one ended: the window of five hours. */
export function createWindowFromUse({ name, limit, spanMs, firstResetMs }: WindowShape): PlanWindow {
  let resetMs = firstResetMs;
  let taken = 0;
  return {
    name,
    limit,
    left: (nowMs) => (nowMs < resetMs ? limit - taken : limit),
    resetAtMs: (nowMs) => (nowMs < resetMs ? resetMs : nowMs + spanMs),
    take(amount, nowMs) {
      if (nowMs >= resetMs) {
        resetMs = nowMs + spanMs;
        taken = 0;
      }
      taken += amount;
    },
  };
}

/**
 * No window that begins with its use allows more, whenever that is: any stretch of time meets at most two windows and
 * one more for each whole span. So the first one ends with the window that runs already, then every span adds a
 * limit, and two limits can be held. For the upper bound.
 */
export function createCreditWindow({ name, limit, spanMs, firstResetMs }: WindowShape): PlanWindow {
  let resetMs = firstResetMs;
  let held = limit;
  function turn(nowMs: number): void {
    for (; nowMs >= resetMs; resetMs += spanMs) {
      held = resetMs === firstResetMs ? limit : Math.min(2 * limit, held + limit);
    }
  }
  return {
    name,
    limit,
    left(nowMs) {
      turn(nowMs);
      return held;
    },
    resetAtMs(nowMs) {
      turn(nowMs);
      return resetMs;
    },
    take(amount, nowMs) {
      turn(nowMs);
      held -= amount;
    },
  };
}
