import { after, durationMs, type EpochMs } from "../../kernel/time.ts";
import type { ModelClass } from "../account/account.ts";
import { NO_MODEL_CLASS } from "../account/model-class.ts";
import { type Block, laterBlock } from "./block.ts";

/** What is held against one account, apart from its limits. */
export type AccountHold = {
  /** Until an operator acts. */
  readonly credential: RefusedCredential | null;
  readonly parked: Block | null;
  /** 403: at most 16. */
  readonly forbidden: readonly ForbiddenClass[];
  /** 404: at most 32. */
  readonly missing: readonly MissingModel[];
};

/** `cause` as in `Block`, here and below. */
export type RefusedCredential = { readonly reason: "credential_dead" | "needs_reauth"; readonly cause: string };
type ForbiddenClass = { readonly modelClass: ModelClass; readonly untilMs: EpochMs; readonly cause: string };
type MissingModel = { readonly model: string; readonly untilMs: EpochMs; readonly cause: string };

const FORBIDDEN_MS = durationMs(600_000);
const MODEL_MISSING_MS = durationMs(3_600_000);
/** 403 for so many model classes at once is about the credential. */
const FORBIDDEN_CLASSES_OF_A_DEAD_CREDENTIAL = 2;
export const FORBIDDEN_TWICE = "status 403 for two model classes";
/** Bounds of what is kept, for whoever reads it back. */
export const MAX_HOLD_ENTRIES = { forbidden: 16, missing: 32, modelCharacters: 256 } as const;

const noHold: AccountHold = { credential: null, parked: null, forbidden: [], missing: [] };

export function withParked(before: AccountHold | undefined, block: Block): AccountHold {
  const known = before ?? noHold;
  const { untilMs, reason, cause } = block;
  const parked = laterBlock(known.parked, { untilMs, reason, cause });
  return parked === known.parked ? known : { ...known, parked };
}

export function withCredentialRefused(
  before: AccountHold | undefined,
  { reason, cause }: RefusedCredential,
): AccountHold {
  const known = before ?? noHold;
  return known.credential === null ? { ...known, credential: { reason, cause } } : known;
}

export function withForbidden(
  before: AccountHold | undefined,
  { modelClass, cause }: Pick<ForbiddenClass, "modelClass" | "cause">,
  nowMs: EpochMs,
): AccountHold {
  const known = before ?? noHold;
  const others = known.forbidden.filter((entry) => entry.untilMs > nowMs && entry.modelClass !== modelClass);
  const forbidden = [...others, { modelClass, untilMs: after(nowMs, FORBIDDEN_MS), cause }].slice(
    -MAX_HOLD_ENTRIES.forbidden,
  );
  const refused: RefusedCredential | null = isForbiddenEverywhere(forbidden)
    ? { reason: "credential_dead", cause: FORBIDDEN_TWICE }
    : null;
  return { ...known, forbidden, credential: known.credential ?? refused };
}

function isForbiddenEverywhere(forbidden: readonly { readonly modelClass: ModelClass }[]): boolean {
  const ofModels = forbidden.filter((entry) => entry.modelClass !== NO_MODEL_CLASS);
  return ofModels.length >= FORBIDDEN_CLASSES_OF_A_DEAD_CREDENTIAL;
}

/** Would a 403 for this class now be about the credential? */
export function wouldForbidAll(hold: AccountHold, modelClass: ModelClass, nowMs: EpochMs): boolean {
  const others = hold.forbidden.filter((entry) => entry.untilMs > nowMs && entry.modelClass !== modelClass);
  return isForbiddenEverywhere([...others, { modelClass }]);
}

export function withModelMissing(
  before: AccountHold | undefined,
  { model, cause }: Pick<MissingModel, "model" | "cause">,
  nowMs: EpochMs,
): AccountHold | undefined {
  // A longer name is no model's.
  if (model.length > MAX_HOLD_ENTRIES.modelCharacters) {
    return before;
  }
  const known = before ?? noHold;
  const others = known.missing.filter((entry) => entry.untilMs > nowMs && entry.model !== model);
  const missing = [...others, { model, untilMs: after(nowMs, MODEL_MISSING_MS), cause }];
  return { ...known, missing: missing.slice(-MAX_HOLD_ENTRIES.missing) };
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
  for (const { modelClass, untilMs, cause } of hold.forbidden) {
    if (modelClass === wanted.modelClass && nowMs < untilMs) {
      block = laterBlock(block, { untilMs, reason: "forbidden", cause });
    }
  }
  for (const { model, untilMs, cause } of hold.missing) {
    if (model === wanted.model && nowMs < untilMs) {
      block = laterBlock(block, { untilMs, reason: "model_missing", cause });
    }
  }
  return block;
}

export function parkedBlock(hold: AccountHold, nowMs: EpochMs): Block | null {
  return hold.parked !== null && nowMs < hold.parked.untilMs ? hold.parked : null;
}

/** What is worth writing down at this instant; null when nothing is. */
export function lastingHold(
  { credential, parked, forbidden, missing }: AccountHold,
  nowMs: EpochMs,
): AccountHold | null {
  const lasting: AccountHold = {
    credential,
    parked: parked !== null && nowMs < parked.untilMs ? parked : null,
    forbidden: forbidden.filter(({ untilMs }) => nowMs < untilMs),
    missing: missing.filter(({ untilMs }) => nowMs < untilMs),
  };
  const isEmpty = credential === null && lasting.parked === null;
  return isEmpty && lasting.forbidden.length === 0 && lasting.missing.length === 0 ? null : lasting;
}

/** Until when this hold matters; one that waits for an operator outlives all others. */
export function holdWorth(hold: AccountHold): number {
  if (hold.credential !== null) {
    return Number.POSITIVE_INFINITY;
  }
  const ends = [...hold.forbidden, ...hold.missing].map((entry) => entry.untilMs);
  return Math.max(hold.parked?.untilMs ?? 0, ...ends);
}
