import { createInProcessCoordination } from "../../src/cluster/in-process.ts";
import { clientKeyId } from "../../src/domain/access/client-key-id.ts";
import { OPEN_GRANT } from "../../src/domain/access/key-grant.ts";
import { NO_LIMITS } from "../../src/domain/access/key-limits.ts";
import { type Account, accountId } from "../../src/domain/account/account.ts";
import { createHomeBook } from "../../src/domain/affinity/home-book.ts";
import { createRetryBudget } from "../../src/domain/failover/retry-budget.ts";
import { type LedgerBegin, type LedgerSettle, requestId } from "../../src/domain/ledger/record.ts";
import { createLatencyBook } from "../../src/domain/pool/latency-book.ts";
import type { PoolEvent } from "../../src/domain/pool/pool-event.ts";
import { createReservationBook, type ReservationBook } from "../../src/domain/pool/reservation-book.ts";
import type { SelectionRule, TicketEnd } from "../../src/domain/selection/choice.ts";
import { createSelector, type Selector, type Ticket } from "../../src/domain/selection/selector.ts";
import { DEFAULT_STRATEGY } from "../../src/domain/selection/strategy-name.ts";
import { createBodyBudget } from "../../src/gateway/body-budget.ts";
import type { Answer } from "../../src/gateway/call.ts";
import { createFailedKeys } from "../../src/gateway/failed-keys.ts";
import { createKeyMeters } from "../../src/gateway/key-meters.ts";
import { createPoolOwner } from "../../src/gateway/pool-owner.ts";
import type { Accounts, Caller, Observer } from "../../src/gateway/ports.ts";
import { createPresences } from "../../src/gateway/presences.ts";
import { createQueue } from "../../src/gateway/queue.ts";
import type { RequestClass } from "../../src/gateway/request-class.ts";
import type { Deadlines, Rooms } from "../../src/gateway/rooms.ts";
import { serve } from "../../src/gateway/serve.ts";
import { createStreamWatch } from "../../src/gateway/stream-watch.ts";
import { Secret } from "../../src/kernel/secret.ts";
import { type DurationMs, durationMs, epochMs } from "../../src/kernel/time.ts";
import { createManualClock, type ManualClock, turns } from "./manual-clock.ts";
import { type CallScript, createScriptedCall, type ScriptedCall } from "./scripted-call.ts";
import { type ClientView, viewOf } from "./scripted-client.ts";
import { createScriptedUpstream, type ScriptedUpstream } from "./scripted-upstream.ts";

export const CLIENT_KEY = "key-of-the-test";
/** Of somebody else. */
export const OTHER_KEY = "other-key-of-the-test";

export type Attempted = Parameters<Observer["attempted"]>[0];

/** The gateway's rooms on a manual clock, with a scripted world around them. */
export interface Stage {
  readonly rooms: Rooms;
  readonly clock: ManualClock;
  readonly upstream: ScriptedUpstream;
  readonly begun: readonly LedgerBegin[];
  readonly settled: readonly LedgerSettle[];
  readonly attempted: readonly Attempted[];
  /** The test may empty it. */
  readonly learned: PoolEvent[];
  /** What the observer was told, attempts apart. */
  readonly announced: readonly (PoolEvent | LedgerSettle)[];
  readonly waits: readonly (readonly [RequestClass, DurationMs])[];
  /** What the selector was told of each ticket, in order. More than one end for one ticket is a bug. */
  readonly tickets: readonly TicketView[];
  readonly reservations: ReservationBook;
  /** Takes effect with the next request. */
  setRule(changes: Partial<SelectionRule>): void;
  /** Accounts whose credential cannot be decrypted. */
  readonly unreadable: Set<string>;
  setAccounts(accounts: readonly Account[]): void;
  /** A request enters. */
  call(script?: CallScript): ScriptedCall;
  /** The request walks; the client reads what it gets. */
  serve(call: ScriptedCall): Promise<ClientView>;
  /** Until all work beside the requests is done. */
  background(): Promise<void>;
}

export type TicketView = { readonly accountId: string; readonly ends: TicketEnd[] };

export type StageOptions = {
  readonly accounts?: readonly Account[];
  readonly rule?: Partial<SelectionRule>;
  readonly retryRatio?: number;
  readonly onLearned?: (events: readonly PoolEvent[]) => void;
  readonly overrides?: Partial<Rooms>;
  readonly queue?: { readonly maxWaitMs: number; readonly maxWaiting: number };
};

export function account(name: string, facts: Partial<Account> = {}): Account {
  return {
    id: accountId(`id-${name}`),
    name,
    provider: "anthropic",
    baseUrl: `https://${name}.example`,
    credentialKind: "api_key",
    priority: 100,
    weight: 1,
    organization: null,
    workspace: null,
    isPaused: false,
    createdAtMs: epochMs(0),
    models: [],
    ...facts,
  };
}

const MAX_WAIT_MS = 20_000;
const RULE: Omit<SelectionRule, "maxWaitMs"> = {
  strategy: DEFAULT_STRATEGY,
  waitPriceUsdPerHour: 60,
  crossOrganization: "allow",
};
const DEADLINES: Deadlines = {
  connectMs: durationMs(10_000),
  streamHeadersMs: durationMs(60_000),
  headersMs: durationMs(600_000),
  idleMs: durationMs(120_000),
  totalMs: durationMs(600_000),
  streamTotalMs: durationMs(3_600_000),
};
const CALLERS: ReadonlyMap<string, Caller> = new Map([
  [CLIENT_KEY, openCaller("k1", "the key of the test")],
  [OTHER_KEY, openCaller("k2", "another key of the test")],
]);

/** A key that may do everything that needs no scope of its own, without limits. */
export function openCaller(id: string, keyName: string): Caller {
  const keyId = clientKeyId(id);
  return { keyId, keyName, access: { grant: OPEN_GRANT, limits: NO_LIMITS, meterId: keyId } };
}

export function createStage({ accounts: first, overrides, queue, ...chosen }: StageOptions = {}): Stage {
  const clock = createManualClock();
  const upstream = createScriptedUpstream();
  const record = createRecord();
  const running = new Set<Promise<void>>();
  const roster = createRoster(first ?? [account("a"), account("b"), account("c")]);
  const homes = createHomeBook({ maxHomes: 1_000, homeMs: durationMs(5 * 3_600_000) });
  const reservations = createReservationBook();
  const watched = watchTickets(createSelector({ homes, reservations, latency: createLatencyBook() }));
  const maxWaitMs = durationMs(queue?.maxWaitMs ?? MAX_WAIT_MS);
  let rule: SelectionRule = { ...RULE, maxWaitMs, ...chosen.rule };
  let calls = 0;
  const rooms: Rooms = {
    clock,
    random: () => 1,
    keys: { verify: (presented) => CALLERS.get(presented) ?? null },
    failedKeys: createFailedKeys({ perMinute: 20 }),
    meters: createKeyMeters(),
    passthrough: null,
    accounts: roster.port,
    upstream,
    ...record.ports,
    pool: createPoolOwner({
      coordination: createInProcessCoordination(),
      accounts: roster.port,
      onLearned(events) {
        record.learned.push(...events);
        chosen.onLearned?.(events);
      },
    }),
    selector: watched.selector,
    homes,
    rule: () => rule,
    retryBudget: createRetryBudget({ ratio: chosen.retryRatio ?? 0.1 }),
    budget: createBodyBudget(1_000_000),
    queue: createQueue({ clock, maxWaitMs, maxWaiting: queue?.maxWaiting ?? 2 }),
    presences: createPresences(),
    streams: createStreamWatch(clock),
    deadlines: DEADLINES,
    retry: { attempts: 3, delayMs: durationMs(500), backoff: 2 },
    requestBodyLimitBytes: 500_000,
    pingAfterMs: durationMs(15_000),
    background(work) {
      running.add(work);
      void work.finally(() => running.delete(work));
    },
    ...overrides,
  };
  return {
    rooms,
    clock,
    upstream,
    ...record,
    unreadable: roster.unreadable,
    tickets: watched.tickets,
    reservations,
    setRule(changes) {
      rule = { ...rule, ...changes };
    },
    setAccounts: roster.set,
    call(script = {}) {
      calls += 1;
      return createScriptedCall({ id: requestId(`request-${calls}`), key: CLIENT_KEY, nowMs: clock.now(), script });
    },
    async serve(call) {
      const answer: Answer | null = await serve(call, rooms);
      return viewOf(answer, call);
    },
    async background() {
      await Promise.all(running);
      await turns();
    },
  };
}

function createRoster(first: readonly Account[]) {
  let accounts = first;
  const unreadable = new Set<string>();
  const port: Accounts = {
    snapshot: () => accounts,
    credential: ({ name }) => (unreadable.has(name) ? null : new Secret(name, `secret of ${name}`)),
    learnOrganization(id, organization) {
      accounts = accounts.map((each) => (each.id === id ? { ...each, organization } : each));
    },
  };
  const set = (next: readonly Account[]) => {
    accounts = next;
  };
  return { port, unreadable, set };
}

function createRecord() {
  const begun: LedgerBegin[] = [];
  const settled: LedgerSettle[] = [];
  const attempted: Attempted[] = [];
  const learned: PoolEvent[] = [];
  const announced: (PoolEvent | LedgerSettle)[] = [];
  const waits: [RequestClass, DurationMs][] = [];
  return {
    begun,
    settled,
    attempted,
    learned,
    announced,
    waits,
    ports: {
      ledger: {
        begin: (entry: LedgerBegin) => void begun.push(entry),
        settle: (entry: LedgerSettle) => void settled.push(entry),
      },
      observer: {
        attempted: (attempt: Attempted) => void attempted.push(attempt),
        learned: (events: readonly PoolEvent[]) => void announced.push(...events),
        settled: (_: LedgerBegin, entry: LedgerSettle) => void announced.push(entry),
        waited: (requestClass: RequestClass, waitedMs: DurationMs) => void waits.push([requestClass, waitedMs]),
      },
    },
  };
}

function watchTickets(selector: Selector): { readonly selector: Selector; readonly tickets: readonly TicketView[] } {
  const tickets: TicketView[] = [];
  const views = new Map<Ticket, TicketView>();
  return {
    tickets,
    selector: {
      ...selector,
      start(question, use) {
        const ticket = selector.start(question, use);
        const view = { accountId: use.account.id, ends: [] };
        tickets.push(view);
        views.set(ticket, view);
        return ticket;
      },
      settle(ticket, end, nowMs) {
        views.get(ticket)?.ends.push(end);
        selector.settle(ticket, end, nowMs);
      },
    },
  };
}
