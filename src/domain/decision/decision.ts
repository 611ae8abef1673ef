import type { DurationMs, EpochMs } from "../../kernel/time.ts";
import type { AccountId } from "../account/account.ts";
import type { Conversation } from "../affinity/conversation.ts";
import type { ReasonCode } from "../failover/reason.ts";
import type { Move, Why } from "../selection/choice.ts";
import type { Skip } from "../selection/plan.ts";
import type { StrategyName } from "../selection/strategy-name.ts";
import {
  DECISION_VERSION,
  MAX_DECISION_CHARACTERS,
  MAX_SKIPS,
  MAX_STEPS,
  MAX_WORD_CHARACTERS,
  STEP_CODES,
} from "./decision-code.ts";

/** One thing that happened on the way to the answer. `skipCount` counts the skips that were not kept, too. */
export type DecisionStep =
  | {
      readonly kind: "tried";
      readonly accountId: AccountId;
      readonly why: Why;
      readonly move: Move | null;
      readonly skips: readonly Skip[];
      readonly skipCount: number;
      readonly reason: ReasonCode;
      readonly status: number | null;
      /** Which header or status decided. */
      readonly cause: string | null;
    }
  | {
      readonly kind: "waited";
      readonly why: string;
      readonly untilMs: EpochMs;
      readonly ms: DurationMs;
      readonly move: Move | null;
    }
  | {
      readonly kind: "refused";
      readonly code: string;
      readonly skips: readonly Skip[];
      readonly skipCount: number;
      readonly untilMs: EpochMs | null;
    };

/** Why a request went where it went: what `better-ccflare explain` prints. */
export type Decision = {
  readonly strategy: StrategyName;
  readonly conversation: Conversation["source"] | null;
  readonly steps: readonly DecisionStep[];
  /** Steps before the last one that were not kept. Absent: none. */
  readonly droppedSteps?: number;
};

type Cell = number | null | readonly Cell[];

type Pen = {
  readonly words: Map<string, number>;
  readonly maxSkips: number;
  /** Null before the first instant. */
  baseMs: EpochMs | null;
};

/** What is left out first when a record is too long: reasons of other accounts, then steps in the middle. */
const SIZES: readonly (readonly [steps: number, skips: number])[] = [
  [MAX_STEPS, MAX_SKIPS],
  [MAX_STEPS, 4],
  [MAX_STEPS, 2],
  [MAX_STEPS, 0],
  [6, 0],
  [3, 0],
  [1, 0],
];

/** Ids are UUIDs. No reason or word of a choice holds a hyphen, so that none equals one. */
const PLAIN_WORD = /^[0-9a-z]{1,16}-[0-9a-z-]{1,47}$/;

/** What JSON writes as six characters. No code or id has them. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}]/gu;

/** At most 2,000 characters: at most 12 steps with 8 skips each, fewer when that is still too long. */
// hot path
export function encodeDecision(decision: Decision): string {
  const [only] = decision.steps;
  if (only?.kind === "tried" && decision.steps.length === 1 && isPlain(only)) {
    return writePlain(decision, only);
  }
  let text = "";
  for (const [steps, skips] of SIZES) {
    text = write(decision, steps, skips);
    if (text.length <= MAX_DECISION_CHARACTERS) {
      return text;
    }
  }
  return text;
}

type Tried = Extract<DecisionStep, { kind: "tried" }>;

/** Nearly every request: one account was tried and there is nothing more to say. */
function isPlain({ accountId, move, skipCount, cause }: Tried): boolean {
  return move === null && skipCount === 0 && cause === null && PLAIN_WORD.test(accountId);
}

/** As `write` has it, without building it first: a tenth of the cost. */
function writePlain({ strategy, conversation, droppedSteps = 0 }: Decision, step: Tried): string {
  const source = conversation === null ? "null" : `"${conversation}"`;
  const words = `["${step.accountId}","${step.why}","${step.reason}"]`;
  const cells = `[[${STEP_CODES.tried},0,1,2,${step.status},null,null,[],0]]`;
  const dropped = droppedSteps > 0 ? `,"d":${droppedSteps}` : "";
  return `{"v":${DECISION_VERSION},"s":"${strategy}","c":${source},"b":0,"w":${words},"t":${cells}${dropped}}`;
}

function write(
  { strategy, conversation, steps, droppedSteps = 0 }: Decision,
  maxSteps: number,
  maxSkips: number,
): string {
  const pen: Pen = { words: new Map(), maxSkips, baseMs: null };
  const kept = steps.length <= maxSteps ? steps : [...steps.slice(0, maxSteps - 1), ...steps.slice(-1)];
  const cells = kept.map((step) => stepCell(pen, step));
  const dropped = droppedSteps + steps.length - kept.length;
  return JSON.stringify({
    v: DECISION_VERSION,
    s: strategy,
    c: conversation,
    b: pen.baseMs ?? 0,
    w: [...pen.words.keys()],
    t: cells,
    ...(dropped > 0 ? { d: dropped } : {}),
  });
}

function stepCell(pen: Pen, step: DecisionStep): Cell {
  const code = STEP_CODES[step.kind];
  switch (step.kind) {
    case "tried": {
      const { accountId, why, reason, status, cause, move, skips, skipCount } = step;
      const what = [word(pen, accountId), word(pen, why), word(pen, reason), status, wordOrNull(pen, cause)];
      return [code, ...what, moveCell(pen, move), skipCells(pen, skips), skipCount];
    }
    case "waited":
      return [code, word(pen, step.why), instant(pen, step.untilMs), step.ms, moveCell(pen, step.move)];
    default:
      return [code, word(pen, step.code), skipCells(pen, step.skips), step.skipCount, instant(pen, step.untilMs)];
  }
}

function moveCell(pen: Pen, move: Move | null): Cell {
  if (move === null) {
    return null;
  }
  const { from, kind, priceMicroUsd, homeReturnsAtMs, setsHome } = move;
  return [word(pen, from), word(pen, kind), priceMicroUsd, instant(pen, homeReturnsAtMs), setsHome ? 1 : 0];
}

function skipCells(pen: Pen, skips: readonly Skip[]): Cell {
  return skips
    .slice(0, pen.maxSkips)
    .map(({ accountId, reason, untilMs, cause }) => [
      word(pen, accountId),
      word(pen, reason),
      instant(pen, untilMs),
      wordOrNull(pen, cause),
    ]);
}

function instant(pen: Pen, atMs: EpochMs | null): number | null {
  if (atMs === null) {
    return null;
  }
  pen.baseMs ??= atMs;
  return atMs - pen.baseMs;
}

function wordOrNull(pen: Pen, text: string | null): number | null {
  return text === null ? null : word(pen, text);
}

function word({ words }: Pen, text: string): number {
  const kept = text.slice(0, MAX_WORD_CHARACTERS).replace(UNPRINTABLE, "?");
  const at = words.get(kept) ?? words.size;
  words.set(kept, at);
  return at;
}
