import { describe, expect, test } from "bun:test";
import { type EpochMs, epochMs } from "../../kernel/time.ts";
import { modelClassOf } from "../account/model-class.ts";
import {
  type AccountHold,
  afterHoldServed,
  holdBlock,
  holdWorth,
  parkedBlock,
  withCredentialRefused,
  withForbidden,
  withModelMissing,
  withParked,
} from "./account-hold.ts";

const at = (seconds: number): EpochMs => epochMs(1_000_000 + seconds * 1000);
const opus = modelClassOf("claude-opus-4-5");
const haiku = modelClassOf("claude-haiku-4-5");
const wanted = { model: "claude-opus-4-5", modelClass: opus };

test("parks until the later of two dates", () => {
  const parked = withParked(undefined, { untilMs: at(100), reason: "spend_limit" });
  expect(parkedBlock(parked, at(99))).toEqual({ untilMs: at(100), reason: "spend_limit" });
  expect(parkedBlock(parked, at(100))).toBeNull();
  expect(withParked(parked, { untilMs: at(50), reason: "payment_required" })).toBe(parked);
  expect(withParked(parked, { untilMs: at(150), reason: "payment_required" }).parked?.untilMs).toBe(at(150));
});

test("keeps the first reason why a credential is refused", () => {
  const refused = withCredentialRefused(undefined, "needs_reauth");
  expect(refused.credential).toBe("needs_reauth");
  expect(withCredentialRefused(refused, "credential_dead")).toBe(refused);
});

describe("403", () => {
  test("skips that model class for ten minutes", () => {
    const hold = withForbidden(undefined, opus, at(0));
    expect(holdBlock(hold, wanted, at(599))).toEqual({ untilMs: at(600), reason: "forbidden" });
    expect(holdBlock(hold, wanted, at(600))).toBeNull();
    expect(holdBlock(hold, { model: null, modelClass: haiku }, at(1))).toBeNull();
    expect(withForbidden(hold, opus, at(1)).credential).toBeNull();
  });

  test("for a second model class while the first lasts is about the credential", () => {
    const hold = withForbidden(undefined, opus, at(0));
    expect(withForbidden(hold, haiku, at(599)).credential).toBe("credential_dead");
    expect(withForbidden(hold, haiku, at(601)).credential).toBeNull();
  });

  test("for requests without a model proves nothing about models", () => {
    const hold = withForbidden(withForbidden(undefined, opus, at(0)), modelClassOf(null), at(1));
    expect(hold.credential).toBeNull();
  });

  test("does not turn a login that needs renewal into a dead one", () => {
    const hold = withForbidden(
      withForbidden(withCredentialRefused(undefined, "needs_reauth"), opus, at(0)),
      haiku,
      at(0),
    );
    expect(hold.credential).toBe("needs_reauth");
  });
});

describe("404 for a model", () => {
  test("skips that model for an hour, and no other of its class", () => {
    const hold = withModelMissing(undefined, "claude-opus-4-5", at(0));
    expect(hold && holdBlock(hold, wanted, at(3599))).toEqual({ untilMs: at(3600), reason: "model_missing" });
    expect(hold && holdBlock(hold, wanted, at(3600))).toBeNull();
    expect(hold && holdBlock(hold, { model: "claude-opus-4-1", modelClass: opus }, at(1))).toBeNull();
  });

  test("is remembered for 32 models, expired ones first to go, and for no name that is too long", () => {
    expect(withModelMissing(undefined, "m".repeat(257), at(0))).toBeUndefined();
    let hold: AccountHold | undefined;
    for (let index = 0; index < 100; index += 1) {
      hold = withModelMissing(hold, `model-${index}`, at(index));
    }
    expect(hold?.missing).toHaveLength(32);
    expect(hold?.missing.at(-1)?.model).toBe("model-99");
    expect(withModelMissing(hold, "model-99", at(100))?.missing).toHaveLength(32);
    expect(withModelMissing(hold, "model-100", at(10_000))?.missing).toHaveLength(1);
  });
});

test("remembers 16 forbidden classes at most", () => {
  let hold: AccountHold | undefined;
  for (let index = 0; index < 40; index += 1) {
    hold = withForbidden(hold, modelClassOf(`claude-x${index}`), at(0));
  }
  expect(hold?.forbidden).toHaveLength(16);
});

test("a success lifts what it disproves and nothing else", () => {
  const parked = withParked(undefined, { untilMs: at(100), reason: "spend_limit" });
  const missing = withModelMissing(withForbidden(parked, opus, at(0)), "claude-opus-4-5", at(0));
  const served = afterHoldServed(missing, "claude-opus-4-5", opus);
  expect(served).toEqual({ ...parked, forbidden: [], missing: [] });
  expect(afterHoldServed(missing, "claude-haiku-4-5", haiku)).toBe(missing);
  expect(afterHoldServed(undefined, null, opus)).toBeUndefined();
});

test("is back only when the last hold ends, and says that one", () => {
  const parked = withParked(undefined, { untilMs: at(100), reason: "spend_limit" });
  const hold = withForbidden(parked, opus, at(0));
  expect(holdBlock(hold, wanted, at(1))).toEqual({ untilMs: at(600), reason: "forbidden" });
});

test("a refused credential is worth keeping longer than any date", () => {
  const parked = withParked(undefined, { untilMs: at(100), reason: "spend_limit" });
  expect(holdWorth(parked)).toBe(at(100));
  expect(holdWorth(withForbidden(parked, opus, at(0)))).toBe(at(600));
  expect(holdWorth(withCredentialRefused(parked, "needs_reauth"))).toBe(Number.POSITIVE_INFINITY);
  expect(holdWorth(withForbidden(undefined, opus, at(0)))).toBe(at(600));
});
