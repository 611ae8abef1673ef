import { after, durationMs, type EpochMs, epochMs } from "../../kernel/time.ts";
import { type Block, boundedCause } from "./block.ts";

/** Faults of one upstream, shared by all accounts there. Absent: it answers. */
export type OriginCircuit = {
  /** In a row. Any answer, even a refusal, ends the row. */
  readonly failures: number;
  /** How often it opened in this row. */
  readonly openings: number;
  /** Null while closed. Once it has passed, one request at a time tests the upstream. */
  readonly openUntilMs: EpochMs | null;
  readonly leaseUntilMs: EpochMs | null;
  readonly failedAtMs: EpochMs;
  /** Of the last failure, as in `Block`. */
  readonly cause: string;
};

const FAILURES_TO_OPEN = 5;
const OPEN_STEP_MS = 30_000;
const MAX_OPEN_MS = 300_000;
const MAX_OPENINGS = MAX_OPEN_MS / OPEN_STEP_MS;
/** Failures further apart are not a row. */
const ROW_MEMORY_MS = durationMs(600_000);
const JUST_MS = durationMs(10_000);
const PROBE_LEASE_MS = durationMs(60_000);

/** 30 s after the fifth failure in a row, 30 s longer for each failed test, at most 5 min. */
export function afterOriginFailed(before: OriginCircuit | undefined, cause: string, nowMs: EpochMs): OriginCircuit {
  const known = before === undefined || isForgotten(before, nowMs) ? undefined : before;
  if (known !== undefined && isOpen(known, nowMs)) {
    // A request that left before it opened: its failure is no news.
    return known;
  }
  const failures = Math.min((known?.failures ?? 0) + 1, FAILURES_TO_OPEN);
  if (failures < FAILURES_TO_OPEN) {
    return { failures, openings: 0, openUntilMs: null, leaseUntilMs: null, failedAtMs: nowMs, cause };
  }
  const openings = Math.min((known?.openings ?? 0) + 1, MAX_OPENINGS);
  const openUntilMs = after(nowMs, durationMs(openings * OPEN_STEP_MS));
  return { failures, openings, openUntilMs, leaseUntilMs: null, failedAtMs: nowMs, cause };
}

/** The request that leaves now is the one test, if one is due. */
export function afterOriginProbeStarted(before: OriginCircuit | undefined, nowMs: EpochMs): OriginCircuit | undefined {
  if (before === undefined || originProbeDueSince(before, nowMs) === null) {
    return before;
  }
  return { ...before, leaseUntilMs: after(nowMs, PROBE_LEASE_MS) };
}

export function afterOriginProbeLost(before: OriginCircuit | undefined): OriginCircuit | undefined {
  return before === undefined || before.leaseUntilMs === null ? before : { ...before, leaseUntilMs: null };
}

/** Since when a test is due; null when none is, also because the failures are so old that they are history. */
export function originProbeDueSince(circuit: OriginCircuit, nowMs: EpochMs): EpochMs | null {
  const { openUntilMs, leaseUntilMs } = circuit;
  if (openUntilMs === null || isForgotten(circuit, nowMs)) {
    return null;
  }
  const sinceMs = epochMs(Math.max(openUntilMs, leaseUntilMs ?? 0));
  return nowMs >= sinceMs ? sinceMs : null;
}

/** Open, or half open with its test under way; null when a request may go there. */
export function originBlock(circuit: OriginCircuit, nowMs: EpochMs): Block | null {
  const { openUntilMs, leaseUntilMs } = circuit;
  const untilMs = Math.max(openUntilMs ?? 0, leaseUntilMs ?? 0);
  if (nowMs >= untilMs) {
    return null;
  }
  const cause = boundedCause(`${circuit.failures} faults in a row, last: ${circuit.cause}`);
  const reason = "origin_circuit_open";
  // Open first: a test begins only when that is over.
  const isOpenStill = openUntilMs !== null && nowMs < openUntilMs;
  return { untilMs: isOpenStill ? openUntilMs : epochMs(untilMs), reason, cause };
}

/** What is worth writing down at this instant; null when nothing is. A test that is under way ends with the process. */
export function lastingCircuit(circuit: OriginCircuit, nowMs: EpochMs): OriginCircuit | null {
  return isForgotten(circuit, nowMs) ? null : { ...circuit, leaseUntilMs: null };
}

/** Somebody met a fault there a moment ago, and nobody an answer since. */
export function hasJustFailed(circuit: OriginCircuit | undefined, nowMs: EpochMs): boolean {
  return circuit !== undefined && circuit.failures > 0 && nowMs < after(circuit.failedAtMs, JUST_MS);
}

export function circuitWorth(circuit: OriginCircuit): number {
  return Math.max(circuit.openUntilMs ?? 0, circuit.failedAtMs);
}

function isOpen(circuit: OriginCircuit, nowMs: EpochMs): boolean {
  return circuit.openUntilMs !== null && nowMs < circuit.openUntilMs;
}

/** Whether the row of failures is so old that it counts no more. */
function isForgotten(circuit: OriginCircuit, nowMs: EpochMs): boolean {
  return nowMs > after(circuit.failedAtMs, ROW_MEMORY_MS) && !isOpen(circuit, nowMs);
}
