import { epochMs } from "../../src/kernel/time.ts";
import { type Chance, createChance } from "./chance.ts";
import { MAIN_UPSTREAM, makePlan, makePool, type OrganizationPlan, OTHER_UPSTREAM, START_MS } from "./make-pool.ts";
import { AT_A_KEYBOARD, type Habit, makeSession } from "./make-session.ts";
import type { BucketLimits, Session, Storm, Trace } from "./trace.ts";

/** A trace of its seed: the same seed makes the same sessions. */
export type MakeTrace = (seed: number) => Trace;

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const HAIKU: Habit = { ...AT_A_KEYBOARD, model: "claude-haiku-4-5", newTokens: 500, outputTokens: 200 };
const SONNET: Habit = { ...AT_A_KEYBOARD, model: "claude-sonnet-4-5" };
/** Headless work: no person, no breaks, many agents at once. */
const SWARM: Habit = {
  ...AT_A_KEYBOARD,
  turns: { from: 20, to: 60 },
  personRatio: 0,
  breakRatio: 0,
  agentRatio: 0.08,
  agents: { from: 6, to: 20 },
};

type Work = {
  readonly keys: number;
  readonly hours: number;
  /** Sessions that each key begins, spread over the hours. */
  readonly sessionsPerKey: number;
  readonly habits: readonly [Habit, ...Habit[]];
  /** Later keys work more: the n-th key n times this much more than the first. 0: all alike. */
  readonly slope?: number;
  /** How likely a start at that hour of the trace is kept, 0..1. */
  readonly atHour?: (hour: number) => number;
};

function makeWork(work: Work, chance: Chance): readonly Session[] {
  const sessions: Session[] = [];
  for (let key = 0; key < work.keys; key += 1) {
    const count = Math.round(work.sessionsPerKey * (1 + (work.slope ?? 0) * key));
    for (let index = 0; index < count; index += 1) {
      const luck = chance.fork(`key ${key} session ${index}`);
      const hour = startHour(work, luck);
      const habit = luck.pick(work.habits);
      const startMs = Math.round(START_MS + hour * HOUR_MS);
      sessions.push(makeSession({ id: `${key}-${index}`, clientKey: `key-${key + 1}`, startMs, habit }, luck));
    }
  }
  return sessions;
}

function startHour({ hours, atHour }: Work, luck: Chance): number {
  for (let tries = 0; tries < 50; tries += 1) {
    const hour = luck.next() * hours;
    if (atHour === undefined || luck.next() < atHour(hour)) return hour;
  }
  return 0;
}

type Shape = {
  readonly summary: string;
  readonly hours: number;
  readonly pool: readonly OrganizationPlan[];
  readonly work: readonly Work[];
  readonly storms?: readonly Storm[];
};

function makeTrace(name: string, shape: Shape): MakeTrace {
  return (seed) => {
    const chance = createChance(seed);
    return {
      name,
      summary: shape.summary,
      startMs: START_MS,
      endMs: epochMs(START_MS + shape.hours * HOUR_MS),
      credentials: makePool(shape.pool),
      storms: shape.storms ?? [],
      sessions: shape.work.flatMap((work, index) =>
        makeWork(work, chance.fork(`work ${index}`)).map((session) => renamed(session, `${index}-`)),
      ),
    };
  };
}

/** Ids are unique over all kinds of work of a trace. */
function renamed(session: Session, prefix: string): Session {
  return {
    ...session,
    id: prefix + session.id,
    conversationId: prefix + session.conversationId,
    turns: session.turns.map((turn) => ({ ...turn, subagents: turn.subagents.map((agent) => renamed(agent, prefix)) })),
  };
}

function buckets(requests: number, inputK: number, outputK: number): BucketLimits {
  return {
    requestsPerMinute: requests,
    inputTokensPerMinute: inputK * 1_000,
    outputTokensPerMinute: outputK * 1_000,
  };
}

function storm(upstream: string, minutes: readonly [from: number, to: number], failRatio: number): Storm {
  return {
    baseUrl: upstream,
    fromMs: epochMs(START_MS + minutes[0] * MINUTE_MS),
    untilMs: epochMs(START_MS + minutes[1] * MINUTE_MS),
    failRatio,
  };
}

/** Working hours of the day that begins the trace at 06:00: nobody at night, most at 10 and at 15. */
function byDay(hour: number): number {
  const ofDay = (hour + 6) % 24;
  const morning = Math.exp(-(((ofDay - 10.5) / 2) ** 2));
  const afternoon = Math.exp(-(((ofDay - 15.5) / 2.5) ** 2));
  return Math.max(0.03, morning, afternoon);
}

const soloPlan = { resetsAfterHours: 0, fiveHourUsd: 34, sevenDayUsd: 1_500 };
const dayPlan = { fiveHourUsd: 60, sevenDayUsd: 300 };
const drainPlan = { fiveHourUsd: 42, sevenDayUsd: 3_000 };
const teamBuckets = { opus: buckets(500, 200, 40), haiku: buckets(500, 200, 40) };
const fiftyBuckets = { opus: buckets(500, 200, 33), sonnet: buckets(500, 200, 33) };
const stormBuckets = { opus: buckets(1_000, 200, 60), sonnet: buckets(1_000, 200, 60) };

/** The bundled traces, by name. Each says in one line what it is about. */
export const TRACES = {
  "solo-developer": makeTrace("solo-developer", {
    summary:
      "one person with many terminals, three plan accounts of three organizations; a long day needs more than all three hold",
    hours: 12,
    pool: [
      { id: "plan-a", plan: makePlan(soloPlan), workspaces: ["default"] },
      { id: "plan-b", plan: makePlan(soloPlan), workspaces: ["default"] },
      { id: "plan-c", plan: makePlan(soloPlan), workspaces: ["default"] },
    ],
    work: [{ keys: 1, hours: 10, sessionsPerKey: 50, habits: [{ ...AT_A_KEYBOARD, cacheMs: HOUR_MS }] }],
  }),
  "small-team": makeTrace("small-team", {
    summary: "five keys, five accounts in two organizations with token buckets; one organization alone is too small",
    hours: 8,
    pool: [
      { id: "team-a", buckets: teamBuckets, workspaces: ["one", "one", "two"] },
      { id: "team-b", buckets: teamBuckets, workspaces: ["one", "two"] },
    ],
    work: [{ keys: 5, hours: 7, sessionsPerKey: 9, slope: 0.2, habits: [AT_A_KEYBOARD, AT_A_KEYBOARD, HAIKU] }],
  }),
  "agents-burst": makeTrace("agents-burst", {
    summary:
      "four keys without people: up to 20 subagents begin within a second and a half; four accounts, two organizations",
    hours: 3,
    pool: [
      { id: "burst-a", buckets: { opus: buckets(1_000, 250, 200) }, workspaces: ["one", "two"] },
      { id: "burst-b", buckets: { opus: buckets(1_000, 250, 200) }, workspaces: ["one", "two"] },
    ],
    work: [{ keys: 4, hours: 2.7, sessionsPerKey: 8, habits: [SWARM] }],
  }),
  "day-and-night": makeTrace("day-and-night", {
    summary: "a week of ten keys on 20 accounts in five organizations with 5 h and 7 d windows",
    hours: 168,
    pool: ["a", "b", "c", "d", "e"].map((name, index) => ({
      id: `week-${name}`,
      plan: makePlan({ ...dayPlan, resetsAfterHours: 0, weekEndsAfterHours: 24 + 30 * index }),
      workspaces: ["one", "one", "two", "two"],
    })),
    work: [{ keys: 10, hours: 166, sessionsPerKey: 18, slope: 0.1, habits: [AT_A_KEYBOARD], atHour: byDay }],
  }),
  "fifty-accounts": makeTrace("fifty-accounts", {
    summary: "30 keys on 50 accounts in ten organizations, six with token buckets and four with plans",
    hours: 6,
    pool: Array.from({ length: 10 }, (_, index) => ({
      id: `org-${index}`,
      ...(index < 6
        ? { buckets: fiftyBuckets }
        : {
            plan: makePlan({ fiveHourUsd: 40, sevenDayUsd: 1_000, resetsAfterHours: 0 }),
          }),
      workspaces: ["one", "one", "two", "two", "three"],
    })),
    work: [{ keys: 30, hours: 5.5, sessionsPerKey: 5, habits: [AT_A_KEYBOARD, SONNET] }],
  }),
  "storms-and-deaths": makeTrace("storms-and-deaths", {
    summary: "two upstreams with outages and 529 storms, and two of five organizations lose their credentials",
    hours: 6,
    pool: [
      { id: "storm-a", buckets: stormBuckets, workspaces: ["one", "two"] },
      { id: "storm-b", buckets: stormBuckets, workspaces: ["one"], diesAfterHours: 2 },
      { id: "storm-c", buckets: stormBuckets, workspaces: ["one", "two"] },
      { id: "cloud-a", baseUrl: OTHER_UPSTREAM, buckets: stormBuckets, workspaces: ["one", "two"] },
      { id: "cloud-b", baseUrl: OTHER_UPSTREAM, buckets: stormBuckets, workspaces: ["one"], diesAfterHours: 3.5 },
    ],
    work: [{ keys: 6, hours: 5.5, sessionsPerKey: 12, habits: [AT_A_KEYBOARD, SONNET] }],
    storms: [
      storm(MAIN_UPSTREAM, [60, 70], 0.4),
      storm(MAIN_UPSTREAM, [100, 108], 1),
      storm(OTHER_UPSTREAM, [170, 180], 1),
      storm(MAIN_UPSTREAM, [240, 260], 0.6),
      storm(OTHER_UPSTREAM, [300, 301], 1),
    ],
  }),
  expiring: makeTrace("expiring", {
    summary: "four plan accounts whose 5 h windows end at different hours; what is left at a reset is lost",
    hours: 12,
    pool: [0.5, 1.5, 2.5, 4.5].map((resetsAfterHours, index) => ({
      id: `drain-${index + 1}`,
      plan: makePlan({ ...drainPlan, resetsAfterHours }),
      workspaces: ["default"],
    })),
    work: [{ keys: 4, hours: 11, sessionsPerKey: 14, habits: [{ ...AT_A_KEYBOARD, cacheMs: HOUR_MS }] }],
  }),
} as const satisfies Readonly<Record<string, MakeTrace>>;

export type TraceName = keyof typeof TRACES;
