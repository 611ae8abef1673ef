import { type DurationMs, durationMs, type EpochMs, epochMs } from "../../kernel/time.ts";
import { type AccountId, accountId } from "../account/account.ts";
import type { Conversation } from "../affinity/conversation.ts";
import type { MoveKind } from "../affinity/move.ts";
import { REASONS, type ReasonCode } from "../failover/reason.ts";
import type { Move, Why } from "../selection/choice.ts";
import type { Skip } from "../selection/plan.ts";
import { STRATEGIES } from "../selection/strategy-name.ts";
import type { Decision, DecisionStep } from "./decision.ts";
import { DECISION_VERSION, MAX_DECISION_CHARACTERS, MAX_SKIPS, MAX_STEPS, STEP_CODES } from "./decision-code.ts";

type Sheet = { readonly words: readonly unknown[]; readonly baseMs: number };

/** Ends the reading of a text that is no record. Never leaves this file. */
class Unreadable extends Error {}

const SOURCES: readonly Conversation["source"][] = ["session_id", "user_id", "prefix"];
const KINDS: readonly MoveKind[] = ["same_cache", "same_organization", "other_organization", "other_platform"];
const WHYS: readonly Why[] = ["home", "new_home", "home_moved", "spill", "strategy", "probe", "last_origin", "retry"];
const REASON_CODES = Object.keys(REASONS) as readonly ReasonCode[];
const MAX_EPOCH_MS = 8.64e15;

/** What `encodeDecision` wrote; null for anything else, and for a record of a version with more words. */
export function decodeDecision(text: string): Decision | null {
  if (text.length > MAX_DECISION_CHARACTERS) {
    return null;
  }
  try {
    return decisionOf(JSON.parse(text));
  } catch (cause) {
    if (cause instanceof Unreadable || cause instanceof SyntaxError) {
      return null;
    }
    throw cause;
  }
}

function decisionOf(value: unknown): Decision {
  const fields = typeof value === "object" && value !== null ? new Map(Object.entries(value)) : unreadable();
  if (fields.get("v") !== DECISION_VERSION) {
    return unreadable();
  }
  const sheet: Sheet = { words: listOf(fields.get("w"), MAX_DECISION_CHARACTERS), baseMs: numberOf(fields.get("b")) };
  const dropped = fields.get("d");
  return {
    strategy: oneOf(STRATEGIES, fields.get("s")),
    conversation: orNull(fields.get("c"), (source) => oneOf(SOURCES, source)),
    steps: listOf(fields.get("t"), MAX_STEPS).map((cell) => stepOf(sheet, listOf(cell, 16))),
    ...(dropped === undefined ? {} : { droppedSteps: countOf(dropped) }),
  };
}

function stepOf(sheet: Sheet, cells: readonly unknown[]): DecisionStep {
  switch (cells[0]) {
    case STEP_CODES.tried:
      return {
        kind: "tried",
        accountId: idOf(sheet, cells[1]),
        why: oneOf(WHYS, wordOf(sheet, cells[2])),
        reason: oneOf(REASON_CODES, wordOf(sheet, cells[3])),
        status: orNull(cells[4], countOf),
        cause: orNull(cells[5], (cell) => wordOf(sheet, cell)),
        move: orNull(cells[6], (cell) => moveOf(sheet, cell)),
        skips: skipsOf(sheet, cells[7]),
        skipCount: countOf(cells[8]),
      };
    case STEP_CODES.waited:
      return {
        kind: "waited",
        why: wordOf(sheet, cells[1]),
        untilMs: instantOf(sheet, cells[2]),
        ms: spanOf(cells[3]),
        move: orNull(cells[4], (cell) => moveOf(sheet, cell)),
      };
    case STEP_CODES.refused:
      return {
        kind: "refused",
        code: wordOf(sheet, cells[1]),
        skips: skipsOf(sheet, cells[2]),
        skipCount: countOf(cells[3]),
        untilMs: orNull(cells[4], (cell) => instantOf(sheet, cell)),
      };
    default:
      return unreadable();
  }
}

function moveOf(sheet: Sheet, cell: unknown): Move {
  const [from, kind, priceMicroUsd, returns, setsHome] = listOf(cell, 5);
  return {
    from: idOf(sheet, from),
    kind: oneOf(KINDS, wordOf(sheet, kind)),
    priceMicroUsd: countOf(priceMicroUsd),
    homeReturnsAtMs: orNull(returns, (each) => instantOf(sheet, each)),
    setsHome: countOf(setsHome) === 1,
  };
}

function skipsOf(sheet: Sheet, cell: unknown): readonly Skip[] {
  return listOf(cell, MAX_SKIPS).map((each) => {
    const [id, reason, until, cause] = listOf(each, 4);
    return {
      accountId: idOf(sheet, id),
      reason: oneOf(REASON_CODES, wordOf(sheet, reason)),
      untilMs: orNull(until, (one) => instantOf(sheet, one)),
      cause: orNull(cause, (one) => wordOf(sheet, one)),
    };
  });
}

function idOf(sheet: Sheet, cell: unknown): AccountId {
  return accountId(wordOf(sheet, cell));
}

function wordOf({ words }: Sheet, cell: unknown): string {
  const word = words[countOf(cell)];
  return typeof word === "string" ? word : unreadable();
}

/** Within what a date can be, so that it can be printed. */
function instantOf({ baseMs }: Sheet, cell: unknown): EpochMs {
  const atMs = baseMs + numberOf(cell);
  return Math.abs(atMs) <= MAX_EPOCH_MS ? epochMs(atMs) : unreadable();
}

function spanOf(cell: unknown): DurationMs {
  return durationMs(countOf(cell));
}

function countOf(cell: unknown): number {
  const count = numberOf(cell);
  return count >= 0 ? count : unreadable();
}

function numberOf(cell: unknown): number {
  return typeof cell === "number" && Number.isFinite(cell) ? cell : unreadable();
}

function listOf(cell: unknown, max: number): readonly unknown[] {
  return Array.isArray(cell) && cell.length <= max ? cell : unreadable();
}

function oneOf<Word extends string>(words: readonly Word[], cell: unknown): Word {
  return words.find((word) => word === cell) ?? unreadable();
}

function orNull<Value>(cell: unknown, read: (cell: unknown) => Value): Value | null {
  return cell === null ? null : read(cell);
}

function unreadable(): never {
  throw new Unreadable();
}
