import { expect, test } from "bun:test";
import { type EpochMs, epochMs } from "../../kernel/time.ts";
import {
  afterOriginFailed,
  afterOriginProbeLost,
  afterOriginProbeStarted,
  circuitWorth,
  lastingCircuit,
  type OriginCircuit,
  originBlock,
  originProbeDueSince,
} from "./origin-circuit.ts";

const at = (seconds: number): EpochMs => epochMs(1_000_000 + seconds * 1000);
const CAUSE = "status 529";
const RESTING = "5 faults in a row, last: status 529";

function failed(times: number, seconds: number): OriginCircuit {
  let circuit = afterOriginFailed(undefined, CAUSE, at(seconds));
  for (let index = 1; index < times; index += 1) {
    circuit = afterOriginFailed(circuit, CAUSE, at(seconds));
  }
  return circuit;
}

test("stays closed for four failures in a row and opens for 30 s with the fifth", () => {
  expect(originBlock(failed(4, 0), at(0))).toBeNull();
  expect(originProbeDueSince(failed(4, 0), at(0))).toBeNull();
  expect(originBlock(failed(5, 0), at(29))).toEqual({ untilMs: at(30), reason: "origin_circuit_open", cause: RESTING });
  expect(originBlock(failed(5, 0), at(30))).toBeNull();
});

test("takes no notice of failures of requests that left before it opened", () => {
  const open = failed(5, 0);
  expect(afterOriginFailed(open, CAUSE, at(1))).toBe(open);
});

test("lets one request at a time test the upstream; a lost test ends after a minute", () => {
  const open = failed(5, 0);
  expect(afterOriginProbeStarted(open, at(29))).toBe(open);
  expect(originProbeDueSince(open, at(31))).toBe(at(30));
  const testing = afterOriginProbeStarted(open, at(30)) ?? open;
  expect(originBlock(testing, at(31))).toEqual({ untilMs: at(90), reason: "origin_circuit_open", cause: RESTING });
  expect(afterOriginProbeStarted(testing, at(31))).toBe(testing);
  expect(originBlock(testing, at(90))).toBeNull();
  expect(afterOriginProbeStarted(undefined, at(0))).toBeUndefined();
});

test("may be tested again at once when the client of the test left", () => {
  const testing = afterOriginProbeStarted(failed(5, 0), at(30));
  const lost = afterOriginProbeLost(testing);
  expect(lost && originProbeDueSince(lost, at(31))).toBe(at(30));
  expect(afterOriginProbeLost(lost)).toBe(lost);
  expect(afterOriginProbeLost(undefined)).toBeUndefined();
});

test("opens 30 s longer for each failed test, at most five minutes", () => {
  let circuit = failed(5, 0);
  const seconds: number[] = [];
  for (let index = 0; index < 12; index += 1) {
    const nowMs = circuit.openUntilMs ?? at(0);
    circuit = afterOriginFailed(afterOriginProbeStarted(circuit, nowMs), CAUSE, nowMs);
    seconds.push(((circuit.openUntilMs ?? nowMs) - nowMs) / 1000);
  }
  expect(seconds).toEqual([60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300, 300]);
});

test("does not count failures that are more than ten minutes apart as a row", () => {
  expect(afterOriginFailed(failed(4, 0), CAUSE, at(601)).failures).toBe(1);
  expect(afterOriginFailed(failed(5, 0), CAUSE, at(631)).openUntilMs).toBeNull();
});

test("is worth keeping until it closes", () => {
  expect(circuitWorth(failed(5, 0))).toBe(at(30));
  expect(circuitWorth(failed(1, 0))).toBe(at(0));
});

test("is due for a test since it was open or since the last test was lost, and history after ten minutes", () => {
  const testing = afterOriginProbeStarted(failed(5, 0), at(30)) ?? failed(5, 0);
  expect(originProbeDueSince(testing, at(89))).toBeNull();
  expect(originProbeDueSince(testing, at(95))).toBe(at(90));
  expect(originProbeDueSince(failed(5, 0), at(600))).toBe(at(30));
  expect(originProbeDueSince(failed(5, 0), at(601))).toBeNull();
});

test("is worth writing down while it counts, without the test that is under way", () => {
  const testing = afterOriginProbeStarted(failed(5, 0), at(30)) ?? failed(5, 0);
  expect(lastingCircuit(testing, at(40))).toEqual(failed(5, 0));
  expect(lastingCircuit(testing, at(601))).toBeNull();
});
