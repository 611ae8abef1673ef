import { after, durationMs, type EpochMs } from "../../kernel/time.ts";
import type { ModelClass } from "../account/account.ts";
import { NO_MODEL_CLASS } from "../account/model-class.ts";
import { type Block, laterBlock } from "./block.ts";

/** What is held against one account, apart from its limits. */
export type AccountHold = {
  /** Until an operator acts. */
  readonly credential: "credential_dead" | "needs_reauth" | null;
  readonly parked: Block | null;
  /** 403: at most 16. */
  readonly forbidden: readonly { readonly modelClass: ModelClass; readonly untilMs: EpochMs }[];
  /** 404: at most 32. */
  readonly missing: readonly { readonly model: string; readonly untilMs: EpochMs }[];
};

const FORBIDDEN_MS = durationMs(600_000);
const MODEL_MISSING_MS = durationMs(3_600_000);
const MAX_FORBIDDEN = 16;
const MAX_MISSING = 32;
/** A longer name is no model's. */
const MAX_MODEL_CHARACTERS = 256;
/** 403 for so many model classes at once is about the credential. */
const FORBIDDEN_CLASSES_OF_A_DEAD_CREDENTIAL = 2;

const nothing: AccountHold = { credential: null, parked: null, forbidden: [], missing: [] };

export function withParked(before: AccountHold | undefined, block: Block): AccountHold {
  const known = before ?? nothing;
  const parked = laterBlock(known.parked, block);
  return parked === known.parked ? known : { ...known, parked };
}

export function withCredentialRefused(
  before: AccountHold | undefined,
  credential: "credential_dead" | "needs_reauth",
): AccountHold {
  const known = before ?? nothing;
  return known.credential === null ? { ...known, credential } : known;
}

export function withForbidden(before: AccountHold | undefined, modelClass: ModelClass, nowMs: EpochMs): AccountHold {
  const known = before ?? nothing;
  const others = known.forbidden.filter((entry) => entry.untilMs > nowMs && entry.modelClass !== modelClass);
  const forbidden = [...others, { modelClass, untilMs: after(nowMs, FORBIDDEN_MS) }].slice(-MAX_FORBIDDEN);
  const isDead =
    forbidden.filter((entry) => entry.modelClass !== NO_MODEL_CLASS).length >= FORBIDDEN_CLASSES_OF_A_DEAD_CREDENTIAL;
  return { ...known, forbidden, credential: known.credential ?? (isDead ? "credential_dead" : null) };
}

export function withModelMissing(
  before: AccountHold | undefined,
  model: string,
  nowMs: EpochMs,
): AccountHold | undefined {
  if (model.length > MAX_MODEL_CHARACTERS) {
    return before;
  }
  const known = before ?? nothing;
  const others = known.missing.filter((entry) => entry.untilMs > nowMs && entry.model !== model);
  return { ...known, missing: [...others, { model, untilMs: after(nowMs, MODEL_MISSING_MS) }].slice(-MAX_MISSING) };
}

/** A success lifts what it disproves: 403 for its class, 404 for its model. Parking and a refused credential stay. */
export function afterHoldServed(
  before: AccountHold | undefined,
  model: string | null,
  modelClass: ModelClass,
): AccountHold | undefined {
  if (before === undefined) {
    return undefined;
  }
  const forbidden = before.forbidden.filter((entry) => entry.modelClass !== modelClass);
  const missing = before.missing.filter((entry) => entry.model !== model);
  const isSame = forbidden.length === before.forbidden.length && missing.length === before.missing.length;
  return isSame ? before : { ...before, forbidden, missing };
}

/** What keeps the account from this model now, apart from a refused credential; null when nothing does. */
export function holdBlock(
  hold: AccountHold,
  wanted: { readonly model: string | null; readonly modelClass: ModelClass },
  nowMs: EpochMs,
): Block | null {
  let block = parkedBlock(hold, nowMs);
  for (const { modelClass, untilMs } of hold.forbidden) {
    if (modelClass === wanted.modelClass && nowMs < untilMs) {
      block = laterBlock(block, { untilMs, reason: "forbidden" });
    }
  }
  for (const { model, untilMs } of hold.missing) {
    if (model === wanted.model && nowMs < untilMs) {
      block = laterBlock(block, { untilMs, reason: "model_missing" });
    }
  }
  return block;
}

export function parkedBlock(hold: AccountHold, nowMs: EpochMs): Block | null {
  return hold.parked !== null && nowMs < hold.parked.untilMs ? hold.parked : null;
}

/** Until when this hold matters; one that waits for an operator outlives all others. */
export function holdWorth(hold: AccountHold): number {
  if (hold.credential !== null) {
    return Number.POSITIVE_INFINITY;
  }
  const ends = [...hold.forbidden, ...hold.missing].map((entry) => entry.untilMs);
  return Math.max(hold.parked?.untilMs ?? 0, ...ends);
}
