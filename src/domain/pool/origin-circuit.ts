import { after, durationMs, type EpochMs } from "../../kernel/time.ts";
import type { Block } from "./block.ts";

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
};

const FAILURES_TO_OPEN = 5;
const OPEN_STEP_MS = 30_000;
const MAX_OPEN_MS = 300_000;
const MAX_OPENINGS = MAX_OPEN_MS / OPEN_STEP_MS;
/** Failures further apart are not a row. */
const ROW_MEMORY_MS = durationMs(600_000);
const PROBE_LEASE_MS = durationMs(60_000);

/** 30 s after the fifth failure in a row, 30 s longer for each failed test, at most 5 min. */
export function afterOriginFailed(before: OriginCircuit | undefined, nowMs: EpochMs): OriginCircuit {
  const known = before === undefined || isForgotten(before, nowMs) ? undefined : before;
  if (known !== undefined && isOpen(known, nowMs)) {
    // A request that left before it opened: its failure is no news.
    return known;
  }
  const failures = Math.min((known?.failures ?? 0) + 1, FAILURES_TO_OPEN);
  if (failures < FAILURES_TO_OPEN) {
    return { failures, openings: 0, openUntilMs: null, leaseUntilMs: null, failedAtMs: nowMs };
  }
  const openings = Math.min((known?.openings ?? 0) + 1, MAX_OPENINGS);
  const openUntilMs = after(nowMs, durationMs(openings * OPEN_STEP_MS));
  return { failures, openings, openUntilMs, leaseUntilMs: null, failedAtMs: nowMs };
}

/** The request that leaves now is the one test, if one is due. */
export function afterOriginProbeStarted(before: OriginCircuit | undefined, nowMs: EpochMs): OriginCircuit | undefined {
  if (before === undefined || !isOriginProbeDue(before, nowMs)) {
    return before;
  }
  return { ...before, leaseUntilMs: after(nowMs, PROBE_LEASE_MS) };
}

export function afterOriginProbeLost(before: OriginCircuit | undefined): OriginCircuit | undefined {
  return before === undefined || before.leaseUntilMs === null ? before : { ...before, leaseUntilMs: null };
}

export function isOriginProbeDue(circuit: OriginCircuit, nowMs: EpochMs): boolean {
  return circuit.openUntilMs !== null && originBlock(circuit, nowMs) === null;
}

/** Open, or half open with its test under way; null when a request may go there. */
export function originBlock(circuit: OriginCircuit, nowMs: EpochMs): Block | null {
  const { openUntilMs, leaseUntilMs } = circuit;
  if (openUntilMs !== null && nowMs < openUntilMs) {
    return { untilMs: openUntilMs, reason: "origin_circuit_open" };
  }
  return leaseUntilMs !== null && nowMs < leaseUntilMs
    ? { untilMs: leaseUntilMs, reason: "origin_circuit_open" }
    : null;
}

export function circuitWorth(circuit: OriginCircuit): number {
  return Math.max(circuit.openUntilMs ?? 0, circuit.failedAtMs);
}

function isOpen(circuit: OriginCircuit, nowMs: EpochMs): boolean {
  return circuit.openUntilMs !== null && nowMs < circuit.openUntilMs;
}

function isForgotten(circuit: OriginCircuit, nowMs: EpochMs): boolean {
  return nowMs > after(circuit.failedAtMs, ROW_MEMORY_MS) && !isOpen(circuit, nowMs);
}
