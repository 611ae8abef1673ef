import { describe, expect, test } from "bun:test";
import { readCircuit, readHold, readLimits, readList, readText } from "./snapshot-values.ts";

const block = { untilMs: 9, reason: "rate_limited", cause: "status 429, retry-after" };
const window = {
  name: "5h",
  isPlan: true,
  limit: null,
  remaining: null,
  usedRatio: 0.5,
  status: "allowed",
  resetAtMs: 7,
};
const circuit = { failures: 5, openings: 1, openUntilMs: 30, leaseUntilMs: 90, failedAtMs: 0, cause: "status 529" };
const nothingHeld = { credential: null, parked: null, forbidden: [], missing: [] };

test.each(["", 7, null, undefined, "x".repeat(513)])("%p is no text", (value) => {
  expect(readText(value)).toBeNull();
});

test("a list keeps what can be read, up to its bound, and no list is empty", () => {
  expect(readList(["a", 7, "b", "c"], 3, readText)).toEqual(["a", "b"]);
  expect(readList({ length: 2 }, 3, readText)).toEqual([]);
});

describe("limits", () => {
  test("are read whole, without a test that was under way", () => {
    const probe = { failures: 2, untilMs: 5, cause: "status 429 without a limit header", leaseUntilMs: 60 };
    const saved = { bench: block, probe, softUntilMs: 8, windows: [window], seenAtMs: 3 };
    expect(readLimits(saved) as unknown).toEqual({ ...saved, probe: { ...probe, leaseUntilMs: null }, others: [] });
  });

  test.each([
    null,
    {},
    { bench: { ...block, reason: "toString" } },
    { bench: { ...block, untilMs: 1e300 } },
    { bench: { ...block, untilMs: -1 } },
    { bench: { ...block, cause: "" } },
    { probe: { failures: 1.5, untilMs: 1, cause: "x" } },
    { windows: [{ ...window, name: 7 }] },
    { seenAtMs: 5 },
  ])("that say nothing readable are none (%#)", (value) => {
    expect(readLimits(value)).toBeNull();
  });

  test("keep of a window what can be read", () => {
    const odd = { name: "5h", limit: "many", remaining: -1, usedRatio: null, status: 5, resetAtMs: "soon" };
    const unsaid = { limit: null, remaining: null, usedRatio: null, status: null, resetAtMs: null };
    expect(readLimits({ windows: [odd] })?.windows).toEqual([{ name: "5h", isPlan: false, ...unsaid }]);
  });
});

describe("a hold", () => {
  test("is read whole", () => {
    const until = { untilMs: 9, cause: "status 403" };
    const hold = {
      credential: { reason: "needs_reauth", cause: "status 401" },
      parked: block,
      forbidden: [{ modelClass: "opus", ...until }],
      missing: [{ model: "claude-opus-4-5", ...until }],
    };
    expect(readHold(hold) as unknown).toEqual(hold);
  });

  test.each([
    null,
    { credential: { reason: "bored", cause: "x" } },
    { credential: { reason: "needs_reauth" } },
    {
      forbidden: [
        { modelClass: "opus", untilMs: 9 },
        { untilMs: 9, cause: "x" },
      ],
    },
    { missing: [{ model: "m".repeat(257), untilMs: 9, cause: "x" }] },
  ])("of another shape holds nothing (%#)", (value) => {
    expect(readHold(value)).toEqual(nothingHeld);
  });
});

describe("a circuit", () => {
  test("is read whole, without a test that was under way", () => {
    expect(readCircuit(circuit) as unknown).toEqual({ ...circuit, leaseUntilMs: null });
    expect(readCircuit({ ...circuit, openUntilMs: null })?.openUntilMs).toBeNull();
  });

  test.each(["failures", "openings", "failedAtMs", "cause"])("without %s is none", (field) => {
    expect(readCircuit({ ...circuit, [field]: undefined })).toBeNull();
    expect(readCircuit({ ...circuit, [field]: 1e9 + 0.5, cause: 7 })).toBeNull();
  });

  test("with absurd counts is none", () => {
    expect(readCircuit({ ...circuit, failures: 1001 })).toBeNull();
  });
});
