/** One window of a plan: an amount per span, at fixed instants. Time is given and never goes back. */
export interface PlanWindow {
  readonly name: string;
  readonly limit: number;
  used(nowMs: number): number;
  resetAtMs(nowMs: number): number;
  take(amount: number, nowMs: number): void;
}

export type WindowShape = {
  readonly name: string;
  readonly limit: number;
  readonly spanMs: number;
  /** One of its resets is at this instant; the others are whole spans away. */
  readonly phaseMs: number;
};

export function createPlanWindow({ name, limit, spanMs, phaseMs }: WindowShape): PlanWindow {
  let resetMs = Number.NEGATIVE_INFINITY;
  let taken = 0;
  function turn(nowMs: number): void {
    if (nowMs >= resetMs) {
      resetMs = phaseMs + (Math.floor((nowMs - phaseMs) / spanMs) + 1) * spanMs;
      taken = 0;
    }
  }
  return {
    name,
    limit,
    used(nowMs) {
      turn(nowMs);
      return taken;
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
