import { describe, expect, test } from "bun:test";
import { type EpochMs, epochMs } from "../../kernel/time.ts";
import type { ModelClass } from "../account/account.ts";
import { modelClassOf } from "../account/model-class.ts";
import {
  type AccountHold,
  afterHoldServed,
  FORBIDDEN_TWICE,
  holdBlock,
  holdWorth,
  lastingHold,
  parkedBlock,
  withCredentialRefused,
  withForbidden,
  withModelMissing,
  withParked,
  wouldForbidAll,
} from "./account-hold.ts";

const at = (seconds: number): EpochMs => epochMs(1_000_000 + seconds * 1000);
const opus = modelClassOf("claude-opus-4-5");
const haiku = modelClassOf("claude-haiku-4-5");
const LOGIN = { reason: "needs_reauth", cause: "status 401" } as const;
const DEAD = { reason: "credential_dead", cause: "status 401" } as const;
const of = (modelClass: ModelClass) => ({ modelClass, cause: "status 403" });
const missed = (model: string) => ({ model, cause: "status 404" });
const wanted = { model: "claude-opus-4-5", modelClass: opus };

test("parks until the later of two dates", () => {
  const parked = withParked(undefined, { untilMs: at(100), reason: "spend_limit", cause: "status 402" });
  expect(parkedBlock(parked, at(99))).toEqual({ untilMs: at(100), reason: "spend_limit", cause: "status 402" });
  expect(parkedBlock(parked, at(100))).toBeNull();
  expect(withParked(parked, { untilMs: at(50), reason: "payment_required", cause: "status 402" })).toBe(parked);
  expect(
    withParked(parked, { untilMs: at(150), reason: "payment_required", cause: "status 402" }).parked?.untilMs,
  ).toBe(at(150));
});

test("keeps the first reason why a credential is refused", () => {
  const refused = withCredentialRefused(undefined, LOGIN);
  expect(refused.credential).toEqual(LOGIN);
  expect(withCredentialRefused(refused, DEAD)).toBe(refused);
});

describe("403", () => {
  test("skips that model class for ten minutes", () => {
    const hold = withForbidden(undefined, of(opus), at(0));
    expect(holdBlock(hold, wanted, at(599))).toEqual({ untilMs: at(600), reason: "forbidden", cause: "status 403" });
    expect(holdBlock(hold, wanted, at(600))).toBeNull();
    expect(holdBlock(hold, { model: null, modelClass: haiku }, at(1))).toBeNull();
    expect(withForbidden(hold, of(opus), at(1)).credential).toBeNull();
  });

  test("for a second model class while the first lasts is about the credential", () => {
    const hold = withForbidden(undefined, of(opus), at(0));
    expect(withForbidden(hold, of(haiku), at(599)).credential).toEqual({
      reason: "credential_dead",
      cause: FORBIDDEN_TWICE,
    });
    expect(withForbidden(hold, of(haiku), at(601)).credential).toBeNull();
  });

  test("for requests without a model proves nothing about models", () => {
    const hold = withForbidden(withForbidden(undefined, of(opus), at(0)), of(modelClassOf(null)), at(1));
    expect(hold.credential).toBeNull();
  });

  test("does not turn a login that needs renewal into a dead one", () => {
    const hold = withForbidden(
      withForbidden(withCredentialRefused(undefined, LOGIN), of(opus), at(0)),
      of(haiku),
      at(0),
    );
    expect(hold.credential).toEqual(LOGIN);
  });
});

describe("404 for a model", () => {
  test("skips that model for an hour, and no other of its class", () => {
    const hold = withModelMissing(undefined, missed("claude-opus-4-5"), at(0));
    expect(hold && holdBlock(hold, wanted, at(3599))).toEqual({
      untilMs: at(3600),
      reason: "model_missing",
      cause: "status 404",
    });
    expect(hold && holdBlock(hold, wanted, at(3600))).toBeNull();
    expect(hold && holdBlock(hold, { model: "claude-opus-4-1", modelClass: opus }, at(1))).toBeNull();
  });

  test("is remembered for 32 models, expired ones first to go, and for no name that is too long", () => {
    expect(withModelMissing(undefined, missed("m".repeat(257)), at(0))).toBeUndefined();
    let hold: AccountHold | undefined;
    for (let index = 0; index < 100; index += 1) {
      hold = withModelMissing(hold, missed(`model-${index}`), at(index));
    }
    expect(hold?.missing).toHaveLength(32);
    expect(hold?.missing.at(-1)?.model).toBe("model-99");
    expect(withModelMissing(hold, missed("model-99"), at(100))?.missing).toHaveLength(32);
    expect(withModelMissing(hold, missed("model-100"), at(10_000))?.missing).toHaveLength(1);
  });
});

test("remembers 16 forbidden classes at most", () => {
  let hold: AccountHold | undefined;
  for (let index = 0; index < 40; index += 1) {
    hold = withForbidden(hold, of(modelClassOf(`claude-x${index}`)), at(0));
  }
  expect(hold?.forbidden).toHaveLength(16);
});

test("a success lifts what it disproves and nothing else", () => {
  const parked = withParked(undefined, { untilMs: at(100), reason: "spend_limit", cause: "status 402" });
  const missing = withModelMissing(withForbidden(parked, of(opus), at(0)), missed("claude-opus-4-5"), at(0));
  const served = afterHoldServed(missing, "claude-opus-4-5", opus);
  expect(served).toEqual({ ...parked, forbidden: [], missing: [] });
  expect(afterHoldServed(missing, "claude-haiku-4-5", haiku)).toBe(missing);
  expect(afterHoldServed(undefined, null, opus)).toBeUndefined();
});

test("is back only when the last hold ends, and says that one", () => {
  const parked = withParked(undefined, { untilMs: at(100), reason: "spend_limit", cause: "status 402" });
  const hold = withForbidden(parked, of(opus), at(0));
  expect(holdBlock(hold, wanted, at(1))).toEqual({ untilMs: at(600), reason: "forbidden", cause: "status 403" });
});

test("a refused credential is worth keeping longer than any date", () => {
  const parked = withParked(undefined, { untilMs: at(100), reason: "spend_limit", cause: "status 402" });
  expect(holdWorth(parked)).toBe(at(100));
  expect(holdWorth(withForbidden(parked, of(opus), at(0)))).toBe(at(600));
  expect(holdWorth(withCredentialRefused(parked, LOGIN))).toBe(Number.POSITIVE_INFINITY);
  expect(holdWorth(withForbidden(undefined, of(opus), at(0)))).toBe(at(600));
});

test("knows that a 403 for one more class would be about the credential", () => {
  const hold = withForbidden(undefined, of(opus), at(0));
  expect(wouldForbidAll(hold, haiku, at(1))).toBe(true);
  expect(wouldForbidAll(hold, opus, at(1))).toBe(false);
  expect(wouldForbidAll(hold, haiku, at(600))).toBe(false);
  expect(wouldForbidAll(hold, modelClassOf(null), at(1))).toBe(false);
});

test("what is over is not worth writing down; a refused credential always is", () => {
  const parked = withParked(undefined, { untilMs: at(100), reason: "spend_limit", cause: "status 402" });
  const hold = withModelMissing(withForbidden(parked, of(opus), at(0)), missed("m"), at(0)) ?? parked;
  expect(lastingHold(hold, at(99))).toEqual(hold);
  expect(lastingHold(hold, at(100))).toEqual({ ...hold, parked: null });
  expect(lastingHold(hold, at(600))).toEqual({ ...hold, parked: null, forbidden: [] });
  expect(lastingHold(hold, at(3600))).toBeNull();
  expect(lastingHold(withCredentialRefused(hold, DEAD), at(3600))).toMatchObject({ credential: DEAD, parked: null });
});
