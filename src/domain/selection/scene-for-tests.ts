import { durationMs, type EpochMs, epochMs } from "../../kernel/time.ts";
import { type Account, accountId } from "../account/account.ts";
import { modelClassOf } from "../account/model-class.ts";
import type { ConversationKey } from "../affinity/conversation.ts";
import { createHomeBook, type Home } from "../affinity/home-book.ts";
import { createLatencyBook } from "../pool/latency-book.ts";
import { type PoolEvent, subjectOf } from "../pool/pool-event.ts";
import { applyPoolEvents, emptyPool, type PoolState } from "../pool/pool-state.ts";
import { createReservationBook } from "../pool/reservation-book.ts";
import { readLimitFacts } from "../ratelimit/limit-headers.ts";
import type { Usage } from "../usage/usage.ts";
import type { Choice, Question, SelectionRule, TicketEnd } from "./choice.ts";
import { type Books, createSelector, type Selector, type Ticket } from "./selector.ts";

export const MODEL = "claude-opus-4-5";
export const opus = modelClassOf(MODEL);
export const MINUTE = 60;
export const HOUR = 3_600;

const START_MS = Date.parse("2026-11-23T20:00:00Z");

export function at(seconds: number): EpochMs {
  return epochMs(START_MS + seconds * 1_000);
}

export function account(name: string, changes: Partial<Account> = {}): Account {
  return {
    id: accountId(name),
    name,
    provider: "anthropic",
    baseUrl: "https://api.anthropic.com",
    credentialKind: "api_key",
    priority: 100,
    weight: 1,
    organization: null,
    workspace: null,
    isPaused: false,
    createdAtMs: epochMs(0),
    models: [],
    ...changes,
  };
}

export function conversation(name: string): ConversationKey {
  return `key/opus/s:${name}` as ConversationKey;
}

export const RULE: SelectionRule = {
  strategy: "session",
  waitPriceUsdPerHour: 60,
  crossOrganization: "allow",
  maxWaitMs: durationMs(60_000),
};

export function benched(who: Account, untilSeconds: number, atSeconds = 0): PoolEvent {
  const on = subjectOf(who, MODEL, opus);
  const untilMs = at(untilSeconds);
  return {
    type: "benched",
    on,
    untilMs,
    reason: "rate_limited",
    scope: "class",
    cause: "status 429, retry-after",
    atMs: at(atSeconds),
  };
}

export function throttled(who: Account, atSeconds = 0): PoolEvent {
  const cause = "status 429 without a limit header";
  return { type: "throttled", on: subjectOf(who, MODEL, opus), random: 0.5, cause, atMs: at(atSeconds) };
}

/** Enough failures that its upstream rests for 30 s. */
export function originDown(who: Account, atSeconds = 0): readonly PoolEvent[] {
  const on = subjectOf(who, MODEL, opus);
  return Array.from({ length: 5 }, () => ({ type: "origin_failed", on, cause: "status 529", atMs: at(atSeconds) }));
}

/** An answer with these headers. */
export function said(who: Account, headers: Readonly<Record<string, string>>, atSeconds = 0): PoolEvent {
  const limits = readLimitFacts(
    Object.entries(headers).map(([name, value]) => [`anthropic-ratelimit-${name}`, value] as const),
    at(atSeconds),
  );
  return { type: "served", on: subjectOf(who, MODEL, opus), limits, atMs: at(atSeconds) };
}

/** A share of the plan's 5-hour window is used. */
export function planUsed(
  who: Account,
  usedRatio: number,
  { resetSeconds = 5 * HOUR, atSeconds = 0 }: { resetSeconds?: number; atSeconds?: number } = {},
): PoolEvent {
  const reset = String(Math.floor(at(resetSeconds) / 1_000));
  return said(who, { "unified-5h-utilization": String(usedRatio), "unified-5h-reset": reset }, atSeconds);
}

/** The provider warns, for a minute. */
export function warned(who: Account): PoolEvent {
  const reset = String(at(MINUTE) / 1_000);
  return said(who, { "unified-status": "allowed_warning", "unified-reset": reset });
}

/** So many of 100 requests a minute are left. */
export function requestsLeft(who: Account, remaining: number, atSeconds = 0): PoolEvent {
  const reset = new Date(at(atSeconds + ((100 - remaining) / 100) * MINUTE)).toISOString();
  return said(
    who,
    { "requests-limit": "100", "requests-remaining": String(remaining), "requests-reset": reset },
    atSeconds,
  );
}

export function home(who: Account, changes: Partial<Home> = {}): Home {
  return {
    accountId: who.id,
    lastUsedMs: at(0),
    cacheMs: durationMs(5 * MINUTE * 1_000),
    prefixTokens: 60_000,
    ...changes,
  };
}

export function usage(changes: Partial<Usage> = {}): Usage {
  return {
    inputTokens: 10,
    cacheWrite5mTokens: 0,
    cacheWrite1hTokens: 0,
    cacheReadTokens: 0,
    outputTokens: 100,
    webSearchRequests: null,
    webFetchRequests: null,
    serviceTier: null,
    isPartial: false,
    ...changes,
  };
}

export function ended(kind: TicketEnd["kind"], used: Usage | null = null): TicketEnd {
  return { kind, usage: used, firstTokenMs: null };
}

/** A selector with what it needs; time and pool stand still until a test moves them. */
export type Scene = {
  readonly books: Books;
  readonly selector: Selector;
  pool: PoolState;
  accounts: readonly Account[];
  seconds: number;
  learn(...events: readonly (PoolEvent | readonly PoolEvent[])[]): void;
  question(changes?: Partial<Question>): Question;
  choose(changes?: Partial<Question>, rule?: Partial<SelectionRule>): Choice;
  /** Chooses and starts. @throws Error when nobody is to be used */
  start(changes?: Partial<Question>, rule?: Partial<SelectionRule>): { readonly name: string; readonly ticket: Ticket };
};

export function createScene(accounts: readonly Account[]): Scene {
  const books: Books = {
    homes: createHomeBook({ maxHomes: 1_000, homeMs: durationMs(5 * HOUR * 1_000) }),
    reservations: createReservationBook(),
    latency: createLatencyBook(),
  };
  const selector = createSelector(books);
  const scene: Scene = {
    books,
    selector,
    pool: emptyPool,
    accounts,
    seconds: 0,
    learn(...events) {
      scene.pool = applyPoolEvents(scene.pool, events.flat());
    },
    question: (changes = {}) => ({
      accounts: scene.accounts,
      pool: scene.pool,
      model: MODEL,
      modelClass: opus,
      nowMs: at(scene.seconds),
      tried: new Set(),
      conversation: null,
      isSubagent: false,
      demand: { inputTokens: 1_000, outputTokens: 100 },
      waitedMs: durationMs(0),
      ...changes,
    }),
    choose: (changes, rule = {}) => selector.choose(scene.question(changes), { ...RULE, ...rule }),
    start(changes, rule) {
      const choice = scene.choose(changes, rule);
      if (choice.kind !== "use") {
        throw new Error(`Cannot start: the choice is ${JSON.stringify(choice)}`);
      }
      return { name: choice.account.name, ticket: selector.start(scene.question(changes), choice) };
    },
  };
  return scene;
}

/** In a few words, for tables: "home a", "wait home_returns 10", "none 60". */
export function told(choice: Choice): string {
  switch (choice.kind) {
    case "use":
      return `${choice.why} ${choice.account.name}`;
    case "wait":
      return `wait ${choice.why} ${secondsOf(choice.untilMs)}`;
    default:
      return `none ${choice.returnsAtMs === null ? "null" : secondsOf(choice.returnsAtMs)}`;
  }
}

function secondsOf(instant: EpochMs): number {
  return (instant - START_MS) / 1_000;
}
