import { durationMs } from "../../src/kernel/time.ts";
import type { Chance } from "./chance.ts";
import type { RequestClass, Session, Turn } from "./trace.ts";

/** How one kind of work looks. Durations in ms. */
export type Habit = {
  readonly model: string;
  readonly turns: { readonly from: number; readonly to: number };
  /** Median of the input that joins the prompt with one turn. */
  readonly newTokens: number;
  readonly outputTokens: number;
  readonly cacheMs: number;
  /** Share of the turns that a person starts; the others follow from tool calls, a few seconds later. */
  readonly personRatio: number;
  /** Share of the turns after a break of 6 to 45 minutes. */
  readonly breakRatio: number;
  /** Share of the turns that start subagents, and how many at once. */
  readonly agentRatio: number;
  readonly agents: { readonly from: number; readonly to: number };
};

/** Work at a keyboard: Claude Code with an agent now and then. */
export const AT_A_KEYBOARD: Habit = {
  model: "claude-opus-4-5",
  turns: { from: 20, to: 200 },
  newTokens: 650,
  outputTokens: 280,
  cacheMs: 300_000,
  personRatio: 0.2,
  breakRatio: 0.02,
  agentRatio: 0.02,
  agents: { from: 1, to: 3 },
};

const TOOL_MS = 4_000;
const PERSON_MS = 40_000;
const BREAK_FROM_MS = 360_000;
const BREAK_TO_MS = 2_700_000;
const FIRST_TOKEN_MS = 1_500;
/** 70 tokens a second. */
const MS_PER_TOKEN = 14;
/** What a client sends before anybody typed: tools and system prompt, equal for all of one kind. */
const SHARED_TOKENS: Readonly<Record<RequestClass, number>> = { main: 16_000, subagent: 9_000, auxiliary: 1_000 };
const FIRST_INPUT_TOKENS = 3_500;
/** A client compacts before 200,000; here the session ends. */
const MAX_PROMPT_TOKENS = 180_000;
const MAX_TOKENS = 8_192;

export type Who = {
  readonly id: string;
  readonly clientKey: string;
  readonly startMs: number;
  readonly habit: Habit;
};

export function makeSession(who: Who, chance: Chance): Session {
  return session(who, { kind: "main", conversationId: who.id }, chance);
}

type Role = { readonly kind: RequestClass; readonly conversationId: string };

function session(who: Who, role: Role, chance: Chance): Session {
  const { habit, id, clientKey, startMs } = who;
  const luck = chance.fork(id);
  const count = luck.integer(habit.turns.from, habit.turns.to);
  const turns: Turn[] = [];
  let promptTokens = SHARED_TOKENS[role.kind];
  for (let index = 0; index < count && promptTokens < MAX_PROMPT_TOKENS; index += 1) {
    const turn = makeTurn(who, { ...role, index }, luck);
    promptTokens += turn.newTokens + turn.outputTokens;
    turns.push(turn);
  }
  return {
    id,
    conversationId: role.conversationId,
    clientKey,
    model: habit.model,
    requestClass: role.kind,
    startMs,
    sharedPrefix: `${role.kind} of Claude Code`,
    sharedTokens: SHARED_TOKENS[role.kind],
    cacheMs: durationMs(habit.cacheMs),
    maxTokens: MAX_TOKENS,
    turns,
  };
}

function makeTurn(who: Who, role: Role & { readonly index: number }, luck: Chance): Turn {
  const { habit } = who;
  const isMain = role.kind === "main";
  const first = role.index === 0;
  const outputTokens = bounded(luck.around(habit.outputTokens, 0.8), MAX_TOKENS);
  const newTokens = bounded(luck.around(first ? FIRST_INPUT_TOKENS : habit.newTokens, 0.9), 40_000);
  const thinkMs = first ? 0 : thinkOf(habit, isMain, luck);
  const hasAgents = isMain && !first && luck.next() < habit.agentRatio;
  const agents = hasAgents ? luck.integer(habit.agents.from, habit.agents.to) : 0;
  return {
    thinkMs: durationMs(thinkMs),
    newTokens,
    outputTokens,
    firstTokenMs: durationMs(Math.round(luck.around(FIRST_TOKEN_MS, 0.4))),
    streamMs: durationMs(outputTokens * MS_PER_TOKEN),
    subagents: Array.from({ length: agents }, (_, index) => makeAgent(who, role, { index, luck })),
  };
}

function makeAgent(who: Who, role: Role & { readonly index: number }, at: { index: number; luck: Chance }): Session {
  const habit: Habit = { ...who.habit, turns: { from: 4, to: 20 }, personRatio: 0, breakRatio: 0, agentRatio: 0 };
  const id = `${who.id}.${role.index}.${at.index}`;
  const startMs = at.luck.integer(0, 1_500);
  return session({ ...who, id, startMs, habit }, { kind: "subagent", conversationId: role.conversationId }, at.luck);
}

function thinkOf(habit: Habit, isMain: boolean, luck: Chance): number {
  if (isMain && luck.next() < habit.breakRatio) return luck.integer(BREAK_FROM_MS, BREAK_TO_MS);
  const isPerson = isMain && luck.next() < habit.personRatio;
  return Math.round(isPerson ? luck.around(PERSON_MS, 0.9) : luck.around(TOOL_MS, 0.8));
}

function bounded(tokens: number, most: number): number {
  return Math.max(1, Math.min(most, Math.round(tokens)));
}
