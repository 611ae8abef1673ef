import { type DurationMs, durationMs, type EpochMs, elapsed, epochMs } from "../../kernel/time.ts";

/** What is counted against one subject: an account, an address, or everybody together. */
export type ThrottleState = {
  /** Failures of the running window. */
  readonly failures: number;
  /** Failures since the last success. */
  readonly consecutive: number;
  readonly windowStartMs: number;
  /** 0: never locked. */
  readonly lockedUntilMs: number;
};

export type ThrottleLimits = {
  /** The failure that locks first. */
  readonly failures: number;
  readonly windowMs: number;
  /** doubling: 1, 2, 4 .. 900 s with each further failure. window: until the window ends. */
  readonly lock: "doubling" | "window";
};

const SECOND_MS = 1000;
const QUARTER_HOUR_MS = 900 * SECOND_MS;

export const ACCOUNT_LIMITS: ThrottleLimits = { failures: 5, windowMs: QUARTER_HOUR_MS, lock: "doubling" };
export const ADDRESS_LIMITS: ThrottleLimits = { failures: 20, windowMs: QUARTER_HOUR_MS, lock: "window" };
export const EVERYBODY_LIMITS: ThrottleLimits = { failures: 100, windowMs: 60 * SECOND_MS, lock: "window" };

const MAX_LOCK_MS = QUARTER_HOUR_MS;
/** SP 800-63B 5.2.2: no more than 100 consecutive failures. */
const MAX_CONSECUTIVE = 100;

/** 0: it may be tried. A clock that goes back frees nobody early. */
export function waitMs(state: ThrottleState | null, nowMs: EpochMs): DurationMs {
  return state === null ? durationMs(0) : elapsed(nowMs, epochMs(state.lockedUntilMs));
}

/** Only the owner or a recovery code helps. */
export function isDisabled(state: ThrottleState | null): boolean {
  return state !== null && state.consecutive >= MAX_CONSECUTIVE;
}

export function failed(
  state: ThrottleState | null,
  nowMs: EpochMs,
  limits: ThrottleLimits = ACCOUNT_LIMITS,
): ThrottleState {
  const running = state === null || isOver(state, nowMs, limits) ? null : state;
  const failures = (running?.failures ?? 0) + 1;
  const consecutive = (state?.consecutive ?? 0) + 1;
  const windowStartMs = running?.windowStartMs ?? nowMs;
  const lockEndMs = limits.lock === "window" ? windowStartMs + limits.windowMs : nowMs + lockMs(failures, limits);
  const lockedUntilMs = failures < limits.failures ? 0 : lockEndMs;
  return { failures, consecutive, windowStartMs, lockedUntilMs: Math.max(lockedUntilMs, running?.lockedUntilMs ?? 0) };
}

/** Of the whole login, second factor included: a right password alone is none. */
export function succeeded(_state: ThrottleState | null): ThrottleState {
  return { failures: 0, consecutive: 0, windowStartMs: 0, lockedUntilMs: 0 };
}

/**
 * Once somebody was locked the window goes on until a quarter of an hour after the last lock: a lock as long as the
 * window must not end with five free tries.
 */
function isOver({ windowStartMs, lockedUntilMs }: ThrottleState, nowMs: number, limits: ThrottleLimits): boolean {
  if (limits.lock === "window") return nowMs >= windowStartMs + limits.windowMs;
  return nowMs >= Math.max(windowStartMs, lockedUntilMs) + limits.windowMs;
}

function lockMs(failures: number, limits: ThrottleLimits): number {
  return Math.min(MAX_LOCK_MS, SECOND_MS * 2 ** (failures - limits.failures));
}
